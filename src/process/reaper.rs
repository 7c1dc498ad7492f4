//! The thread that collects dead orphans, and the one way to launch commands.

use super::children::ChildRegistry;
use super::error::Result;
use super::launch::{Launch, Spawned};
use super::leader::Leader;
use super::outcome::Outcome;
use super::procfs::{ProcessInfo, Procfs};
use super::spawner::Spawners;
use super::stdin::Stdin;
use crate::catch_panic::catch_panic;
use crate::error::SystemError;
use nix::libc;
use signal_hook::SigId;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A command that was just launched.
#[derive(Debug)]
pub struct Launched {
    /// The command's own process.
    pub leader: Leader,
    /// The descriptors to watch.
    pub descriptors: Descriptors,
    /// Writing side of the command's input, if it has any.
    pub stdin: Option<Stdin>,
}

/// The descriptors that the capture of a command's output has to watch.
#[derive(Debug)]
pub struct Descriptors {
    /// Reading end of the pipe for the command's stdout and stderr.
    pub output: OwnedFd,
    /// Readable when the command's own process has ended.
    pub end: Arc<OwnedFd>,
    /// The command's side of its terminal, if it has one, to be held until its own process has
    /// ended: a terminal whose other side nobody has open is over, although the command may open
    /// it again as /dev/tty.
    pub terminal: Option<OwnedFd>,
}

/// Owner of the thread `reaper`: woken by SIGCHLD, it collects every dead orphan, one by one and by
/// pid, and leaves leaders to their managers. There is one in a process.
#[derive(Debug)]
pub struct Reaper {
    registry: Arc<ChildRegistry>,
    spawners: Arc<Spawners>,
    /// The children that we had at the start, by number and start time.
    before: Vec<(i32, u64)>,
    handler: SigId,
    thread: Option<JoinHandle<()>>,
}

impl Reaper {
    /// Starts the thread.
    ///
    /// # Errors
    /// `System` if a descriptor or a thread cannot be created.
    pub fn start() -> Result<Self> {
        let (deaths, signals) = io::pipe().map_err(|e| SystemError::new("make a pipe", e))?;
        let handler = signal_hook::low_level::pipe::register(libc::SIGCHLD, signals)
            .map_err(|e| SystemError::new("watch for SIGCHLD", e))?;
        let procfs = Procfs::detect();
        let registry = Arc::new(ChildRegistry::new(procfs));
        let before = procfs.orphans().unwrap_or_default().into_iter();
        let before = before.filter_map(|number| procfs.read(number));
        let before = before.map(|process| (process.number, process.start_ticks)).collect();
        let spawners = Arc::new(Spawners::new(Arc::clone(&registry)));
        spawners.start_first()?;
        let for_thread = Arc::clone(&registry);
        let thread = thread::Builder::new()
            .name("reaper".into())
            .stack_size(128 * 1024)
            .spawn(move || reap_until_closed(&for_thread, deaths))
            .map_err(|e| SystemError::new("start the reaper", e))?;
        Ok(Self { registry, spawners, before, handler, thread: Some(thread) })
    }

    /// Launches a command. Blocks until it was executed, about a millisecond; if its file system
    /// hangs, until `is_given_up`, which is then called twenty times a second.
    ///
    /// # Errors
    /// `Directory`, `SpawnShell` or `SpawnProgram` if it cannot be run; `System` if the machine or
    /// a limit is exhausted, on Linux before 5.4, if /proc would not show it, or if it was given
    /// up.
    pub fn launch(&self, launch: Launch, is_given_up: &dyn Fn() -> bool) -> Result<Launched> {
        if self.procfs().orphans().is_none() {
            // A process that cannot be seen could not be ended.
            return Err(SystemError::new("read /proc (mount it)", io::ErrorKind::NotFound).into());
        }
        let Spawned { child, output, stdin, terminal } =
            self.spawners.spawn(launch, is_given_up)?;
        let leader = Leader::new(child, self.procfs());
        let descriptors = Descriptors { output, end: leader.end_descriptor(), terminal };
        Ok(Launched { leader, descriptors, stdin })
    }

    /// Collects a leader that has ended. `None` while it runs, and while a debugger holds its
    /// status. Does not block.
    #[must_use]
    pub fn collect(&self, leader: &Leader) -> Option<Outcome> {
        self.registry.collect(leader)
    }

    /// Collects a leader, or leaves it to the reaper if it has not ended. The last call for a
    /// leader.
    #[must_use]
    pub fn collect_or_leave(&self, leader: &Leader) -> Option<Outcome> {
        self.registry.collect_or_leave(leader)
    }

    /// Collects a leader that has ended and calls `then` with its status: now if that is
    /// available, else on the reaper's thread as soon as a debugger has released it. Does not
    /// block.
    pub fn collect_when_released(
        &self,
        leader: &Arc<Leader>,
        then: impl FnOnce(Outcome) + Send + 'static,
    ) {
        self.registry.collect_when_released(leader, then);
    }

    /// Whether a leader has ended and a debugger holds its status.
    #[must_use]
    pub fn is_status_held(&self, leader: &Leader) -> bool {
        self.registry.is_status_held(leader)
    }

    /// Returns the number of times that something about our children may have changed, for
    /// `wait_for_change`.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.registry.changes()
    }

    /// Blocks until something about our children may have changed since `seen`, or until
    /// `deadline`.
    pub fn wait_for_change(&self, seen: u64, deadline: Instant) {
        self.registry.wait_for_change(seen, deadline);
    }

    /// Wakes everybody in `wait_for_change`.
    pub fn announce_change(&self) {
        self.registry.announce_change();
    }

    /// Collects the orphans that are dead and returns those that live; `None` if /proc shows
    /// nothing.
    pub(super) fn living_orphans(&self) -> Option<Vec<ProcessInfo>> {
        self.registry.reap()
    }

    pub(super) fn procfs(&self) -> Procfs {
        self.registry.procfs()
    }

    /// Whether a process was our child before we started.
    pub(super) fn was_there_before(&self, process: ProcessInfo) -> bool {
        self.before.contains(&(process.number, process.start_ticks))
    }

    /// Returns the number of leaders that were not collected yet.
    #[cfg(test)]
    pub(super) fn leaders_count(&self) -> usize {
        self.registry.leaders_count()
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // The handler has the only writing end of the pipe, so this ends the thread's read.
        signal_hook::low_level::unregister(self.handler);
        if let Some(thread) = self.thread.take() {
            // A reaper that panicked has already reported it on stderr.
            let _panicked = thread.join();
        }
    }
}

fn reap_until_closed(registry: &ChildRegistry, mut deaths: PipeReader) {
    let mut bytes = [0; 64];
    loop {
        match deaths.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
        let _panicked = catch_panic("The reaper", || registry.reap());
        registry.announce_change();
        registry.collect_released();
    }
}
