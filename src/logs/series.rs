//! The logs of one or several runs, read as one.

use super::run_log::{LogSnapshot, RunLog};
use std::path::PathBuf;
use std::sync::Arc;

/// Logs of runs that follow each other, the oldest first; the numbers of each go on behind those
/// of the one before.
#[derive(Clone, Debug, Default)]
pub struct LogSeries {
    logs: Vec<Arc<RunLog>>,
    /// Where older ones are left.
    older: Option<Older>,
}

/// What is known of the older ones.
#[derive(Clone, Copy, Debug)]
struct Older {
    /// How many lines there were before the first log that is at hand.
    first: u64,
    /// How many of those are gone.
    lines_gone: u64,
}

impl LogSeries {
    /// The log of one run alone.
    #[must_use]
    pub fn of(log: Arc<RunLog>) -> Self {
        Self { logs: vec![log], older: None }
    }

    /// All that are left.
    #[must_use]
    pub fn whole(logs: Vec<Arc<RunLog>>) -> Self {
        Self { logs, older: None }
    }

    /// The newest. There were `first` lines before them, of which the first `lines_gone` are not
    /// left.
    #[must_use]
    pub fn newest(logs: Vec<Arc<RunLog>>, first: u64, lines_gone: u64) -> Self {
        Self { logs, older: Some(Older { first, lines_gone }) }
    }

    /// How far they are.
    #[must_use]
    pub fn snapshot(&self) -> LogSnapshot {
        let Some((newest, older)) = self.logs.split_last() else {
            return LogSnapshot::of_nothing();
        };
        let mut snapshot = newest.snapshot();
        let mut parts: Vec<_> = older.iter().flat_map(|log| log.snapshot().parts).collect();
        parts.append(&mut snapshot.parts);
        // Where the first log has lost its beginning there is a hole, whatever lies before that.
        let begin = parts[0].lines_before;
        let older = self.older.filter(|older| begin <= older.first);
        let lines_gone = older.map_or(begin, |older| older.lines_gone);
        LogSnapshot { lines_gone, parts, ..snapshot }
    }

    pub(super) fn logs(&self) -> &[Arc<RunLog>] {
        &self.logs
    }

    /// Where the newest is, for a message.
    pub(super) fn path(&self) -> PathBuf {
        self.logs.last().map(|log| log.path().to_owned()).unwrap_or_default()
    }
}
