//! `RunSet`: the runs of an LLM Shell, which live side by side.
//!
//! One manager has the foreground command, of which there is one at a time. Each other run has a
//! manager of its own, which stays the same when it is restarted. All share one log directory, one
//! writer and one reaper.

use super::config::{ManagerConfig, Observer};
use super::error::{Error, Result};
use super::history::PastRun;
use super::process_manager::ProcessManager;
use super::run::{RunView, Snapshot};
use super::run_events::RunEvents;
use super::spec::RunSpec;
use super::spec_cache::SpecCache;
use crate::logs::{LogFolder, LogWriter, RunLog, RunRecord};
use crate::process::Reaper;
use crate::protocol::is_run_id;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The runs of one server.
#[derive(Debug)]
pub struct RunSet {
    foreground: Arc<ProcessManager>,
    config: ManagerConfig,
    folder: Arc<LogFolder>,
    writer: Arc<LogWriter>,
    reaper: Arc<Reaper>,
    runs_max: usize,
    beside: Mutex<Beside>,
    events: Arc<RunEvents>,
}

/// The runs beside the foreground command.
#[derive(Debug, Default)]
struct Beside {
    entries: Vec<Entry>,
    /// The specifications of those that are over.
    ended: SpecCache,
    is_closed: bool,
}

/// A run beside the foreground command.
#[derive(Clone, Debug)]
struct Entry {
    name: Option<String>,
    manager: Arc<ProcessManager>,
    /// Number of restarts in progress.
    restarts: usize,
}

/// A restart in progress of a run beside the foreground command.
struct RestartClaim<'a> {
    runs: &'a RunSet,
    manager: Arc<ProcessManager>,
}

impl Drop for RestartClaim<'_> {
    fn drop(&mut self) {
        let mut beside = self.runs.beside();
        if let Some(index) = beside.position(&self.manager) {
            beside.entries[index].restarts -= 1;
        }
    }
}

/// A run that a request names.
#[derive(Clone, Debug)]
pub enum FoundRun {
    /// The last run of a manager.
    Managed(ManagedRun),
    /// One that is over, or of an earlier server.
    Past(Box<PastRun>),
}

/// The last run of a manager.
#[derive(Clone, Debug)]
pub struct ManagedRun {
    /// Its manager.
    pub manager: Arc<ProcessManager>,
    /// The run.
    pub run: RunView,
}

/// The runs that a list has.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those with this name.
    pub name: Option<String>,
    /// Only those before the one with this id.
    pub before: Option<String>,
    /// The most runs.
    pub limit: usize,
}

impl RunSet {
    /// Creates a set without runs, of which at most `runs_max` live at once.
    #[must_use]
    pub fn new(
        config: ManagerConfig,
        folder: Arc<LogFolder>,
        writer: Arc<LogWriter>,
        reaper: Arc<Reaper>,
        runs_max: usize,
    ) -> Self {
        let events = Arc::new(RunEvents::default());
        let observer = Observer(Some(Arc::clone(&events) as Arc<_>));
        let config = ManagerConfig { observer, ..config };
        let for_output = Arc::clone(&events);
        folder.on_output(Box::new(move || for_output.log().wake()));
        let foreground = Arc::new(ProcessManager::new(
            config.clone(),
            Arc::clone(&folder),
            Arc::clone(&writer),
            Arc::clone(&reaper),
        ));
        let beside = Mutex::default();
        Self { foreground, config, folder, writer, reaper, runs_max, beside, events }
    }

    /// Returns the manager of the foreground command.
    #[must_use]
    pub fn foreground(&self) -> &Arc<ProcessManager> {
        &self.foreground
    }

    /// Returns the log of starts and ends. It is woken by output, if `LogFolder::watch_output` says
    /// that somebody waits for that.
    #[must_use]
    pub fn events(&self) -> &Arc<RunEvents> {
        &self.events
    }

    /// Returns the directory of the logs.
    #[must_use]
    pub fn folder(&self) -> &Arc<LogFolder> {
        &self.folder
    }

    /// Starts a run beside all others; returns its state as of its start. Blocks until its command
    /// was executed.
    ///
    /// # Errors
    /// `NameTaken` by a run that lives; `TooManyRuns`; those of `ProcessManager::start`.
    pub fn start(&self, spec: &RunSpec) -> Result<(Snapshot, RunView)> {
        spec.check()?;
        let (folder, writer) = (Arc::clone(&self.folder), Arc::clone(&self.writer));
        let reaper = Arc::clone(&self.reaper);
        let manager = ProcessManager::new(self.config.clone(), folder, writer, reaper);
        let entry = Entry { name: spec.name.clone(), manager: Arc::new(manager), restarts: 0 };
        self.add(entry.clone())?;
        let started = entry.manager.start_with_handle(spec);
        if started.is_err() {
            self.beside().entries.retain(|it| !Arc::ptr_eq(&it.manager, &entry.manager));
        }
        started
    }

    /// Adds a manager that is about to start its run, so that a shutdown knows of it.
    fn add(&self, entry: Entry) -> Result<()> {
        let mut beside = self.beside();
        beside.forget_ended();
        if beside.is_closed {
            return Err(Error::ShuttingDown);
        }
        beside.check_room(&entry, self.runs_max)?;
        beside.entries.push(entry);
        Ok(())
    }

    /// Ends a run with `grace` between SIGTERM and SIGKILL, and starts its command again; one that
    /// has ended is started again. Blocks for all of that.
    ///
    /// # Errors
    /// `NoSuchRun`; `NotRestartable` for a run of an earlier server, or one that is long over;
    /// `NameTaken` and `TooManyRuns` for one that has ended; those of `ProcessManager::restart`.
    pub fn restart(&self, run: &str, grace: Duration) -> Result<Snapshot> {
        let found = match self.find(run)? {
            FoundRun::Managed(found) => found,
            FoundRun::Past(past) => {
                let run_id = past.record.run_id;
                let spec = self.beside().ended.get(&run_id);
                let spec = spec.ok_or(Error::NotRestartable { run_id })?;
                return self.start(&spec).map(|(snapshot, _)| snapshot);
            }
        };
        let _claim = self.claim_restart(&found)?;
        found.manager.restart(grace, Some(found.run.id()))
    }

    /// Counts a run that is started again as live until then.
    fn claim_restart(&self, found: &ManagedRun) -> Result<RestartClaim<'_>> {
        let mut beside = self.beside();
        if let Some(index) = beside.position(&found.manager) {
            let entry = &beside.entries[index];
            if !entry.is_live() {
                beside.check_room(entry, self.runs_max)?;
            }
            beside.entries[index].restarts += 1;
        }
        Ok(RestartClaim { runs: self, manager: Arc::clone(&found.manager) })
    }

    /// Returns the run with this id, or the newest with this name.
    ///
    /// # Errors
    /// `NoSuchRun`.
    pub fn find(&self, run: &str) -> Result<FoundRun> {
        let no_such = || Error::NoSuchRun { run_id: run.to_owned() };
        let ledger = self.folder.ledger();
        let record = if is_run_id(run) { ledger.run(run) } else { ledger.newest_named(run) };
        let record = record.ok_or_else(no_such)?;
        Ok(self.found(record))
    }

    fn found(&self, record: RunRecord) -> FoundRun {
        match self.managed(&record.run_id) {
            Some(managed) => FoundRun::Managed(managed),
            None => FoundRun::Past(Box::new(self.past(record))),
        }
    }

    fn past(&self, record: RunRecord) -> PastRun {
        let log_name = self.folder.shown_name(&record.log);
        PastRun { record, log_name }
    }

    /// Returns the manager whose last run has this id.
    fn managed(&self, run_id: &str) -> Option<ManagedRun> {
        let with_run = |manager: &Arc<ProcessManager>| {
            let run = manager.last_run().ok().filter(|run| run.id() == run_id)?;
            Some(ManagedRun { manager: Arc::clone(manager), run })
        };
        let beside = self.beside();
        let managers = beside.entries.iter().map(|entry| &entry.manager);
        managers.chain([&self.foreground]).find_map(with_run)
    }

    /// Returns the runs that this filter selects, the newest first, the number of all with that
    /// name, and whether there are more before them.
    ///
    /// # Errors
    /// `NoSuchRun` if there is none with the id `before`.
    pub fn list(
        &self,
        filter: &RunFilter,
        is_listed: impl Fn(&RunRecord) -> bool,
    ) -> Result<(Vec<FoundRun>, usize, bool)> {
        let mut records = self.folder.ledger().runs();
        records.retain(|run| filter.name.is_none() || run.name == filter.name);
        records.retain(is_listed);
        let total = records.len();
        if let Some(before) = &filter.before {
            let place = records.iter().position(|run| run.run_id == *before);
            let no_such = || Error::NoSuchRun { run_id: before.clone() };
            records.drain(..=place.ok_or_else(no_such)?);
        }
        let has_more = records.len() > filter.limit;
        records.truncate(filter.limit);
        Ok((records.into_iter().map(|record| self.found(record)).collect(), total, has_more))
    }

    /// Returns the log of a run. Reads all of it unless it was read before.
    ///
    /// # Errors
    /// `LogGone`; `Log` if it cannot be read.
    pub fn log_of(&self, found: &FoundRun) -> Result<Arc<RunLog>> {
        match found {
            FoundRun::Managed(found) => Ok(Arc::clone(found.run.log())),
            FoundRun::Past(past) => self.foreground.log_of(&past.record.run_id),
        }
    }

    /// Forgets a run that is over, with its log.
    ///
    /// # Errors
    /// `NoSuchRun`; `StillLives` while it or a process that it left behind does.
    pub fn forget(&self, run: &str) -> Result<String> {
        let found = self.find(run)?;
        let (run_id, is_over) = match &found {
            FoundRun::Managed(found) => (found.run.id().to_owned(), found.run.is_gone()),
            FoundRun::Past(past) => (past.record.run_id.clone(), past.record.end.is_some()),
        };
        if !is_over {
            return Err(Error::StillLives { run_id });
        }
        let mut beside = self.beside();
        beside.entries.retain(|it| it.run_id().is_none_or(|id| id != run_id));
        beside.ended.remove(&run_id);
        drop(beside);
        self.foreground.forget(&run_id);
        self.folder.forget(&run_id);
        Ok(run_id)
    }

    /// Returns the runs whose own process lives, the foreground command last.
    #[must_use]
    pub fn live(&self) -> Vec<RunView> {
        let is_live = |run: &RunView| run.end().is_none();
        self.managers().iter().filter_map(|it| it.last_run().ok()).filter(is_live).collect()
    }

    /// Refuses starts from now on and ends all runs as a kill does. Blocks as a kill does.
    pub fn shut_down(&self) {
        self.close();
        let managers = self.managers();
        std::thread::scope(|scope| {
            for manager in &managers {
                let ending = std::thread::Builder::new().stack_size(128 * 1024);
                if ending.spawn_scoped(scope, || manager.shut_down()).is_err() {
                    manager.shut_down();
                }
            }
        });
        self.events.log().close();
    }

    /// Refuses starts from now on. Does not block.
    pub fn close(&self) {
        self.beside().is_closed = true;
        self.managers().iter().for_each(|manager| manager.close());
    }

    /// Ends the grace of all endings. Does not block.
    pub fn force_shutdown(&self) {
        self.managers().iter().for_each(|manager| manager.force_shutdown());
    }

    /// Waits until `condition` holds, which is checked after each start and end, or until
    /// `deadline`. Returns whether it holds.
    pub fn wait_for_ends(&self, deadline: Instant, condition: impl Fn() -> bool) -> bool {
        self.events.log().wait_until(deadline, condition)
    }

    fn managers(&self) -> Vec<Arc<ProcessManager>> {
        let beside = self.beside();
        let managers = beside.entries.iter().map(|entry| Arc::clone(&entry.manager));
        managers.chain([Arc::clone(&self.foreground)]).collect()
    }

    fn beside(&self) -> MutexGuard<'_, Beside> {
        self.beside.lock()
    }
}

impl Beside {
    /// Drops the managers whose runs are over, and keeps the specifications of those.
    fn forget_ended(&mut self) {
        for entry in std::mem::take(&mut self.entries) {
            match entry.manager.last_run() {
                Ok(run) if !entry.is_live() && run.is_gone() => {
                    self.ended.add(run.id(), run.spec().clone());
                }
                _ => self.entries.push(entry),
            }
        }
    }

    fn position(&self, manager: &Arc<ProcessManager>) -> Option<usize> {
        self.entries.iter().position(|it| Arc::ptr_eq(&it.manager, manager))
    }

    /// Checks that one more run may live, with this name.
    fn check_room(&self, new: &Entry, runs_max: usize) -> Result<()> {
        let others = self.entries.iter().filter(|it| !Arc::ptr_eq(&it.manager, &new.manager));
        let live: Vec<&Entry> = others.filter(|it| it.is_live()).collect();
        if let Some(name) = &new.name
            && let Some(other) = live.iter().find(|it| it.name.as_ref() == Some(name))
        {
            let run_id = other.run_id().unwrap_or_default();
            return Err(Error::NameTaken { name: name.clone(), run_id });
        }
        if live.len() >= runs_max { Err(Error::TooManyRuns { live: live.len() }) } else { Ok(()) }
    }
}

impl Entry {
    /// Whether its run lives, or is being started. A manager without a run is about to start one.
    fn is_live(&self) -> bool {
        self.restarts > 0
            || self.manager.is_busy()
            || self.manager.last_run().map_or(true, |run| run.end().is_none())
    }

    fn run_id(&self) -> Option<String> {
        self.manager.last_run().ok().map(|run| run.id().to_owned())
    }
}
