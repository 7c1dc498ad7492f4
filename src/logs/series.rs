//! The logs of one or several runs, read as one.

use super::run_log::{LogSnapshot, RunLog};
use std::path::PathBuf;
use std::sync::Arc;

/// Logs of consecutive runs, the oldest first; the line numbers of each continue those of the one
/// before.
#[derive(Clone, Debug, Default)]
pub struct LogSeries {
    logs: Vec<Arc<RunLog>>,
    /// What is before them, if there are older logs.
    older: Option<Older>,
}

/// The counts of older logs.
#[derive(Clone, Copy, Debug)]
struct Older {
    /// Number of lines before the first log of the series.
    first: u64,
    /// Number of those that are gone.
    lines_gone: u64,
}

impl LogSeries {
    /// Creates the series of one log.
    #[must_use]
    pub fn of(log: Arc<RunLog>) -> Self {
        Self { logs: vec![log], older: None }
    }

    /// Creates the series of all logs that are left.
    #[must_use]
    pub fn whole(logs: Vec<Arc<RunLog>>) -> Self {
        Self { logs, older: None }
    }

    /// Creates the series of the newest logs. There were `first` lines before them, of which the
    /// first `lines_gone` are gone.
    #[must_use]
    pub fn newest(logs: Vec<Arc<RunLog>>, first: u64, lines_gone: u64) -> Self {
        Self { logs, older: Some(Older { first, lines_gone }) }
    }

    /// Returns the logs at this moment.
    #[must_use]
    pub fn snapshot(&self) -> LogSnapshot {
        let Some((newest, older)) = self.logs.split_last() else {
            return LogSnapshot::of_nothing();
        };
        let mut snapshot = newest.snapshot();
        let mut parts: Vec<_> = older.iter().flat_map(|log| log.snapshot().parts).collect();
        parts.append(&mut snapshot.parts);
        // If the first log has lost its beginning there is a gap, whatever is before that.
        let begin = parts[0].lines_before;
        let older = self.older.filter(|older| begin <= older.first);
        let lines_gone = older.map_or(begin, |older| older.lines_gone);
        LogSnapshot { lines_gone, parts, ..snapshot }
    }

    pub(super) fn logs(&self) -> &[Arc<RunLog>] {
        &self.logs
    }

    /// Returns the path of the newest, for a message.
    pub(super) fn path(&self) -> PathBuf {
        self.logs.last().map(|log| log.path().to_owned()).unwrap_or_default()
    }
}
