//! Timeout of a run.

use super::process_manager::{Ending, ProcessManager};
use super::run::Run;
use crate::process::Signal;
use crate::protocol::EndedBy;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

impl ProcessManager {
    /// Ends a run when it has lived for `timeout`, on a thread of its own, `timeout`, which ends
    /// with the run.
    pub(super) fn end_after(self: &Arc<Self>, run: &Arc<Run>, timeout: Duration) {
        let (manager, timed) = (Arc::clone(self), Arc::clone(run));
        let thread = thread::Builder::new().name("timeout".into()).stack_size(128 * 1024);
        let spawned = thread.spawn(move || {
            if manager.outlives(&timed, Instant::now() + timeout) {
                manager.end_in_time(&timed);
            }
        });
        if let Err(error) = spawned {
            log::error!("no thread to enforce the timeout of run {}: {error}", run.id);
        }
    }

    /// Waits for the end of a run, until `deadline`. Returns whether it still lives then.
    fn outlives(&self, run: &Run, deadline: Instant) -> bool {
        let lives = |_: &mut _| run.end.get().is_none();
        self.changed.wait_while_until(&mut self.inner(), lives, deadline);
        run.end.get().is_none()
    }

    fn end_in_time(&self, run: &Run) {
        let grace = self.config.kill_grace;
        let ending = Ending { by: EndedBy::Timeout, signal: Signal::TERM, grace };
        // If it has ended meanwhile there is nothing to do, and another run is left alone.
        if let Err(nothing_to_end) = self.end_run(ending, Some(&run.id)) {
            log::debug!("{nothing_to_end}");
        }
    }
}
