//! Ending a tree: signal, grace, SIGKILL, until nothing of it is left.

use super::process_manager::ProcessManager;
use super::run::Run;
use crate::process::{EndSignal, LeftBehind};
use std::time::{Duration, Instant};

/// How long what got SIGKILL may take to be gone before it is named as left behind.
const FORCE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a death before looking again while processes are being killed. Deaths wake
/// us, so this is for the one that /proc left out because the list changed while it was read.
const FORCE_LOOK_INTERVAL: Duration = Duration::from_millis(20);

impl ProcessManager {
    /// Ends the tree of a run whose ending the caller has claimed. Blocks until it is gone and its
    /// end is recorded, at most the grace and `FORCE_TIMEOUT`; gives what could not be ended.
    pub(super) fn drive_ending(&self, run: &Run, first: EndSignal) -> Vec<LeftBehind> {
        if first == EndSignal::Terminate && !self.is_over(run) {
            run.tree.signal(&self.reaper, first);
        }
        loop {
            let seen = self.reaper.changes();
            if self.is_over(run) {
                return Vec::new();
            }
            // Read each time: a kill that joins brings it forward, and wakes us.
            let now = Instant::now();
            let force_at = self.inner().state.force_at(now);
            if force_at <= now {
                return self.force(run, now + FORCE_TIMEOUT);
            }
            self.reaper.wait_for_change(seen, force_at);
        }
    }

    /// Whether the run's end is recorded and nothing of its tree lives.
    pub(super) fn is_over(&self, run: &Run) -> bool {
        run.end.get().is_some() && run.tree.is_gone(&self.reaper)
    }

    fn force(&self, run: &Run, deadline: Instant) -> Vec<LeftBehind> {
        loop {
            let seen = self.reaper.changes();
            if self.is_over(run) {
                return Vec::new();
            }
            let left = run.tree.left_behind(&self.reaper);
            let now = Instant::now();
            if now >= deadline {
                return left;
            }
            self.reaper.wait_for_change(seen, deadline.min(now + FORCE_LOOK_INTERVAL));
        }
    }
}
