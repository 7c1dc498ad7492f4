//! The logs of one or several runs, read as one.

use super::run_log::{Glance, RunLog};
use std::path::PathBuf;
use std::sync::Arc;

/// Logs of runs that follow each other, the oldest first; the numbers of each go on behind those
/// of the one before.
#[derive(Clone, Debug, Default)]
pub struct LogSeries {
    logs: Vec<Arc<RunLog>>,
    /// How many lines there were before the first that is left, where that is in none of these.
    lines_gone: Option<u64>,
}

impl LogSeries {
    /// The log of one run alone.
    #[must_use]
    pub fn of(log: Arc<RunLog>) -> Self {
        Self { logs: vec![log], lines_gone: None }
    }

    /// All that are left.
    #[must_use]
    pub fn whole(logs: Vec<Arc<RunLog>>) -> Self {
        Self { logs, lines_gone: None }
    }

    /// The newest, where there were `lines_gone` lines before the first that is left, which is in
    /// none of these.
    #[must_use]
    pub fn newest(logs: Vec<Arc<RunLog>>, lines_gone: u64) -> Self {
        Self { logs, lines_gone: Some(lines_gone) }
    }

    /// How far they are.
    #[must_use]
    pub fn glance(&self) -> Glance {
        let Some((newest, older)) = self.logs.split_last() else { return Glance::of_nothing() };
        let mut glance = newest.glance();
        let mut parts: Vec<_> = older.iter().flat_map(|log| log.glance().parts).collect();
        parts.append(&mut glance.parts);
        let lines_gone = self.lines_gone.unwrap_or(parts[0].lines_before);
        Glance { lines_gone, parts, ..glance }
    }

    pub(super) fn logs(&self) -> &[Arc<RunLog>] {
        &self.logs
    }

    /// Where the newest is, for a message.
    pub(super) fn path(&self) -> PathBuf {
        self.logs.last().map(|log| log.path().to_owned()).unwrap_or_default()
    }
}
