//! One execution of a command: its facts, its end, and snapshots of it.

use super::error::{Error, Result};
use super::session::Session;
use super::spec::RunSpec;
use crate::logs::{LogSnapshot, RunLog};
use crate::process::{Leader, Outcome, Reaper, Stdin, Tree, Usage, UsageMeter};
use crate::protocol::{EndedBy, RunStatus};
use chrono::{DateTime, Utc};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The end of a run's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The time when it was noticed.
    pub at: DateTime<Utc>,
    /// The exit status.
    pub outcome: Outcome,
    /// The cause of the end.
    pub by: EndedBy,
    /// Duration of the run, by the monotonic clock.
    pub lasted: Duration,
}

impl End {
    /// Returns whether it exited or was killed.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.by.status()
    }

    /// Describes the end in a few words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        describe_end(self.by, self.outcome.exit_code(), self.outcome.signal().as_deref())
    }
}

/// Describes an end in a few words, for messages.
pub(super) fn describe_end(by: EndedBy, exit_code: Option<i32>, signal: Option<&str>) -> String {
    let cause = match by {
        EndedBy::Itself => "by itself",
        EndedBy::Kill => "by a kill",
        EndedBy::Restart => "by a restart",
        EndedBy::Timeout => "because its timeout expired",
        EndedBy::Reload => "by a reload",
        EndedBy::Health => "because its health checks failed",
        EndedBy::Limit => "because it exceeded its memory limit",
        EndedBy::Shutdown => "by the shutdown",
        EndedBy::Signal => "by a signal from another process",
        EndedBy::Lost => "with its server",
    };
    match (signal, exit_code) {
        (Some(signal), _) => format!("{cause}, with {signal}"),
        (None, Some(code)) => format!("{cause}, with exit code {code}"),
        (None, None) if by == EndedBy::Lost => "with an unknown exit status".to_owned(),
        (None, None) => format!("{cause}, with an unknown exit status"),
    }
}

/// One execution of a command. Immutable, but for its end, which is added once.
#[derive(Debug)]
pub(super) struct Run {
    pub id: String,
    pub command: String,
    pub spec: RunSpec,
    pub directory: PathBuf,
    pub created_at: DateTime<Utc>,
    pub began: Instant,
    pub leader: Arc<Leader>,
    pub tree: Tree,
    pub log: Arc<RunLog>,
    /// Writing side of its input, if it has any.
    pub stdin: Option<Arc<Stdin>>,
    /// The session, if it is one.
    pub session: Option<Arc<Session>>,
    /// `None` if usage is sampled for many runs at once.
    pub meter: Option<UsageMeter>,
    /// Set under the manager's state lock, after all output of the run was on disk.
    pub end: OnceLock<End>,
}

impl Run {
    /// Checks that it has the id `only`, if that is given.
    pub fn check_is(&self, only: Option<&str>) -> Result<()> {
        match only {
            Some(run_id) if run_id != self.id => {
                Err(Error::AnotherRun { run_id: run_id.to_owned(), last: self.id.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// A handle of a run, which stays the same when another is started.
#[derive(Clone, Debug)]
pub struct RunView {
    pub(super) run: Arc<Run>,
    pub(super) reaper: Arc<Reaper>,
}

impl RunView {
    /// Checks that it has the id `only`, if that is given.
    ///
    /// # Errors
    /// `AnotherRun`.
    pub fn check_is(&self, only: Option<&str>) -> Result<()> {
        self.run.check_is(only)
    }

    /// Returns its log.
    #[must_use]
    pub fn log(&self) -> &Arc<RunLog> {
        &self.run.log
    }

    /// Returns the pid of its own process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.run.leader.pid()
    }

    /// Returns the command, as text.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.run.command
    }

    /// Returns its name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.run.spec.name.as_deref()
    }

    /// Returns its specification.
    #[must_use]
    pub fn spec(&self) -> &RunSpec {
        &self.run.spec
    }

    /// Returns its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.run.id
    }

    /// Returns the time of its start.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.run.created_at
    }

    /// Returns the time since its start.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.run.began.elapsed()
    }

    /// Returns its end; `None` while it runs.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.run.end.get().copied()
    }

    /// Returns the writing side of its input; `None` if it has none, or has ended.
    #[must_use]
    pub fn stdin(&self) -> Option<&Stdin> {
        self.run.stdin.as_deref().filter(|_| self.run.end.get().is_none())
    }

    /// Returns the session, if it is one.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.run.session.as_ref()
    }

    /// Returns a descriptor that becomes readable when its own process has ended.
    #[must_use]
    pub fn end_descriptor(&self) -> Arc<OwnedFd> {
        self.run.leader.end_descriptor()
    }

    /// Returns its processes.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.run.tree
    }

    /// Whether none of its processes lives, and its end is recorded.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.run.end.get().is_some() && self.run.tree.is_gone(&self.reaper)
    }

    /// Returns its processes that live although its own process has ended.
    #[must_use]
    pub fn leftover_pids(&self) -> Vec<i32> {
        let has_ended = self.run.end.get().is_some();
        if has_ended { self.run.tree.pids(&self.reaper) } else { Vec::new() }
    }

    /// Returns its state now. Blocks for a sample of its usage at most.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (run, reaper) = (&*self.run, &*self.reaper);
        let end = run.end.get().copied();
        if end.is_some() && run.tree.is_gone(reaper) {
            return Snapshot::of(run, end, Usage::default(), Vec::new());
        }
        let meter = run.meter.as_ref();
        let usage = meter.map(|meter| meter.sample(&run.tree, reaper)).unwrap_or_default();
        let leftovers = if end.is_some() { run.tree.pids(reaper) } else { Vec::new() };
        Snapshot::of(run, end, usage, leftovers)
    }
}

/// The state of a run at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The pid of its own process.
    pub pid: i32,
    /// The command, as text.
    pub command: String,
    /// Its id in our answers and, as `RUN_ID`, in its environment.
    pub run_id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its working directory.
    pub directory: PathBuf,
    /// The time of its start.
    pub created_at: DateTime<Utc>,
    /// Its end; `None` while it runs.
    pub end: Option<End>,
    /// Time from its start to its end, or to now.
    pub uptime: Duration,
    /// CPU and memory of its tree.
    pub usage: Usage,
    /// Processes of its tree that live on after its end.
    pub leftover_pids: Vec<i32>,
    /// Leftovers of the run before that were ended by the start of this one.
    pub ended_leftovers: Vec<EndedLeftover>,
    /// The name of its log.
    pub log_name: String,
    /// The progress of its log.
    pub log: LogSnapshot,
    /// Whether it has ended and output of it is not on disk yet, because that is stalled.
    pub is_log_pending: bool,
    /// Whether it runs on a terminal.
    pub is_on_terminal: bool,
    /// Whether its input can be written to.
    pub is_stdin_open: bool,
}

/// A process that a run had left behind and that was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedLeftover {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

impl Snapshot {
    /// Creates a snapshot. The caller reads `end` once, so that all of the snapshot is of one
    /// moment: a run that ended since is still reported as running.
    pub(super) fn of(run: &Run, end: Option<End>, usage: Usage, leftover_pids: Vec<i32>) -> Self {
        Self {
            pid: run.leader.pid(),
            command: run.command.clone(),
            run_id: run.id.clone(),
            name: run.spec.name.clone(),
            directory: run.directory.clone(),
            created_at: run.created_at,
            uptime: end.map_or_else(|| run.began.elapsed(), |end| end.lasted),
            end,
            usage,
            leftover_pids,
            ended_leftovers: Vec::new(),
            log_name: run.log.name().to_owned(),
            log: run.log.snapshot(),
            is_log_pending: end.is_some() && run.log.is_behind(),
            is_on_terminal: run.spec.input.is_terminal(),
            is_stdin_open: end.is_none() && run.stdin.as_ref().is_some_and(|stdin| stdin.is_open()),
        }
    }

    /// Returns whether the run goes on, and if not, how it ended.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.end.as_ref().map_or(RunStatus::Running, End::status)
    }
}

/// Returns an id that no other run has, on this machine or another: 64 bits of the standard
/// library's hasher, which is seeded by the operating system's randomness.
pub(super) fn new_run_id() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_differ() {
        assert_ne!(new_run_id(), new_run_id());
        assert_eq!(new_run_id().len(), 16);
    }

    #[test]
    fn only_ends_by_themselves_are_exited() {
        let (at, lasted) = (DateTime::UNIX_EPOCH, Duration::ZERO);
        let end = |by| End { at, outcome: Outcome::Exited(0), by, lasted };
        assert_eq!(end(EndedBy::Itself).status(), RunStatus::Exited);
        for by in [EndedBy::Kill, EndedBy::Restart, EndedBy::Shutdown, EndedBy::Signal] {
            assert_eq!(end(by).status(), RunStatus::Killed);
        }
    }
}
