//! The thread that collects what died, and the register of leaders that it must leave alone.

use super::launch::{Launch, Spawned};
use super::leader::{Leader, open_pidfd, retry};
use super::outcome::Outcome;
use super::procfs::{Procfs, Seen};
use super::signal::Signal;
use super::spawner::{Spawners, Unborn, UnbornPid};
use super::stdin::Stdin;
use super::waiting::Waiting;
use crate::catch_panic::catch_panic;
use crate::error::{Error, Result};
use nix::libc;
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::process::{WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use signal_hook::SigId;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A command that was just launched.
#[derive(Debug)]
pub struct Launched {
    /// Its own process.
    pub leader: Leader,
    /// What to read.
    pub descriptors: Descriptors,
    /// Where its input is written to, if it has any.
    pub stdin: Option<Stdin>,
}

/// From how many numbers of leaders on those that nobody needs any more are dropped.
const LATEST_MIN: usize = 1024;

/// What whoever captures a command's output has to watch.
#[derive(Debug)]
pub struct Descriptors {
    /// The reading end of the pipe that its stdout and stderr go into.
    pub output: OwnedFd,
    /// Readable when its own process has ended.
    pub end: Arc<OwnedFd>,
    /// The command's side of its terminal, where it has one, to be held until its own process has
    /// ended: a terminal whose other side nobody has open is over, although the command may open
    /// it again as /dev/tty.
    pub terminal: Option<OwnedFd>,
}

/// What the reaper knows of our children.
#[derive(Debug, Default)]
pub(super) struct Children {
    /// Leaders that were not collected yet: their status belongs to whoever launched them.
    leaders: BTreeSet<Pid>,
    /// By the number of a leader, whether the last one of that number is the last one still.
    latest: HashMap<Pid, Weak<AtomicBool>>,
    /// The threads that make children, by their numbers under /proc, with what each is making.
    pub makers: Vec<(i32, Arc<Unborn>)>,
    /// Leaders that have ended and whose status a debugger holds.
    pub waiting: Vec<Waiting>,
    /// Counts the times that something about our children may have changed.
    changes: u64,
}

/// What the reaper shares with the threads that make children.
#[derive(Debug)]
pub(super) struct Shared {
    procfs: Procfs,
    children: Mutex<Children>,
    changed: Condvar,
    pub spawners: Spawners,
}

/// Owner of the thread `reaper`: woken by SIGCHLD, it collects every orphan that came to us and
/// died, one by one and by pid, and leaves leaders to their managers. One in a process.
#[derive(Debug)]
pub struct Reaper {
    shared: Arc<Shared>,
    /// The children that were there before us, by number and start.
    before: Vec<(i32, u64)>,
    handler: SigId,
    thread: Option<JoinHandle<()>>,
}

impl Reaper {
    /// Starts the thread.
    ///
    /// # Errors
    /// `Kernel` when a descriptor or a thread cannot be had.
    pub fn start() -> Result<Self> {
        let (deaths, signals) = io::pipe().map_err(|e| Error::kernel("make a pipe", e))?;
        let handler = signal_hook::low_level::pipe::register(libc::SIGCHLD, signals)
            .map_err(|e| Error::kernel("watch for SIGCHLD", e))?;
        let children = Mutex::new(Children::default());
        let (procfs, changed, spawners) = (Procfs::look(), Condvar::new(), Spawners::default());
        let shared = Arc::new(Shared { procfs, children, changed, spawners });
        let before = procfs.orphans().unwrap_or_default().into_iter();
        let before = before.filter_map(|number| procfs.see(number));
        let before = before.map(|seen| (seen.number, seen.start_ticks)).collect();
        shared.start_spawner()?;
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("reaper".into())
            .stack_size(128 * 1024)
            .spawn(move || for_thread.reap_until_closed(deaths))
            .map_err(|e| Error::kernel("start the reaper", e))?;
        Ok(Self { shared, before, handler, thread: Some(thread) })
    }

    /// Launches a command. Blocks until it was executed, about a millisecond; where its file
    /// system hangs, until `is_given_up`, which is asked twenty times a second then.
    ///
    /// # Errors
    /// `Directory`, `SpawnShell` or `SpawnProgram` when it cannot be run, `Kernel` when the machine
    /// or a limit has none to give, on Linux before 5.4, when it could not be seen in /proc, or
    /// when it was given up.
    pub fn launch(&self, launch: Launch, is_given_up: &dyn Fn() -> bool) -> Result<Launched> {
        if self.shared.procfs.orphans().is_none() {
            // What nobody can see, nobody could end.
            return Err(Error::kernel("look into /proc (mount it)", io::ErrorKind::NotFound));
        }
        let Spawned { born, output, stdin, terminal } = self.shared.spawn(launch, is_given_up)?;
        let leader = Leader::new(born, self.shared.procfs);
        let descriptors = Descriptors { output, end: leader.end_descriptor(), terminal };
        Ok(Launched { leader, descriptors, stdin })
    }

    /// Collects a leader that has ended. `None` while it runs, and while a debugger holds its
    /// status. Does not block.
    #[must_use]
    pub fn collect(&self, leader: &Leader) -> Option<Outcome> {
        self.shared.lock().collect(leader)
    }

    /// Collects a leader, or leaves that to the reaper where it has not ended: nobody else will.
    #[must_use]
    pub fn collect_or_leave(&self, leader: &Leader) -> Option<Outcome> {
        let mut children = self.shared.lock();
        let outcome = children.collect(leader);
        children.leaders.remove(&leader.process());
        outcome
    }

    /// How often something about our children may have changed, for `wait_for_change`.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.shared.lock().changes
    }

    /// Blocks until something about our children may have changed since `seen`, or until
    /// `deadline`.
    pub fn wait_for_change(&self, seen: u64, deadline: Instant) {
        let unchanged = |children: &mut Children| children.changes == seen;
        self.shared.changed.wait_while_until(&mut self.shared.lock(), unchanged, deadline);
    }

    /// Wakes everybody in `wait_for_change`: what they wait for may have come about.
    pub fn announce_change(&self) {
        self.shared.lock().changes += 1;
        self.shared.changed.notify_all();
    }

    /// Collects the orphans that are dead, then gives those that live; `None` where nobody can
    /// know.
    pub(super) fn living_orphans(&self) -> Option<Vec<Seen>> {
        self.shared.reap(&mut self.shared.lock())
    }

    pub(super) fn procfs(&self) -> Procfs {
        self.shared.procfs
    }

    /// Whether a process was our child already when we began.
    pub(super) fn was_there_before(&self, seen: Seen) -> bool {
        self.before.contains(&(seen.number, seen.start_ticks))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How many leaders were not collected yet.
    #[cfg(test)]
    pub(super) fn leaders_count(&self) -> usize {
        self.shared.lock().leaders.len()
    }
}

impl Children {
    pub(super) fn collect(&mut self, leader: &Leader) -> Option<Outcome> {
        let outcome = leader.collect()?;
        self.leaders.remove(&leader.process());
        Some(outcome)
    }

    /// Enters a new leader. One of the same number before it is not the latest any more.
    fn enter(&mut self, pid: Pid) -> Arc<AtomicBool> {
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

impl Drop for Reaper {
    fn drop(&mut self) {
        // The handler has the only writing end of the pipe, so this ends the thread's read.
        signal_hook::low_level::unregister(self.handler);
        if let Some(thread) = self.thread.take() {
            // A reaper that panicked has already said so on stderr.
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Children> {
        self.children.lock()
    }

    pub fn procfs(&self) -> Procfs {
        self.procfs
    }

    /// Says that a child is about to be made, which nobody must take for an orphan.
    pub fn begin_child(&self, unborn: &Unborn) {
        let _children = self.lock();
        unborn.begin();
    }

    /// Enters the child that was made, if one was, as a leader.
    pub fn end_child(&self, unborn: &Unborn, pid: Option<Pid>) -> Arc<AtomicBool> {
        let mut children = self.lock();
        unborn.end();
        pid.map(|pid| children.enter(pid)).unwrap_or_default()
    }

    /// Leaves a child to whoever collects it first.
    pub fn forget_leader(&self, pid: Pid) {
        self.lock().leaders.remove(&pid);
    }

    /// Sends SIGKILL to a child that has not been executed yet.
    pub fn kill_unborn(&self, unborn: &Unborn) {
        // While the register is locked nobody collects it: its number is its own.
        let _children = self.lock();
        if let UnbornPid::Known(pid) = unborn.pid()
            && let Ok(pidfd) = open_pidfd(Pid::from_raw(pid))
        {
            // It fails only where it has ended.
            let _ended = pidfd_send_signal(&pidfd, Signal::KILL.raw());
        }
    }

    /// Ends a command that was launched too late for whoever wanted it.
    pub fn end_unwanted(&self, spawned: &Spawned) {
        let _ended = pidfd_send_signal(&spawned.born.pidfd, Signal::KILL.raw());
        self.forget_leader(spawned.born.pid);
    }

    fn reap_until_closed(&self, mut deaths: PipeReader) {
        let mut bytes = [0; 64];
        loop {
            match deaths.read(&mut bytes) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
                Ok(_) | Err(_) => {}
            }
            let _panicked = catch_panic("The reaper", || self.reap(&mut self.lock()));
            self.lock().changes += 1;
            self.changed.notify_all();
            self.tell_waiting();
        }
    }

    /// Collects dead orphans until a look finds none, because a death hands us more of them, and
    /// gives the living. The register is locked, so none is collected behind our back.
    fn reap(&self, children: &mut Children) -> Option<Vec<Seen>> {
        loop {
            let orphans = self.orphans(children)?;
            let dead = orphans.iter().filter(|s| s.state == 'Z').filter(|s| collect_orphan(s.pid));
            if dead.count() == 0 {
                return Some(orphans);
            }
        }
    }

    /// Our children that are neither leaders nor about to be: those whose parent died, and those
    /// that were made as siblings of a leader (`CLONE_PARENT`). `None` where nobody can know.
    fn orphans(&self, children: &Children) -> Option<Vec<Seen>> {
        let (mut numbers, mut unborn) = (Vec::new(), Vec::new());
        for (thread, making) in &children.makers {
            let listed = self.procfs.children_of_thread(*thread);
            // Asked for behind the list: what is made since is not in it.
            match making.pid() {
                UnbornPid::None => {}
                UnbornPid::Known(pid) => unborn.push(Pid::from_raw(pid)),
                // It is one of those, for some instructions only.
                UnbornPid::Unknown => continue,
            }
            numbers.extend(listed);
        }
        // The main thread's come last: the children of a thread that ends become its own.
        numbers.extend(self.procfs.orphans()?);
        let is_known = |pid: &Pid| children.leaders.contains(pid) || unborn.contains(pid);
        if !self.procfs.is_foreign() {
            // The same numbers, so that nothing needs to be read of a thousand leaders.
            numbers.retain(|number| !is_known(&Pid::from_raw(*number)));
        }
        let seen = numbers.into_iter().filter_map(|number| self.procfs.see(number));
        Some(seen.filter(|seen| !is_known(&seen.pid)).collect())
    }
}

/// Collects one dead child; false when it was not there to be collected.
fn collect_orphan(pid: Pid) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid.as_raw()) else { return false };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    matches!(retry(|| waitid(WaitId::Pid(pid), options)), Ok(Some(_)))
}
