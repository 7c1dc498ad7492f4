//! Children that belong to no run when the server ends: killed, or at least listed.

use super::procfs::{ProcessInfo, Procfs, name_of};
use super::reaper::Reaper;
use super::signal::Signal;
use super::tree::{LeftBehind, OrphanPolicy, living_children, reason, recheck, send_signal};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Time for the processes to end after SIGTERM, and again after SIGKILL.
const REMAINING_TIMEOUT: Duration = Duration::from_secs(1);

/// Time to wait for a death before checking again, in case /proc left one out.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

impl Reaper {
    /// Ends every process that descends from us, but for those that we had before our start, and
    /// logs it; returns those that could not be ended. Called when all runs were ended: what is
    /// left then could not be attributed to any. If it may have been started by others, because we
    /// had children at our start, it is only listed. Blocks for two seconds at most.
    ///
    /// As PID 1 it does nothing: when we end, the kernel kills all others.
    #[must_use]
    pub fn end_remaining(&self, orphan_policy: OrphanPolicy) -> Vec<LeftBehind> {
        if std::process::id() == 1 {
            return Vec::new();
        }
        let mut named = BTreeSet::new();
        if orphan_policy == OrphanPolicy::Belong {
            for signal in [Signal::TERM, Signal::KILL] {
                self.end_all_by(signal, &mut named);
            }
        }
        let explain = |process: ProcessInfo| {
            let why = match orphan_policy {
                OrphanPolicy::Belong => {
                    reason(process, send_signal(self.procfs(), process, Signal::KILL))
                }
                OrphanPolicy::AreForeign => NOT_OURS,
            };
            LeftBehind { pid: process.pid.as_raw(), why }
        };
        self.remaining().into_iter().map(explain).collect()
    }

    /// Sends a signal once to each process, and waits until all are gone.
    fn end_all_by(&self, signal: Signal, named: &mut BTreeSet<(i32, u64)>) {
        let (mut reached, deadline) = (BTreeSet::new(), Instant::now() + REMAINING_TIMEOUT);
        loop {
            let (changes, all) = (self.changes(), self.remaining());
            for process in all.iter().filter(|it| reached.insert((it.number, it.start_ticks))) {
                if named.insert((process.number, process.start_ticks)) {
                    let (pid, name) = (process.pid, name_of(process.number));
                    log::warn!("ending process {pid} ({name}), which belongs to no run");
                }
                // A process that refuses the signal is reported at the end.
                let _refused = send_signal(self.procfs(), *process, signal);
            }
            let now = Instant::now();
            if all.is_empty() || now >= deadline {
                return;
            }
            self.wait_for_change(changes, deadline.min(now + CHECK_INTERVAL));
        }
    }

    /// Returns all living descendants, parents before children.
    fn remaining(&self) -> Vec<ProcessInfo> {
        let procfs: Procfs = self.procfs();
        let orphans = self.living_orphans().unwrap_or_default();
        let mut all: Vec<ProcessInfo> =
            orphans.into_iter().filter(|orphan| !self.was_there_before(*orphan)).collect();
        let mut next = 0;
        while let Some(parent) = all.get(next).copied() {
            all.extend(living_children(procfs, parent));
            next += 1;
        }
        all.iter()
            .filter_map(|process| recheck(procfs, *process))
            .filter(|it| it.state != 'Z')
            .collect()
    }
}

/// Reason for leaving a process alone.
const NOT_OURS: &str = "it may belong to a program that ran in this process before the server";
