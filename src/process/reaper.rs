//! The thread that collects what died, and the register of leaders that it must leave alone.

use super::launch::{Launch, Spawned};
use super::leader::{Leader, retry};
use super::outcome::Outcome;
use super::procfs::{Procfs, Seen};
use super::stdin::Stdin;
use crate::error::{Error, Result};
use crate::guarded::guarded;
use nix::libc;
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use signal_hook::SigId;
use std::collections::BTreeSet;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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

/// What whoever captures a command's output has to watch.
#[derive(Debug)]
pub struct Descriptors {
    /// The reading end of the pipe that its stdout and stderr go into.
    pub output: OwnedFd,
    /// Readable when its own process has ended.
    pub end: Arc<OwnedFd>,
}

/// What the reaper knows of our children.
#[derive(Debug, Default)]
struct Children {
    /// Leaders that were not collected yet: their status belongs to whoever launched them.
    leaders: BTreeSet<Pid>,
    /// Counts the times that something about our children may have changed.
    changes: u64,
}

#[derive(Debug)]
struct Shared {
    procfs: Procfs,
    children: Mutex<Children>,
    changed: Condvar,
}

/// Owner of the thread `reaper`: woken by SIGCHLD, it collects every orphan that came to us and
/// died, one by one and by pid, and leaves leaders to their managers. One in a process.
#[derive(Debug)]
pub struct Reaper {
    shared: Arc<Shared>,
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
        let shared = Arc::new(Shared { procfs: Procfs::look(), children, changed: Condvar::new() });
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("reaper".into())
            .stack_size(128 * 1024)
            .spawn(move || for_thread.reap_until_closed(deaths))
            .map_err(|e| Error::kernel("start the reaper", e))?;
        Ok(Self { shared, handler, thread: Some(thread) })
    }

    /// Launches a command. Blocks until it was executed, about a millisecond.
    ///
    /// # Errors
    /// `SpawnShell` or `SpawnProgram` when it cannot be run, `Kernel` when the machine or
    /// a limit has none to give, on Linux before 5.4, or when it could not be seen in /proc.
    pub fn launch(&self, launch: &Launch) -> Result<Launched> {
        if self.shared.procfs.orphans().is_none() {
            // What nobody can see, nobody could end.
            return Err(Error::kernel("look into /proc (mount it)", io::ErrorKind::NotFound));
        }
        // The register is held from before the fork until the leader is in it, so that the reaper
        // cannot mistake one that ends at once for an orphan.
        let mut children = self.shared.lock();
        let spawned = launch.spawn().map_err(|source| launch.failed(source))?;
        let Spawned { born, output, stdin } = spawned;
        children.leaders.insert(born.pid);
        drop(children);
        let leader = Leader::new(born, self.shared.procfs);
        let descriptors = Descriptors { output, end: leader.end_descriptor() };
        Ok(Launched { leader, descriptors, stdin })
    }

    /// Collects a leader that has ended. `None` while it runs. Does not block.
    #[must_use]
    pub fn collect(&self, leader: &Leader) -> Option<Outcome> {
        let mut children = self.shared.lock();
        let outcome = leader.collect()?;
        children.leaders.remove(&leader.process());
        Some(outcome)
    }

    /// How often something about our children may have changed, for `wait_for_change`.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.shared.lock().changes
    }

    /// Blocks until something about our children may have changed since `seen`, or until
    /// `deadline`.
    pub fn wait_for_change(&self, seen: u64, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let unchanged = |children: &mut Children| children.changes == seen;
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), left, unchanged);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
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
    fn lock(&self) -> MutexGuard<'_, Children> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reap_until_closed(&self, mut deaths: PipeReader) {
        let mut bytes = [0; 64];
        loop {
            match deaths.read(&mut bytes) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
                Ok(_) | Err(_) => {}
            }
            let _panicked = guarded("The reaper", || self.reap(&mut self.lock()));
            self.lock().changes += 1;
            self.changed.notify_all();
        }
    }

    /// Collects dead orphans until a look finds none, because a death hands us more of them, and
    /// gives the living. The register is locked, so none is collected behind our back.
    fn reap(&self, children: &mut Children) -> Option<Vec<Seen>> {
        loop {
            let seen = self.procfs.orphans()?.into_iter().filter_map(|n| self.procfs.see(n));
            let orphans: Vec<_> = seen.filter(|s| !children.leaders.contains(&s.pid)).collect();
            let dead = orphans.iter().filter(|s| s.state == 'Z').filter(|s| collect_orphan(s.pid));
            if dead.count() == 0 {
                return Some(orphans);
            }
        }
    }
}

/// Collects one dead child; false when it was not there to be collected.
fn collect_orphan(pid: Pid) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid.as_raw()) else { return false };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    matches!(retry(|| waitid(WaitId::Pid(pid), options)), Ok(Some(_)))
}
