//! The only reader of /proc/PID: parents, children, and facts of each process.
//!
//! Each kind of file is opened and parsed in one place, where its format is described; proc(5) has
//! all of them. `number` always is a process's number under /proc, which differs from its pid if
//! /proc belongs to another pid namespace.

mod cgroup;
mod descriptors;
mod environ;
mod limits;
mod names;
mod stat;
mod status;

pub(super) use cgroup::{cgroup_path, own_cgroup_directory};
pub(super) use descriptors::{network_inodes, open_sockets, own_descriptors};
pub(super) use environ::environment_value;
pub(super) use limits::realtime_timeout;
pub use names::command_of;
pub(super) use names::name_of;
pub(super) use stat::{is_ending, is_only_forked};
pub(super) use status::is_ignored;

use super::sampler::{PARALLEL_MIN, parallel_map};
use nix::unistd::{Pid, getpid};
use stat::Stat;
use status::namespaced_numbers;
use std::{fs, io};

/// The entry of a process in /proc at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessInfo {
    /// Its pid in our own pid namespace: the one that system calls take.
    pub pid: Pid,
    /// Its number under /proc, which differs if /proc belongs to another pid namespace.
    pub number: i32,
    /// State letter of proc(5): `R`, `S`, `D`, `T`, `Z` … `Z` only if all its threads are dead: a
    /// process whose main thread alone has ended counts as sleeping.
    pub state: char,
    /// Its parent, as a number under /proc.
    pub parent: i32,
    /// Its session, as a number under /proc.
    pub session: i32,
    /// Number of threads.
    pub threads: u32,
    /// Start time in clock ticks since boot. With the pid it identifies the process for ever.
    pub start_ticks: u64,
}

/// /proc, as seen from this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Procfs {
    own_number: i32,
    /// Index of our namespace among the numbers of an `NSpid` line; `None` if /proc belongs to our
    /// own namespace and nothing needs to be translated.
    depth: Option<usize>,
}

impl Procfs {
    /// Detects whose namespace /proc belongs to. A process started by `unshare --pid` without a
    /// /proc of its own sees the numbers of the parent namespace.
    pub fn detect() -> Self {
        let own = getpid().as_raw();
        let link = fs::read_link("/proc/self").ok();
        let shown = link.and_then(|link| link.to_str()?.parse().ok()).unwrap_or(own);
        let depth = (shown != own).then(|| namespaced_numbers(shown).len().saturating_sub(1));
        Self { own_number: shown, depth }
    }

    /// Whether /proc belongs to another namespace.
    pub fn is_foreign(self) -> bool {
        self.depth.is_some()
    }

    /// Returns the children of our main thread: the processes that became ours when their parent
    /// died, because the kernel prefers that thread. An empty answer is exact: the kernel lists the
    /// first child under its lock. `None` if /proc shows nothing at all, as when another file
    /// system is mounted over it.
    pub fn orphans(self) -> Option<Vec<i32>> {
        match read_children(self.own_number, self.own_number) {
            // A kernel without such lists has none, although /proc shows us.
            None => self.read(self.own_number).map(|_| Vec::new()),
            listed => listed,
        }
    }

    /// Returns the children of one of our other threads.
    pub fn children_of_thread(self, thread: i32) -> Vec<i32> {
        children_of_thread(self.own_number, thread)
    }

    /// Returns the numbers of a process's children. One that comes or goes meanwhile may be
    /// missing, so whoever needs all of them repeats this until nothing is new.
    pub fn children(number: i32) -> Vec<i32> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{number}/task")) else { return Vec::new() };
        let threads = tasks.filter_map(|t| t.ok()?.file_name().to_str()?.parse::<i32>().ok());
        threads.flat_map(|thread| children_of_thread(number, thread)).collect()
    }

    /// Returns our own number under /proc.
    pub fn own_number(self) -> i32 {
        self.own_number
    }

    /// Returns every process in /proc.
    pub fn all(self) -> Vec<ProcessInfo> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let numbers = entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let numbers: Vec<i32> = numbers.collect();
        let processes = parallel_map(numbers.chunks(PARALLEL_MIN), |numbers| {
            numbers.iter().filter_map(|number| self.read(*number)).collect::<Vec<ProcessInfo>>()
        });
        processes.concat()
    }

    /// Reads one process; `None` once it is reaped.
    pub fn read(self, number: i32) -> Option<ProcessInfo> {
        let Stat { state, parent, session, flags: _, threads, start_ticks } = Stat::read(number)?;
        let pid = match self.depth {
            None => number,
            Some(depth) => *namespaced_numbers(number).get(depth)?,
        };
        let pid = Pid::from_raw(pid);
        Some(ProcessInfo { pid, number, state, parent, session, threads, start_ticks })
    }

    /// Returns the number under /proc of a child of ours, by its pid.
    pub fn number_of(self, pid: Pid) -> Option<i32> {
        if self.depth.is_none() {
            return Some(pid.as_raw());
        }
        let ours = Self::children(self.own_number);
        ours.into_iter().find(|number| self.read(*number).is_some_and(|process| process.pid == pid))
    }
}

/// Checks that /proc shows this process.
pub(super) fn check_mounted() -> io::Result<()> {
    fs::metadata("/proc/self/task").map(drop)
}

/// Returns the number of the calling thread, from the link /proc/thread-self (`PID/task/TID`).
pub(super) fn own_thread_number() -> Option<i32> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

fn children_of_thread(number: i32, thread: i32) -> Vec<i32> {
    read_children(number, thread).unwrap_or_default()
}

/// Reads /proc/PID/task/TID/children: the numbers of the children of this thread that are not
/// reaped, with a space after each.
fn read_children(number: i32, thread: i32) -> Option<Vec<i32>> {
    let list = fs::read_to_string(format!("/proc/{number}/task/{thread}/children")).ok()?;
    Some(list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_read_with_its_pid() {
        let procfs = Procfs::detect();
        assert_eq!(procfs.read(procfs.own_number).map(|process| process.pid), Some(getpid()));
    }
}
