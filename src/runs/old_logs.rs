//! The logs of old runs that are kept open with their index, for readers that page through them.

use crate::logs::RunLog;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Number of logs that are kept open.
const OPEN_MAX: usize = 2;

/// A log that the first reader opens; others who want it wait for that.
pub(super) type OldLog = Mutex<Option<Arc<RunLog>>>;

/// The logs by run id, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct OldLogs(Mutex<VecDeque<(String, Arc<OldLog>)>>);

impl OldLogs {
    /// Returns the entry of a run, a new one if there is none, and evicts the least recently used.
    pub fn entry(&self, run_id: &str) -> Arc<OldLog> {
        let mut logs = self.0.lock();
        let known = logs.iter().position(|(id, _)| id == run_id);
        let known = known.and_then(|index| logs.remove(index));
        let (id, log) = known.unwrap_or_else(|| (run_id.to_owned(), Arc::default()));
        logs.push_back((id, Arc::clone(&log)));
        if logs.len() > OPEN_MAX {
            logs.pop_front();
        }
        log
    }

    /// Keeps the log of a run that another run replaces.
    pub fn insert(&self, run_id: &str, log: &Arc<RunLog>) {
        let entry = self.entry(run_id);
        *entry.lock() = Some(Arc::clone(log));
    }
}
