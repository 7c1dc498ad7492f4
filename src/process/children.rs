//! The registry of our children: leaders, which belong to whoever launched them, and orphans.

use super::child::{PendingChild, PendingPid};
use super::leader::Leader;
use super::outcome::Outcome;
use super::pidfd::open_pidfd;
use super::procfs::{ProcessInfo, Procfs};
use super::signal::Signal;
use crate::catch_panic::catch_panic;
use crate::syscall::retry;
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::process::{WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Number of pids of leaders from which on those that nobody needs any more are dropped.
const LATEST_MIN: usize = 1024;

/// What is known of our children, shared by the reaper and the threads that spawn.
#[derive(Debug)]
pub(super) struct ChildRegistry {
    procfs: Procfs,
    children: Mutex<Children>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Children {
    /// Leaders that were not collected yet: their status belongs to whoever launched them.
    leaders: BTreeSet<Pid>,
    /// By the pid of a leader, whether the last leader of that pid is still the last.
    latest: HashMap<Pid, Weak<AtomicBool>>,
    /// The threads that spawn, by their numbers under /proc, with the child that each is making.
    spawners: Vec<(i32, Arc<PendingChild>)>,
    /// Leaders that have ended and whose status a debugger holds.
    held: Vec<HeldLeader>,
    /// Number of times that something about our children may have changed.
    changes: u64,
}

/// A leader that has ended and whose status the kernel still keeps from us.
///
/// A process that is traced is first a zombie of its tracer (strace, gdb). Only when that has taken
/// note of the end, or has gone itself, can we collect the status; SIGCHLD comes then.
struct HeldLeader {
    leader: Arc<Leader>,
    then: Box<dyn FnOnce(Outcome) + Send>,
}

impl fmt::Debug for HeldLeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldLeader").field(&self.leader.pid()).finish()
    }
}

impl ChildRegistry {
    /// Creates an empty registry.
    pub fn new(procfs: Procfs) -> Self {
        Self { procfs, children: Mutex::default(), changed: Condvar::new() }
    }

    /// Returns the view of /proc that the children are looked up in.
    pub fn procfs(&self) -> Procfs {
        self.procfs
    }

    fn lock(&self) -> MutexGuard<'_, Children> {
        self.children.lock()
    }

    /// Adds a thread that spawns, whose children are watched from now on. Returns false if there
    /// are `max` of them already.
    pub fn add_spawner(&self, thread: i32, pending: &Arc<PendingChild>, max: usize) -> bool {
        let mut children = self.lock();
        let has_capacity = children.spawners.len() < max;
        if has_capacity {
            children.spawners.push((thread, Arc::clone(pending)));
        }
        has_capacity
    }

    /// Removes a thread that has ended.
    pub fn remove_spawner(&self, thread: i32) {
        self.lock().spawners.retain(|(spawner, _)| *spawner != thread);
    }

    /// Announces that a child is about to be made, which must not be taken for an orphan.
    pub fn begin_child(&self, pending: &PendingChild) {
        let _children = self.lock();
        pending.begin();
    }

    /// Adds the child that was made, if one was, as a leader.
    pub fn end_child(&self, pending: &PendingChild, pid: Option<Pid>) -> Arc<AtomicBool> {
        let mut children = self.lock();
        pending.end();
        pid.map(|pid| children.add_leader(pid)).unwrap_or_default()
    }

    /// Leaves a child to whoever collects it first.
    pub fn forget_leader(&self, pid: Pid) {
        self.lock().leaders.remove(&pid);
    }

    /// Sends SIGKILL to a child that has not been executed yet.
    pub fn kill_pending(&self, pending: &PendingChild) {
        // While the registry is locked nobody collects it, so that its pid is its own.
        let _children = self.lock();
        if let PendingPid::Known(pid) = pending.pid()
            && let Ok(pidfd) = open_pidfd(Pid::from_raw(pid))
        {
            // It fails only if the child has ended.
            let _ended = pidfd_send_signal(&pidfd, Signal::KILL.raw());
        }
    }

    /// Collects a leader that has ended. `None` while it runs, and while a debugger holds its
    /// status. Does not block.
    pub fn collect(&self, leader: &Leader) -> Option<Outcome> {
        self.lock().collect(leader)
    }

    /// Collects a leader, or leaves it to the reaper if it has not ended.
    pub fn collect_or_leave(&self, leader: &Leader) -> Option<Outcome> {
        let mut children = self.lock();
        let outcome = children.collect(leader);
        children.leaders.remove(&leader.process());
        outcome
    }

    /// Collects a leader that has ended and calls `then` with its status: now if that is
    /// available, else on the reaper's thread as soon as it is. Does not block.
    pub fn collect_when_released(
        &self,
        leader: &Arc<Leader>,
        then: Box<dyn FnOnce(Outcome) + Send>,
    ) {
        let mut children = self.lock();
        if let Some(outcome) = children.collect(leader) {
            drop(children);
            return then(outcome);
        }
        // The registry is still locked: the reaper sees whatever changes after this.
        children.held.push(HeldLeader { leader: Arc::clone(leader), then });
        drop(children);
        log::warn!("process {} ended, but a debugger holds its exit status", leader.pid());
    }

    /// Whether a leader has ended and a debugger holds its status.
    pub fn is_status_held(&self, leader: &Leader) -> bool {
        self.lock().held.iter().any(|held| held.leader.pid() == leader.pid())
    }

    /// Returns the number of times that something about our children may have changed.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Blocks until something about our children may have changed since `seen`, or until
    /// `deadline`.
    pub fn wait_for_change(&self, seen: u64, deadline: Instant) {
        let unchanged = |children: &mut Children| children.changes == seen;
        self.changed.wait_while_until(&mut self.lock(), unchanged, deadline);
    }

    /// Wakes everybody in `wait_for_change`.
    pub fn announce_change(&self) {
        self.lock().changes += 1;
        self.changed.notify_all();
    }

    /// Collects the orphans that are dead and returns those that live; `None` if /proc shows
    /// nothing. Repeats until none is dead, because a death hands us more of them. The registry is
    /// locked meanwhile, so that nobody else collects one.
    pub fn reap(&self) -> Option<Vec<ProcessInfo>> {
        let children = self.lock();
        loop {
            let orphans = self.orphans(&children)?;
            let dead = orphans.iter().filter(|s| s.state == 'Z').filter(|s| collect_orphan(s.pid));
            if dead.count() == 0 {
                return Some(orphans);
            }
        }
    }

    /// Collects the leaders whose debugger has released their status, and reports it.
    pub fn collect_released(&self) {
        let mut released = Vec::new();
        let mut children = self.lock();
        for held in std::mem::take(&mut children.held) {
            match children.collect(&held.leader) {
                Some(outcome) => released.push((held, outcome)),
                None => children.held.push(held),
            }
        }
        drop(children);
        for (held, outcome) in released {
            let _panicked = catch_panic("The end of a run", || (held.then)(outcome));
        }
    }

    /// Returns our children that are neither leaders nor pending: those whose parent died, and
    /// those that were made as siblings of a leader (`CLONE_PARENT`). `None` if /proc shows
    /// nothing.
    fn orphans(&self, children: &Children) -> Option<Vec<ProcessInfo>> {
        let (mut numbers, mut pending) = (Vec::new(), Vec::new());
        for (thread, making) in &children.spawners {
            let listed = self.procfs.children_of_thread(*thread);
            // Read after the list, which does not have what is made from here on.
            match making.pid() {
                PendingPid::None => {}
                PendingPid::Known(pid) => pending.push(Pid::from_raw(pid)),
                // It is one of those listed, for some instructions only.
                PendingPid::Unknown => continue,
            }
            numbers.extend(listed);
        }
        // The main thread's come last: the children of a thread that ends become its own.
        numbers.extend(self.procfs.orphans()?);
        let is_known = |pid: &Pid| children.leaders.contains(pid) || pending.contains(pid);
        if !self.procfs.is_foreign() {
            // Pids and numbers are the same, so that a thousand leaders need not be read.
            numbers.retain(|number| !is_known(&Pid::from_raw(*number)));
        }
        let processes = numbers.into_iter().filter_map(|number| self.procfs.read(number));
        Some(processes.filter(|process| !is_known(&process.pid)).collect())
    }

    /// Returns the number of leaders that were not collected yet.
    #[cfg(test)]
    pub fn leaders_count(&self) -> usize {
        self.lock().leaders.len()
    }
}

impl Children {
    fn collect(&mut self, leader: &Leader) -> Option<Outcome> {
        let outcome = leader.collect()?;
        self.leaders.remove(&leader.process());
        Some(outcome)
    }

    /// Adds a new leader. An earlier one of the same pid is not the latest any more.
    fn add_leader(&mut self, pid: Pid) -> Arc<AtomicBool> {
        let is_latest = Arc::new(AtomicBool::new(true));
        self.leaders.insert(pid);
        let before = self.latest.insert(pid, Arc::downgrade(&is_latest));
        if let Some(before) = before.and_then(|before| before.upgrade()) {
            before.store(false, Ordering::SeqCst);
        }
        if self.latest.len() >= LATEST_MIN && self.latest.len() >= self.latest.capacity() {
            self.latest.retain(|_, it| it.strong_count() > 0);
        }
        is_latest
    }
}

/// Collects one dead child; returns false if it was not there to be collected.
fn collect_orphan(pid: Pid) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid.as_raw()) else { return false };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    matches!(retry(|| waitid(WaitId::Pid(pid), options)), Ok(Some(_)))
}
