//! Operations on the runs of an LLM Shell.

use super::audit::{Audit, Audited, Change};
use super::client::Client;
use super::error::{Error, Result};
use super::log_page;
use super::log_query::LogQuery;
use super::run_source::RunSource;
use super::run_status::status_of;
use super::source::Named;
use super::until::{OutputMark, Until, Waited, wait_until};
use super::waits;
use crate::permits::{Permit, Permits};
use crate::process::{Signal, TerminalSize};
use crate::protocol::{
    HealthResponse, KillResponse, LogsResponse, ProcessStatus, RunRequest, RunStatus, RunsResponse,
    RunsWaitResponse, ServerHealth,
};
use crate::runs::{
    self, EndsInput, FoundRun, ManagedRun, PastRun, ProcessManager, RunFilter, RunSet, RunView,
    Snapshot, Written,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most starts and restarts that wait for each other, and the most kills that wait for an end.
/// The other connections are left to requests that do not wait.
const WAITERS_MAX: usize = 64;

/// The most runs that one request waits for.
pub const WAITED_RUNS_MAX: usize = 64;

/// The operations on the runs of an LLM Shell, for the clients of one server.
#[derive(Debug)]
pub struct Shell {
    runs: Arc<RunSet>,
    config: ShellConfig,
    /// Permits of requests that wait or stream as long as the client wants.
    streams: Permits,
    /// Permits of starts and restarts.
    starts: Permits,
    /// Permits of kills, which are accepted however many starts wait.
    kills: Permits,
    audit: Audit,
    started_at: Instant,
}

/// The settings of the operations.
#[derive(Clone, Copy, Debug)]
pub struct ShellConfig {
    /// The grace period of a restart that gives none.
    pub restart_timeout: Duration,
    /// Whether a run gets a small environment unless it says otherwise.
    pub clears_environment: bool,
    /// The most requests that wait or stream at once.
    pub streams_max: usize,
}

/// The run that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// The foreground command; only if its run has this id, if one is given.
    Foreground(Option<&'a str>),
    /// The run with this id, or the newest with this name.
    Run(&'a str),
}

/// Where a command is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the foreground, where one runs at a time.
    Foreground,
    /// Beside all others.
    Beside,
}

/// A command that was started.
#[derive(Debug)]
pub struct Started {
    /// State at its start.
    pub snapshot: Snapshot,
    /// Handle of the run, valid whatever is started after it.
    pub run: RunView,
    /// Permit of a wait, if the client waits.
    _permit: Option<Permit>,
}

/// The runs that a client lists.
#[derive(Clone, Debug, Default)]
pub struct RunsQuery {
    /// The most runs.
    pub limit: u64,
    /// Only those before the one with this id.
    pub before: Option<String>,
    /// Only those with this name.
    pub name: Option<String>,
    /// Only those in this state.
    pub status: Option<RunStatus>,
}

/// How many of the runs have to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// One of them.
    Any,
    /// All of them.
    All,
}

impl Shell {
    /// Creates the operations on these runs.
    #[must_use]
    pub fn new(runs: Arc<RunSet>, config: ShellConfig, audit: Audit) -> Self {
        let starts = ("starts and restarts are already waiting", "try again, or kill the command");
        let kills = ("kills are already waiting", "wait for one of them");
        Self {
            runs,
            config,
            streams: Permits::of_streams(config.streams_max),
            starts: Permits::new(WAITERS_MAX, starts),
            kills: Permits::new(WAITERS_MAX, kills),
            audit,
            started_at: Instant::now(),
        }
    }

    /// Returns the permits of requests that wait or stream.
    #[must_use]
    pub fn streams(&self) -> &Permits {
        &self.streams
    }

    /// Returns the runs.
    #[must_use]
    pub fn runs(&self) -> &Arc<RunSet> {
        &self.runs
    }

    /// Starts a command. `waits` says whether the client will wait for its output or its end.
    /// Blocks until the command was executed.
    ///
    /// # Errors
    /// Errors of `RunSet::start`; `Invalid` for a field out of range; `TooManyRequests`.
    pub fn start(
        &self,
        client: &dyn Client,
        request: &RunRequest,
        place: Place,
        waits: bool,
    ) -> Result<Started> {
        let mut change = Change::of_start(request);
        let spec = request.spec(self.config.clears_environment)?;
        let permit = waits.then(|| self.streams.take()).transpose()?;
        let start_permit = self.starts.take()?;
        let started = match place {
            Place::Foreground => self.runs.foreground().start_with_handle(&spec),
            Place::Beside => self.runs.start(&spec),
        };
        let started = started.map_err(Error::from);
        drop(start_permit);
        change.run_id = started.as_ref().ok().map(|(_, run)| run.id());
        self.audit.record(client, &change, &started);
        let (snapshot, run) = started?;
        Ok(Started { snapshot, run, _permit: permit })
    }

    /// Returns the last foreground run.
    ///
    /// # Errors
    /// `NeverStarted`, or `NotStartedSince` with the last run before the server started.
    pub fn last_run(&self) -> Result<RunView> {
        let foreground = self.runs.foreground();
        foreground.last_run().map_err(|error| match foreground.run_records().first() {
            Some(last) if self.runs.events().starts() == 0 => {
                Error::NotStartedSince { run_id: last.run_id.clone() }
            }
            _ => error.into(),
        })
    }

    /// Returns the run that a request is about.
    ///
    /// # Errors
    /// Those of [`Self::last_run`]; `AnotherRun`, `NoSuchRun`.
    pub fn find(&self, which: Which<'_>) -> Result<FoundRun> {
        match which {
            Which::Run(run) => Ok(self.runs.find(run)?),
            Which::Foreground(only) => {
                let (run, manager) = (self.last_run()?, Arc::clone(self.runs.foreground()));
                run.check_is(only)?;
                Ok(FoundRun::Managed(ManagedRun { manager, run }))
            }
        }
    }

    /// Returns the manager of a run, and the id that the run must still have when it acts. `past`
    /// is the error for a run that is over.
    fn manager_of(
        &self,
        which: Which<'_>,
        past: fn(&PastRun) -> runs::Error,
    ) -> Result<(Arc<ProcessManager>, Option<String>)> {
        match which {
            Which::Foreground(only) => {
                Ok((Arc::clone(self.runs.foreground()), only.map(str::to_owned)))
            }
            Which::Run(run) => match self.runs.find(run)? {
                FoundRun::Managed(found) => {
                    let only = Some(found.run.id().to_owned());
                    Ok((found.manager, only))
                }
                FoundRun::Past(run) => Err(past(&run).into()),
            },
        }
    }

    fn running_manager(&self, which: Which<'_>) -> Result<(Arc<ProcessManager>, Option<String>)> {
        self.manager_of(which, PastRun::not_running)
    }

    /// Records a change of the run that a manager has, or that was asked for.
    fn record<T>(
        &self,
        client: &dyn Client,
        change: Change<'_>,
        (manager, only): (&ProcessManager, Option<&str>),
        result: &Result<T>,
    ) {
        let run = manager.last_run().ok();
        let run_id = only.or_else(|| run.as_ref().map(RunView::id));
        self.audit.record(client, &Change { run_id, ..change }, result);
    }

    /// Waits for output or the end of a run, for `wait` at most, or until the client has left.
    ///
    /// # Errors
    /// `TooManyRequests`; `Log` if the log cannot be read.
    pub fn wait(
        &self,
        client: &dyn Client,
        run: &RunView,
        mark: &OutputMark,
        until: &Until,
        wait: Duration,
    ) -> Result<Waited> {
        let _permit = self.streams.take()?;
        self.wait_for_started(client, run, mark, until, wait)
    }

    /// Waits like [`Self::wait`] for a run whose start took the permit.
    ///
    /// # Errors
    /// `Log` if the log cannot be read.
    pub fn wait_for_started(
        &self,
        client: &dyn Client,
        run: &RunView,
        mark: &OutputMark,
        until: &Until,
        wait: Duration,
    ) -> Result<Waited> {
        wait_until(client, &RunSource::of_view(run.clone()), mark, until, wait)
    }

    /// Waits until one or all of these runs have ended, for `wait` at most, or until the client has
    /// left. Returns them in this order.
    ///
    /// # Errors
    /// `Invalid` for none, or too many; `NoSuchRun`; `TooManyRequests`.
    pub fn wait_for_runs(
        &self,
        client: &dyn Client,
        names: &[String],
        wanted: WaitFor,
        wait: Duration,
    ) -> Result<RunsWaitResponse> {
        if names.is_empty() || names.len() > WAITED_RUNS_MAX {
            return Err(Error::Invalid(format!(
                "The parameter run was given {} times: give 1 to {WAITED_RUNS_MAX} runs.",
                names.len()
            )));
        }
        let found = names.iter().map(|name| Ok(self.runs.find(name)?));
        let found: Vec<FoundRun> = found.collect::<Result<_>>()?;
        let _permit = self.streams.take()?;
        let has_ended = |run: &FoundRun| match run {
            FoundRun::Managed(found) => found.run.log().snapshot().is_over,
            FoundRun::Past(past) => past.record.end.is_some(),
        };
        waits::wait(client, wait, |until| {
            self.runs.wait_for_ends(until, || match wanted {
                WaitFor::Any => found.iter().any(has_ended),
                WaitFor::All => found.iter().all(has_ended),
            })
        });
        let (mut runs, mut ended) = (Vec::new(), Vec::new());
        for run in found {
            let is_over = has_ended(&run);
            let status = ProcessStatus::from(run);
            if is_over {
                ended.push(status.run_id.clone());
            }
            runs.push(status);
        }
        Ok(RunsWaitResponse { runs, ended })
    }

    /// Ends a run with its process tree. Blocks until no process of it is left, or 5 s after
    /// SIGKILL.
    ///
    /// # Errors
    /// `NeverStarted`, `NoSuchRun`, `AnotherRun`, `AlreadyEnded`; `TooManyRequests`.
    pub fn kill(
        &self,
        client: &dyn Client,
        which: Which<'_>,
        signal: Signal,
    ) -> Result<KillResponse> {
        let _permit = self.kills.take()?;
        let (manager, only) = self.manager_of(which, PastRun::already_ended)?;
        let killed = manager.kill(signal, only.as_deref()).map_err(Error::from);
        let change = Change { signal: Some(signal.to_string()), ..Change::new("kill") };
        self.record(client, change, (&manager, only.as_deref()), &killed);
        Ok(KillResponse::new(killed?, signal))
    }

    /// Ends a run and starts its command again. Blocks for both.
    ///
    /// # Errors
    /// Errors of `RunSet::restart`; `AnotherRun`; `TooManyRequests`.
    pub fn restart(
        &self,
        client: &dyn Client,
        which: Which<'_>,
        timeout: Option<Duration>,
    ) -> Result<ProcessStatus> {
        let _permit = self.starts.take()?;
        let timeout = timeout.unwrap_or(self.config.restart_timeout);
        let restarted = match which {
            Which::Foreground(only) => self.runs.foreground().restart(timeout, only),
            Which::Run(run) => self.runs.restart(run, timeout),
        };
        let restarted = restarted.map_err(Error::from);
        let run_id = restarted.as_ref().ok().map(|run| run.run_id.as_str());
        let change = Change { run_id, ..Change::new("restart") };
        self.audit.record(client, &change, &restarted);
        Ok(restarted?.into())
    }

    /// Sends a signal to the process tree of a run. Does not wait for its effect.
    ///
    /// # Errors
    /// `NeverStarted`, `NoSuchRun`, `AnotherRun`, `NotRunning`.
    pub fn signal(
        &self,
        client: &dyn Client,
        which: Which<'_>,
        signal: Signal,
    ) -> Result<ProcessStatus> {
        let (manager, only) = self.running_manager(which)?;
        let sent = manager.signal(signal, only.as_deref()).map_err(Error::from);
        let change = Change { signal: Some(signal.to_string()), ..Change::new("signal") };
        self.record(client, change, (&manager, only.as_deref()), &sent);
        Ok(sent?.snapshot().into())
    }

    /// Writes to the stdin of a run. Blocks up to 5 s while the program does not read. The permit
    /// is one of [`Self::streams`], taken before the data was read.
    ///
    /// # Errors
    /// `NeverStarted`, `NoSuchRun`, `AnotherRun`, `NotRunning`, `StdinNotOpen`.
    pub fn write_stdin(
        &self,
        client: &dyn Client,
        _: &Permit,
        which: Which<'_>,
        data: &[u8],
        ends: EndsInput,
    ) -> Result<Written> {
        let (manager, only) = self.running_manager(which)?;
        let written = manager.write_stdin(data, ends, only.as_deref()).map_err(Error::from);
        let change = Change { bytes: Some(data.len()), ..Change::new("write_stdin") };
        self.record(client, change, (&manager, only.as_deref()), &written);
        written
    }

    /// Sets the size of a run's terminal.
    ///
    /// # Errors
    /// `NeverStarted`, `NoSuchRun`, `AnotherRun`, `NotRunning`, `NoTerminal`.
    pub fn resize(
        &self,
        client: &dyn Client,
        which: Which<'_>,
        size: TerminalSize,
    ) -> Result<ProcessStatus> {
        let (manager, only) = self.running_manager(which)?;
        let resized = manager.resize(size, only.as_deref()).map_err(Error::from);
        self.record(client, Change::new("resize"), (&manager, only.as_deref()), &resized);
        Ok(resized?.snapshot().into())
    }

    /// Forgets a run that is over, with its log.
    ///
    /// # Errors
    /// `NoSuchRun`, `StillLives`.
    pub fn forget(&self, client: &dyn Client, run: &str) -> Result<()> {
        let forgotten = self.runs.forget(run).map_err(Error::from);
        let run_id = forgotten.as_deref().unwrap_or(run);
        let change = Change { run_id: Some(run_id), ..Change::new("delete") };
        self.audit.record(client, &change, &forgotten);
        forgotten.map(drop)
    }

    /// Returns runs, the newest first.
    ///
    /// # Errors
    /// `NoSuchRun` if there is none with the id `before`.
    pub fn list(&self, query: RunsQuery) -> Result<RunsResponse> {
        let RunsQuery { limit, before, name, status } = query;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let filter = RunFilter { name, before, limit };
        let is_listed = |run: &_| status.is_none_or(|status| status_of(run) == status);
        let (runs, total, has_more) = self.runs.list(&filter, is_listed)?;
        let runs: Vec<ProcessStatus> = runs.into_iter().map(ProcessStatus::from).collect();
        let next = runs.last().filter(|_| has_more).map(|run| run.run_id.clone());
        Ok(RunsResponse { runs, total, next })
    }

    /// Returns the log of a run.
    ///
    /// # Errors
    /// `LogGone`; `Log` if it cannot be read.
    pub fn log_of(&self, found: FoundRun) -> Result<RunSource> {
        match found {
            FoundRun::Managed(found) => Ok(RunSource::of_view(found.run)),
            FoundRun::Past(past) => {
                let run_id = past.record.run_id.clone();
                let log = self.runs.log_of(&FoundRun::Past(past.clone()))?;
                let status = move || ProcessStatus::from(FoundRun::Past(past.clone())).json();
                let name = Named::Run { log_file: log.name().to_owned(), run_id };
                Ok(RunSource { name, log, status: Box::new(status) })
            }
        }
    }

    /// Returns lines of a run's log, after the wait of the query.
    ///
    /// # Errors
    /// Errors of [`Self::find`] and [`Self::log_of`]; `Log` if it cannot be read;
    /// `TooManyRequests`.
    pub fn logs(
        &self,
        client: &dyn Client,
        which: Which<'_>,
        query: LogQuery,
    ) -> Result<LogsResponse> {
        let source = self.log_of(self.find(which)?)?;
        let (query, _permit) = log_page::begin_read(client, query, &source, &self.streams)?;
        log_page::logs_response(&source, &query)
    }

    /// Returns the health of the server, which is healthy if it answers.
    #[must_use]
    pub fn health(&self) -> HealthResponse {
        HealthResponse {
            status: ServerHealth::Healthy,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.started_at.elapsed().as_secs(),
        }
    }
}

impl Audited for Shell {
    fn audit(&self) -> &Audit {
        &self.audit
    }
}
