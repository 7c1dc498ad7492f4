//! Requests to the log writer to write to disk what a run has printed so far.

use super::disk::STALL;
use super::run_log::RunLog;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Instant;

/// A request to the log writer, which is done when it is dropped: also if the writer panics, or
/// ends first.
pub struct Flush {
    /// The log of the run.
    pub log: Arc<RunLog>,
    done: Arc<Done>,
}

/// The waiting side of a request.
pub struct PendingFlush(Arc<Done>);

#[derive(Default)]
struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl Flush {
    /// Creates a request for the log of a run, and what waits for it.
    pub fn new(log: &Arc<RunLog>) -> (Self, PendingFlush) {
        let done = Arc::<Done>::default();
        (Self { log: Arc::clone(log), done: Arc::clone(&done) }, PendingFlush(done))
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        *self.done.is_done.lock() = true;
        self.done.changed.notify_all();
    }
}

impl PendingFlush {
    /// Waits until it is done. Returns false at `deadline`, and as soon as `is_stalled` returns
    /// true, which is called four times a second.
    pub fn wait(&self, deadline: Instant, is_stalled: impl Fn() -> bool) -> bool {
        let mut is_done = self.0.is_done.lock();
        while !*is_done {
            let now = Instant::now();
            if now >= deadline || is_stalled() {
                return false;
            }
            self.0.changed.wait_until(&mut is_done, deadline.min(now + STALL));
        }
        true
    }
}
