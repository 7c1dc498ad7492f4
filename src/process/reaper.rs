//! The one way to launch commands and to collect their ends, over the keeper that is their parent.

use super::error::Result;
use super::keeper::Keeper;
use super::launch::{Launch, Spawned};
use super::leader::Leader;
use super::local_keeper::LocalKeeper;
use super::outcome::Outcome;
use super::procfs::{ProcessInfo, Procfs};
use super::shell_control::ShellControl;
use super::stdin::Stdin;
use crate::error::SystemError;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
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
    /// Our side of the control of a shell, if it is one.
    pub control: Option<ShellControl>,
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

/// The handle of the keeper, by which this process launches commands and finds their orphans. There
/// is one in a process.
#[derive(Debug)]
pub struct Reaper {
    keeper: Box<dyn Keeper>,
    procfs: Procfs,
    /// The children that we had at the start, by number and start time.
    before: Vec<(i32, u64)>,
}

impl Reaper {
    /// Starts a keeper in this process: the thread `reaper`, and a first `spawner`.
    ///
    /// # Errors
    /// `System` if a descriptor or a thread cannot be created.
    pub fn start() -> Result<Self> {
        let procfs = Procfs::detect();
        let before = procfs.orphans().unwrap_or_default().into_iter();
        let before = before.filter_map(|number| procfs.read(number));
        let before = before.map(|process| (process.number, process.start_ticks)).collect();
        Ok(Self { keeper: Box::new(LocalKeeper::start(procfs)?), procfs, before })
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
        let Spawned { child, output, stdin, terminal, control } =
            self.keeper.spawn(launch, is_given_up)?;
        let leader = Leader::new(child, self.procfs());
        let descriptors = Descriptors { output, end: leader.end_descriptor(), terminal };
        Ok(Launched { leader, descriptors, stdin, control })
    }

    /// Collects a leader that has ended. `None` while it runs, and while a debugger holds its
    /// status. Does not block.
    #[must_use]
    pub fn collect(&self, leader: &Leader) -> Option<Outcome> {
        self.keeper.collect(leader)
    }

    /// Collects a leader, or leaves it to the reaper if it has not ended. The last call for a
    /// leader.
    #[must_use]
    pub fn collect_or_leave(&self, leader: &Leader) -> Option<Outcome> {
        self.keeper.collect_or_leave(leader)
    }

    /// Collects a leader that has ended and calls `then` with its status: now if that is
    /// available, else on the reaper's thread as soon as a debugger has released it. Does not
    /// block.
    pub fn collect_when_released(
        &self,
        leader: &Arc<Leader>,
        then: impl FnOnce(Outcome) + Send + 'static,
    ) {
        self.keeper.collect_when_released(leader, Box::new(then));
    }

    /// Whether a leader has ended and a debugger holds its status.
    #[must_use]
    pub fn is_status_held(&self, leader: &Leader) -> bool {
        self.keeper.is_status_held(leader)
    }

    /// Returns the number of times that something about our children may have changed, for
    /// `wait_for_change`.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.keeper.changes()
    }

    /// Blocks until something about our children may have changed since `seen`, or until
    /// `deadline`.
    pub fn wait_for_change(&self, seen: u64, deadline: Instant) {
        self.keeper.wait_for_change(seen, deadline);
    }

    /// Wakes everybody in `wait_for_change`.
    pub fn announce_change(&self) {
        self.keeper.announce_change();
    }

    /// Collects the orphans that are dead and returns those that live; `None` if /proc shows
    /// nothing.
    pub(super) fn living_orphans(&self) -> Option<Vec<ProcessInfo>> {
        self.keeper.living_orphans()
    }

    pub(super) fn procfs(&self) -> Procfs {
        self.procfs
    }

    /// Whether a process was our child before we started.
    pub(super) fn was_there_before(&self, process: ProcessInfo) -> bool {
        self.before.contains(&(process.number, process.start_ticks))
    }
}
