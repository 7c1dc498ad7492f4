//! Processes that outlived a killed server: found again, and killed.

use super::mark::{Mark, Marks};
use super::pidfd::{open_pidfd, wait_for_end};
use super::procfs::{ProcessInfo, Procfs};
use super::signal::Signal;
use super::tree::{living_children, recheck, send_signal};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A run whose processes may have outlived the server that started it.
#[derive(Clone, Debug)]
pub struct StrayRun {
    /// The run's id, which is the mark of its processes.
    pub run_id: String,
    /// Pid and start time (in clock ticks since boot) of its leader, if it is known.
    pub leader: Option<(i32, u64)>,
    /// Id of the boot that the leader belongs to: nothing survives a reboot.
    pub boot_id: String,
}

/// Returns the id of the present boot; empty if the kernel has none. Read once.
#[must_use]
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    })
}

/// Sends SIGKILL to all that is left of these runs: their leaders, the processes with their mark,
/// and the descendants of either. So it does to the processes with the mark `owner`, the id of the
/// log directory: a run is in no ledger if the disk was full. Blocks until all of them are gone, or
/// for `within`. Returns the number of killed processes.
///
/// No other program is hit: a pid counts only together with its start time and its boot. This
/// process and its ancestors are spared: a run may have started them.
#[must_use]
pub fn end_strays(runs: &[StrayRun], owner: &str, within: Duration) -> usize {
    let (procfs, boot, deadline) = (Procfs::detect(), boot_id(), Instant::now() + within);
    let runs: Vec<&StrayRun> = runs.iter().filter(|run| run.boot_id == boot).collect();
    let mut ended = BTreeSet::new();
    while Instant::now() < deadline {
        // All get the signal before the first is awaited.
        let mut dying = Vec::new();
        for stray in find(procfs, &runs, owner) {
            if let Some(pidfd) = kill(procfs, stray) {
                ended.insert((stray.number, stray.start_ticks));
                dying.push(pidfd);
            }
        }
        // Nothing is left, or nothing that can be killed.
        if dying.is_empty() {
            break;
        }
        for pidfd in &dying {
            wait_for_end(pidfd, deadline);
        }
    }
    ended.len()
}

fn find(procfs: Procfs, runs: &[&StrayRun], owner: &str) -> Vec<ProcessInfo> {
    let ids = runs.iter().map(|run| run.run_id.as_str());
    let ids: HashSet<&str> = ids.chain([owner]).collect();
    let limits: HashSet<u64> = runs.iter().map(|run| Mark::of(&run.run_id).limit()).collect();
    let leaders: HashSet<(i32, u64)> = runs.iter().filter_map(|run| run.leader).collect();
    let is_stray = |process: &ProcessInfo| {
        let is_marked = || Marks::read(process.number).has_any(&ids, &limits);
        process.state != 'Z'
            && (leaders.contains(&(process.pid.as_raw(), process.start_ticks)) || is_marked())
    };
    let all = procfs.all();
    let own = own_line(&all);
    let mut strays: Vec<ProcessInfo> =
        all.into_iter().filter(|seen| !own.contains(&seen.number) && is_stray(seen)).collect();
    let mut next = 0;
    while let Some(parent) = strays.get(next).copied() {
        let children = living_children(procfs, parent).into_iter();
        let new: Vec<ProcessInfo> = children
            .filter(|child| child.state != 'Z')
            .filter(|child| strays.iter().all(|stray| stray.number != child.number))
            .collect();
        strays.extend(new);
        next += 1;
    }
    strays
}

/// Returns the numbers of this process and of those that it descends from.
fn own_line(all: &[ProcessInfo]) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut line = Vec::new();
    let mut next = all.iter().find(|seen| seen.pid.as_raw() == own);
    while let Some(seen) = next.filter(|seen| !line.contains(&seen.number)) {
        line.push(seen.number);
        next = all.iter().find(|parent| parent.number == seen.parent);
    }
    line
}

/// Sends SIGKILL; returns a pidfd to await the end by, if the signal was sent.
fn kill(procfs: Procfs, stray: ProcessInfo) -> Option<OwnedFd> {
    let pidfd = open_pidfd(stray.pid).ok()?;
    recheck(procfs, stray)?;
    send_signal(procfs, stray, Signal::KILL).ok().map(|()| pidfd)
}
