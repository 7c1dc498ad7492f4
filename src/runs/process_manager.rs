//! The manager of one command: start, status, kill, restart, shutdown.

use super::config::ManagerConfig;
use super::error::{Error, Result};
use super::old_logs::OldLogs;
use super::run::{End, EndedLeftover, Run, RunView, Snapshot};
use super::spec::RunSpec;
use super::state::{Claim, Refusal, State};
use crate::logs::{LogFolder, LogWriter};
use crate::process::{LeftBehind, Reaper, Signal, command_of};
use crate::protocol::EndedBy;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Maximum number of characters of a command that a message shows.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// Time that a kill waits for the end of a process that has ended to be recorded. The writer does
/// that as soon as it has written to disk what the pipe holds.
const RECORD_TIMEOUT: Duration = Duration::from_secs(5);

/// How to end a tree.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// The cause to record.
    pub by: EndedBy,
    /// The signal that asks it to end.
    pub signal: Signal,
    /// Time from that signal to SIGKILL.
    pub grace: Duration,
}

/// The result of a kill.
#[derive(Clone, Debug)]
pub struct KillReport {
    /// The end of the run's own process; `None` if it could not be ended.
    pub end: Option<End>,
    /// The processes that could not be ended.
    pub left: Vec<LeftBehind>,
    /// Those that were ended although the run's own process had ended before.
    pub ended_leftovers: Vec<EndedLeftover>,
}

/// A manager that runs one command at a time.
#[derive(Debug)]
pub struct ProcessManager {
    pub(super) config: ManagerConfig,
    pub(super) folder: Arc<LogFolder>,
    pub(super) old_logs: OldLogs,
    pub(super) writer: Arc<LogWriter>,
    pub(super) reaper: Arc<Reaper>,
    /// Held over a whole start or restart. Taken before `inner`, never after.
    operation: Mutex<()>,
    inner: Mutex<Inner>,
    /// Number of runs that were started.
    pub(super) starts: AtomicU64,
    /// Number of starts and ends of runs and of the manager, for those who wait for output. Grows
    /// after the ledger has the change.
    pub(super) transition_count: AtomicU64,
    /// Signalled with `inner`: an ending is done or forced, a start is done, an end is recorded.
    pub(super) changed: Condvar,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub state: State,
    pub run: Option<Arc<Run>>,
    /// Number of changes that those who end a tree have to check.
    pub changes: u64,
    /// The processes that the last ending could not end.
    left: Vec<LeftBehind>,
    /// Makes the launch in progress give up, if it hangs.
    pub is_launch_given_up: Arc<AtomicBool>,
}

impl ProcessManager {
    /// Creates a manager that has started nothing yet.
    #[must_use]
    pub fn new(
        config: ManagerConfig,
        folder: Arc<LogFolder>,
        writer: Arc<LogWriter>,
        reaper: Arc<Reaper>,
    ) -> Self {
        let inner = Inner {
            state: State::new(),
            run: None,
            changes: 0,
            left: Vec::new(),
            is_launch_given_up: Arc::default(),
        };
        let (operation, inner, changed) = (Mutex::new(()), Mutex::new(inner), Condvar::new());
        Self {
            config,
            folder,
            old_logs: OldLogs::default(),
            writer,
            reaper,
            operation,
            inner,
            starts: AtomicU64::new(0),
            transition_count: AtomicU64::new(0),
            changed,
        }
    }

    /// Starts a command; returns its state as of its start. Blocks until it was executed, and
    /// before that while a tree is being ended or another start is in progress.
    ///
    /// # Errors
    /// Those of `RunSpec::check` for a command that cannot be run; `AlreadyRunning` while a run
    /// lives; `ShuttingDown`; `Log`, `SpawnShell` and `SpawnProgram` if the machine refuses.
    pub fn start(self: &Arc<Self>, spec: &RunSpec) -> Result<Snapshot> {
        self.start_with_handle(spec).map(|(snapshot, _)| snapshot)
    }

    /// Starts a command as `start` does; returns also the run, which stays the same when another is
    /// started.
    ///
    /// # Errors
    /// Those of `start`.
    pub fn start_with_handle(self: &Arc<Self>, spec: &RunSpec) -> Result<(Snapshot, RunView)> {
        spec.check()?;
        let _operation = self.operation.lock();
        let mut inner = self.wait_until_settled();
        let previous = inner.run.clone();
        let claim = inner.state.claim_start(Instant::now() + self.config.kill_grace);
        drop(inner);
        claim.map_err(|refusal| refused(refusal, previous.as_deref()))?;
        self.end_and_launch(previous.as_deref(), spec)
    }

    /// Ends the present run with `grace` between SIGTERM and SIGKILL, then starts its command
    /// again, with a log of its own; also if it had ended. Blocks for all of that. With `only`,
    /// nothing is done unless that is its id.
    ///
    /// # Errors
    /// `NeverStarted`; `AnotherRun`; `RestartCancelled` if a kill came meanwhile; `AlreadyRunning`
    /// if the run cannot be ended; `ShuttingDown`; `Directory`, `Log`, `SpawnShell` and
    /// `SpawnProgram` if the machine refuses.
    pub fn restart(self: &Arc<Self>, grace: Duration, only: Option<&str>) -> Result<Snapshot> {
        let kills = self.inner().state.kills();
        let _operation = self.operation.lock();
        let mut inner = self.wait_until_settled();
        let run = inner.run.clone().ok_or(Error::NeverStarted)?;
        run.check_is(only)?;
        if inner.state.kills() != kills {
            // A kill came while this one waited for another restart.
            return Err(Error::RestartCancelled);
        }
        let claim = inner.state.claim_restart(Instant::now() + grace);
        drop(inner);
        claim.map_err(|refusal| refused(refusal, Some(&run)))?;
        self.end_and_launch(Some(&run), &run.spec).map(|(snapshot, _)| snapshot)
    }

    /// Ends the run with this signal, and the grace of a kill unless that is SIGKILL; only the run
    /// with the id `only`, if that is given. Blocks as `end` does.
    ///
    /// # Errors
    /// Those of `end`, and `AnotherRun`.
    pub fn kill(&self, signal: Signal, only: Option<&str>) -> Result<KillReport> {
        let grace = if signal == Signal::KILL { Duration::ZERO } else { self.config.kill_grace };
        self.end_run(Ending { by: EndedBy::Kill, signal, grace }, only)
    }

    /// Ends the whole tree of the present run, or what an ended one left behind. Blocks until none
    /// of its processes lives, or until 5 s after the SIGKILL.
    ///
    /// # Errors
    /// `NeverStarted`; `AlreadyEnded` if nothing is left to end.
    pub fn end(&self, ending: Ending) -> Result<KillReport> {
        self.end_run(ending, None)
    }

    /// Returns the processes that a run has left behind. None while its own process lives.
    fn leftovers(&self, run: &Run) -> Vec<EndedLeftover> {
        if run.end.get().is_none() {
            return Vec::new();
        }
        let pids = run.tree.pids(&self.reaper).into_iter();
        pids.map(|pid| EndedLeftover { pid, command: command_of(pid) }).collect()
    }

    /// Ends the run as `end` does, but only if its id is `only`, if that is given.
    pub(super) fn end_run(&self, ending: Ending, only: Option<&str>) -> Result<KillReport> {
        let Ending { by, signal, grace } = ending;
        let mut inner = self.wait_for_launch(grace);
        if inner.run.as_ref().is_some_and(|run| run.leader.has_ended()) {
            inner = self.wait_for_record(inner);
        }
        if let Some(run) = &inner.run {
            run.check_is(only)?;
        }
        let over = inner.run.clone().filter(|_| inner.state.is_quiet());
        drop(inner);
        if let Some(run) = over.filter(|run| self.is_over(run))
            && let Some(end) = run.end.get()
        {
            return Err(already_ended(&run, end));
        }
        let mut inner = self.wait_for_launch(grace);
        if let Some(run) = &inner.run {
            run.check_is(only)?;
        }
        let claim = inner.state.claim_end(by, Instant::now() + grace);
        let (run, joined) = (inner.run.clone(), inner.state.endings_done());
        drop(inner);
        let run = run.ok_or(Error::NeverStarted)?;
        match claim {
            Claim::NeverStarted => Err(Error::NeverStarted),
            Claim::Join => Ok(self.join_ending(&run, joined)),
            Claim::Drive => {
                let end = run.end.get().filter(|_| run.tree.is_gone(&self.reaper));
                let leftovers = self.leftovers(&run);
                let left = self.drive_ending(&run, signal);
                self.ending_done(left.clone());
                if let Some(end) = end {
                    return Err(already_ended(&run, end));
                }
                let ended_leftovers = ended_of(leftovers, &left);
                Ok(KillReport { end: run.end.get().copied(), left, ended_leftovers })
            }
        }
    }

    /// Refuses starts from now on and ends the run as a kill does. Blocks as a kill does.
    pub fn shut_down(&self) {
        self.close();
        let grace = self.config.kill_grace;
        match self.end(Ending { by: EndedBy::Shutdown, signal: Signal::TERM, grace }) {
            Ok(report) => {
                for left in report.left {
                    log::warn!("process {} is still alive: {}", left.pid, left.why);
                }
            }
            Err(nothing_to_end) => log::debug!("{nothing_to_end}"),
        }
    }

    /// Ends the grace: a tree that is being ended gets SIGKILL. Does not block.
    pub fn force_shutdown(&self) {
        self.inner().state.force_shutdown();
        self.announce_change();
    }

    /// Returns the state of the last run. Blocks for a sample of its usage at most.
    ///
    /// # Errors
    /// `NeverStarted`.
    pub fn status(&self) -> Result<Snapshot> {
        Ok(self.last_run()?.snapshot())
    }

    /// Returns the number of runs that were started. Does not block.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Whether nothing runs and nothing will: the server shuts down. Does not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let inner = self.inner();
        inner.state.is_closed() && inner.run.as_ref().is_none_or(|run| run.end.get().is_some())
    }

    /// Refuses starts from now on. Does not block.
    pub fn close(&self) {
        self.inner().state.close();
        self.announce_change();
        self.transition_count.fetch_add(1, Ordering::SeqCst);
        if let Ok(run) = self.last_run() {
            run.log().announce();
        }
    }

    /// Whether an operation on its run is in progress. Does not block.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.inner().state.is_quiet()
    }

    /// Forgets the last run, if it has this id and is over. Does not block.
    pub fn forget(&self, run_id: &str) {
        let mut inner = self.inner();
        let is_it = |run: &mut Arc<Run>| run.id == run_id && run.end.get().is_some();
        if inner.state.is_quiet() && inner.run.take_if(is_it).is_some() {
            inner.state.forget();
        }
    }

    /// Returns the last run. Does not block.
    ///
    /// # Errors
    /// `NeverStarted`.
    pub fn last_run(&self) -> Result<RunView> {
        let run = self.inner().run.clone().ok_or(Error::NeverStarted)?;
        Ok(RunView { run, reaper: Arc::clone(&self.reaper) })
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    fn wait_until(&self, mut condition: impl FnMut(&Inner) -> bool) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner();
        self.changed.wait_while(&mut inner, |inner| !condition(inner));
        inner
    }

    /// Waits until no operation on the run is in progress, and until the end of one that has ended
    /// is recorded, so that it is not attributed to the caller.
    fn wait_until_settled(&self) -> MutexGuard<'_, Inner> {
        let inner = self.wait_until(|inner| inner.state.is_quiet());
        if inner.run.as_ref().is_none_or(|run| !run.leader.has_ended()) {
            return inner;
        }
        let mut inner = self.wait_for_record(inner);
        self.changed.wait_while(&mut inner, |inner| !inner.state.is_quiet());
        inner
    }

    /// Waits until the end of a process that has ended by itself is recorded, so that it is not
    /// attributed to the kill.
    fn wait_for_record<'a>(&self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        let unrecorded = |inner: &mut Inner| {
            inner.run.as_ref().is_some_and(|run| run.leader.has_ended() && run.end.get().is_none())
        };
        self.changed.wait_while_for(&mut inner, unrecorded, RECORD_TIMEOUT);
        inner
    }

    /// Waits until another thread has ended the tree. That thread sends the signals, because only
    /// it knows that the tree is still the right one.
    fn join_ending(&self, run: &Run, joined: u64) -> KillReport {
        // It reads the grace again, which may have become shorter.
        self.announce_change();
        let inner = self.wait_until(|inner| inner.state.endings_done() != joined);
        KillReport {
            end: run.end.get().copied(),
            left: inner.left.clone(),
            ended_leftovers: Vec::new(),
        }
    }

    /// Wakes those who wait for a change of the run or its tree.
    pub(super) fn announce_change(&self) {
        self.inner().changes += 1;
        self.changed.notify_all();
        self.reaper.announce_change();
    }

    fn ending_done(&self, left: Vec<LeftBehind>) {
        let mut inner = self.inner();
        inner.left = left;
        inner.state.ending_done();
        drop(inner);
        self.changed.notify_all();
    }

    /// Ends the old run, as claimed, then launches the command in its place.
    fn end_and_launch(
        self: &Arc<Self>,
        old: Option<&Run>,
        spec: &RunSpec,
    ) -> Result<(Snapshot, RunView)> {
        let leftovers = old.map_or_else(Vec::new, |run| self.leftovers(run));
        let left = old.map_or_else(Vec::new, |run| self.drive_ending(run, Signal::TERM));
        let ended_leftovers = ended_of(leftovers, &left);
        for process in &left {
            log::warn!(
                "process {} of the previous run is still alive: {}",
                process.pid,
                process.why
            );
        }
        let mut inner = self.inner();
        inner.left = left;
        let begun = inner.state.begin_start();
        drop(inner);
        let launched = begun.map_err(|refusal| refused(refusal, old));
        if let (Ok(()), Some(old)) = (&launched, old) {
            // Orphans from here on belong to the new run.
            old.tree.seal();
        }
        let launched = launched.and_then(|()| self.launch(spec));
        if let (Err(_), Some(old)) = (&launched, old) {
            // There is no new run that they could belong to.
            old.tree.unseal();
        }
        self.changed.notify_all();
        let (snapshot, view) = launched?;
        Ok((Snapshot { ended_leftovers, ..snapshot }, view))
    }
}

/// Returns those leftovers that are gone.
fn ended_of(leftovers: Vec<EndedLeftover>, left: &[LeftBehind]) -> Vec<EndedLeftover> {
    let is_left = |pid| left.iter().any(|it| it.pid == pid);
    leftovers.into_iter().filter(|it| !is_left(it.pid)).collect()
}

fn refused(refusal: Refusal, run: Option<&Run>) -> Error {
    match (refusal, run) {
        (Refusal::Closed, _) => Error::ShuttingDown,
        (Refusal::Cancelled, _) => Error::RestartCancelled,
        (Refusal::Running, Some(run)) => {
            let (pid, run_id) = (run.leader.pid(), run.id.clone());
            Error::AlreadyRunning { pid, run_id, command: shortened(&run.command) }
        }
        (Refusal::Running | Refusal::NeverStarted, _) => Error::NeverStarted,
    }
}

fn already_ended(run: &Run, end: &End) -> Error {
    Error::AlreadyEnded { pid: run.leader.pid(), how: end.describe() }
}

/// Returns a command for a message: its beginning, if it is long.
fn shortened(command: &str) -> String {
    match command.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_shortened_to_their_beginning() {
        assert_eq!(shortened("ls"), "ls");
        assert_eq!(shortened(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }
}
