//! Ending of a tree: signal, grace, SIGKILL, until none of it is left.

use super::process_manager::{Inner, ProcessManager};
use super::run::Run;
use crate::process::{LeftBehind, Signal};
use std::mem;
use std::time::{Duration, Instant};

/// Time for a process to be gone after SIGKILL before it is reported as left behind.
const FORCE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to wait for a death before checking again while processes are being killed. Deaths wake us,
/// so this is for one that /proc left out because the list changed while it was read.
const FORCE_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The counters of changes at one check.
#[derive(Clone, Copy)]
struct Progress {
    changes: u64,
    deaths: u64,
}

impl ProcessManager {
    /// Ends the tree of a run whose ending the caller has claimed. Blocks until it is gone and its
    /// end is recorded, at most the grace and `FORCE_TIMEOUT`; returns what could not be ended.
    pub(super) fn drive_ending(&self, run: &Run, first: Signal) -> Vec<LeftBehind> {
        let mut is_signal_due = first != Signal::KILL;
        loop {
            let seen = self.progress();
            if self.is_over(run) {
                return Vec::new();
            }
            if mem::take(&mut is_signal_due) {
                run.tree.terminate(&self.reaper, first);
                if run.session.is_some() {
                    // Interactive shells ignore SIGTERM. It fails only if the shell has ended.
                    let _ended = run.tree.signal_leader(Signal::HANGUP);
                }
            }
            // Read each time: a kill that joins brings it forward, and wakes us.
            let now = Instant::now();
            let force_at = self.inner().state.force_at(now);
            if force_at <= now {
                return self.force(run, now + FORCE_TIMEOUT);
            }
            self.wait_for_progress(run, seen, force_at);
        }
    }

    /// Whether the run's end is recorded and none of its processes lives.
    pub(super) fn is_over(&self, run: &Run) -> bool {
        run.end.get().is_some() && run.tree.is_gone(&self.reaper)
    }

    fn force(&self, run: &Run, deadline: Instant) -> Vec<LeftBehind> {
        loop {
            let seen = self.progress();
            if self.is_over(run) {
                return Vec::new();
            }
            let mut left = run.tree.left_behind(&self.reaper);
            if left.is_empty() && self.reaper.is_status_held(&run.leader) {
                left.push(run.tree.held_by_debugger());
            }
            let now = Instant::now();
            if now >= deadline {
                return left;
            }
            self.wait_for_progress(run, seen, deadline.min(now + FORCE_CHECK_INTERVAL));
        }
    }

    /// Returns the counters for `wait_for_progress`, to be read before a check.
    fn progress(&self) -> Progress {
        Progress { changes: self.inner().changes, deaths: self.reaper.changes() }
    }

    /// Waits until there may be news since `seen`: of the run's own process, while that lives, and
    /// then of its orphans; or until `until`. Ends of other runs do not wake those who wait for the
    /// first, or a thousand services that are stopped at once would each be checked a thousand
    /// times.
    fn wait_for_progress(&self, run: &Run, seen: Progress, until: Instant) {
        if run.end.get().is_some() {
            return self.reaper.wait_for_change(seen.deaths, until);
        }
        let unchanged = |inner: &mut Inner| inner.changes == seen.changes;
        self.changed.wait_while_until(&mut self.inner(), unchanged, until);
    }
}
