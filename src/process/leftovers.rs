//! What a server that was killed left behind: found again, and ended.

use super::mark::{Mark, Marks};
use super::procfs::{ProcessInfo, Procfs};
use super::signal::Signal;
use super::syscall::{open_pidfd, retry};
use super::tree::{living_children, recheck, send_signal};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A run whose processes may have outlived the server that started it.
#[derive(Clone, Debug)]
pub struct StrayRun {
    /// Its id, which is the mark of what it started.
    pub run_id: String,
    /// The number of its own process.
    pub pid: i32,
    /// When that process started, in clock ticks since the boot.
    pub start_ticks: u64,
    /// The boot that both belong to: of another boot nothing lives.
    pub boot_id: String,
}

/// The present boot's id; empty where the kernel does not tell. Read once.
#[must_use]
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    })
}

/// Sends SIGKILL to all that is left of these runs: their own processes, what carries their id,
/// and what descends from either. Blocks until that is gone, or for `within`. Gives how many
/// processes were ended. A stranger's process is never touched: a number counts only together
/// with its start and its boot.
#[must_use]
pub fn end_strays(runs: &[StrayRun], within: Duration) -> usize {
    let (procfs, boot, deadline) = (Procfs::detect(), boot_id(), Instant::now() + within);
    let runs: Vec<&StrayRun> = runs.iter().filter(|run| run.boot_id == boot).collect();
    let mut ended = BTreeSet::new();
    while !runs.is_empty() && Instant::now() < deadline {
        // All get the signal before any is waited for.
        let mut dying = Vec::new();
        for stray in find(procfs, &runs) {
            if let Some(pidfd) = kill(procfs, stray) {
                ended.insert((stray.number, stray.start_ticks));
                dying.push(pidfd);
            }
        }
        // Nothing is left, or nothing that can be ended.
        if dying.is_empty() {
            break;
        }
        for pidfd in &dying {
            wait_for_end(pidfd, deadline);
        }
    }
    ended.len()
}

fn find(procfs: Procfs, runs: &[&StrayRun]) -> Vec<ProcessInfo> {
    let ids: HashSet<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    let limits: HashSet<u64> = runs.iter().map(|run| Mark::of(&run.run_id).limit()).collect();
    let leaders: HashSet<(i32, u64)> = runs.iter().map(|run| (run.pid, run.start_ticks)).collect();
    let is_stray = |seen: &ProcessInfo| {
        let is_marked = || Marks::read(seen.number).has_any(&ids, &limits);
        seen.state != 'Z'
            && (leaders.contains(&(seen.pid.as_raw(), seen.start_ticks)) || is_marked())
    };
    let mut strays: Vec<ProcessInfo> = procfs.all().into_iter().filter(is_stray).collect();
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

/// Sends SIGKILL; gives what tells of the end, where the signal could be sent.
fn kill(procfs: Procfs, stray: ProcessInfo) -> Option<OwnedFd> {
    let pidfd = open_pidfd(stray.pid).ok()?;
    recheck(procfs, stray)?;
    send_signal(procfs, stray, Signal::KILL).ok().map(|()| pidfd)
}

/// Waits for an end: it is not our child, so nobody tells us but its pidfd.
fn wait_for_end(pidfd: &OwnedFd, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    let mut watched = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    // One that does not end in time is found again by the caller's next look.
    let _ended = retry(|| poll(&mut watched, timeout));
}
