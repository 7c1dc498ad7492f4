//! Operations on the command of an LLM Shell.

use super::audit::{Audit, Audited, Change};
use super::client::Client;
use super::error::{Error, Result};
use super::log_page;
use super::log_query::{LogQuery, fitting_seconds};
use super::run_source::RunSource;
use super::source::Named;
use super::waits;
use crate::logs::RunLog;
use crate::permits::{Permit, Permits};
use crate::process::{Signal, TerminalSize};
use crate::protocol::{
    HealthResponse, KillResponse, LogsResponse, ProcessStatus, ServerHealth, StartRequest,
};
use crate::runs::{EndsInput, ProcessManager, RunView, Snapshot};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most starts and restarts that wait for each other, and the most kills that wait for an end.
/// The other connections are left to requests that do not wait.
const WAITERS_MAX: usize = 64;

/// The operations on the command of an LLM Shell, for the clients of one server.
#[derive(Debug)]
pub struct Shell {
    manager: Arc<ProcessManager>,
    restart_timeout: Duration,
    /// Permits of requests that wait or stream as long as the client wants.
    streams: Permits,
    /// Permits of starts and restarts, which run one at a time.
    starts: Permits,
    /// Permits of kills, which are accepted however many starts wait.
    kills: Permits,
    audit: Audit,
    started_at: Instant,
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

impl Shell {
    /// Creates the operations on a manager's command. `restart_timeout` is the grace period of
    /// a restart that gives none; at most `streams_max` requests wait or stream at once.
    #[must_use]
    pub fn new(
        manager: Arc<ProcessManager>,
        restart_timeout: Duration,
        streams_max: usize,
        audit: Audit,
    ) -> Self {
        let starts = ("starts and restarts are already waiting", "try again, or kill the command");
        let kills = ("kills are already waiting", "wait for one of them");
        Self {
            manager,
            restart_timeout,
            streams: Permits::of_streams(streams_max),
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

    /// Returns the manager of the command.
    #[must_use]
    pub fn manager(&self) -> &Arc<ProcessManager> {
        &self.manager
    }

    /// Starts a command. `waits` says whether the client will wait for its end. Blocks until the
    /// command was executed.
    ///
    /// # Errors
    /// Errors of `ProcessManager::start`; `Invalid` for a field out of range; `TooManyRequests`.
    pub fn start(
        &self,
        client: &dyn Client,
        request: &StartRequest,
        waits: bool,
    ) -> Result<Started> {
        let timeout = fitting_seconds("timeout", request.timeout)?;
        let mut change = Change::of_start(request);
        let spec = request.clone().spec(timeout)?;
        let permit = waits.then(|| self.streams.take()).transpose()?;
        let start_permit = self.starts.take()?;
        let started = self.manager.start_with_handle(&spec).map_err(Error::from);
        drop(start_permit);
        change.run_id = started.as_ref().ok().map(|(_, run)| run.id());
        self.audit.record(client, &change, &started);
        let (snapshot, run) = started?;
        Ok(Started { snapshot, run, _permit: permit })
    }

    /// Records a change of the last run.
    fn record<T>(&self, client: &dyn Client, change: Change<'_>, result: &Result<T>) {
        let run = self.manager.last_run().ok();
        let change = Change { run_id: run.as_ref().map(RunView::id), ..change };
        self.audit.record(client, &change, result);
    }

    /// Returns the last run.
    ///
    /// # Errors
    /// `NeverStarted`, or `NotStartedSince` with the last run before the server started.
    pub fn last_run(&self) -> Result<RunView> {
        self.manager.last_run().map_err(|error| match self.manager.run_records().first() {
            Some(last) => Error::NotStartedSince { run_id: last.run_id.clone() },
            None => error.into(),
        })
    }

    /// Waits for the end of a run, at most for `wait`, or until the client has left.
    ///
    /// # Errors
    /// `TooManyRequests`.
    pub fn wait_for_end(&self, client: &dyn Client, run: &RunView, wait: Duration) -> Result<()> {
        let _permit = self.streams.take()?;
        self.wait_for_end_of_started(client, run, wait);
        Ok(())
    }

    /// Waits like [`Self::wait_for_end`] for a run whose start took the permit.
    pub fn wait_for_end_of_started(&self, client: &dyn Client, run: &RunView, wait: Duration) {
        let log = run.log();
        waits::wait(client, wait, |until| {
            log.wait_until(until, |snapshot| snapshot.is_over);
            log.snapshot().is_over
        });
    }

    /// Ends the command with its process tree. Blocks until no process of it is left, or 5 s after
    /// SIGKILL.
    ///
    /// # Errors
    /// `NeverStarted`, `AlreadyEnded`; `TooManyRequests`.
    pub fn kill(&self, client: &dyn Client, signal: Signal) -> Result<KillResponse> {
        let _permit = self.kills.take()?;
        let killed = self.manager.kill(signal).map_err(Error::from);
        let change = Change { signal: Some(signal.to_string()), ..Change::new("kill") };
        self.record(client, change, &killed);
        Ok(KillResponse::new(killed?, signal))
    }

    /// Ends the command and starts it again. Blocks for both.
    ///
    /// # Errors
    /// Errors of `ProcessManager::restart`; `TooManyRequests`.
    pub fn restart(&self, client: &dyn Client, timeout: Option<Duration>) -> Result<ProcessStatus> {
        let _permit = self.starts.take()?;
        let timeout = timeout.unwrap_or(self.restart_timeout);
        let restarted = self.manager.restart(timeout).map_err(Error::from);
        self.record(client, Change::new("restart"), &restarted);
        Ok(restarted?.into())
    }

    /// Sends a signal to the process tree. Does not wait for its effect.
    ///
    /// # Errors
    /// `NeverStarted`, `NotRunning`.
    pub fn signal(&self, client: &dyn Client, signal: Signal) -> Result<ProcessStatus> {
        let sent = self.manager.signal(signal).map_err(Error::from);
        let change = Change { signal: Some(signal.to_string()), ..Change::new("signal") };
        self.record(client, change, &sent);
        Ok(sent?.snapshot().into())
    }

    /// Writes to the command's stdin. Blocks up to 5 s while the program does not read; returns how
    /// many bytes it took. The permit is one of [`Self::streams`], taken before the data was read.
    ///
    /// # Errors
    /// `NeverStarted`, `NotRunning`, `StdinNotOpen`.
    pub fn write_stdin(
        &self,
        client: &dyn Client,
        _: &Permit,
        data: &[u8],
        ends: EndsInput,
    ) -> Result<usize> {
        let written = self.manager.write_stdin(data, ends).map_err(Error::from);
        let change = Change { bytes: Some(data.len()), ..Change::new("write_stdin") };
        self.record(client, change, &written);
        written
    }

    /// Sets the size of the command's terminal.
    ///
    /// # Errors
    /// `NeverStarted`, `NotRunning`, `NoTerminal`.
    pub fn resize(&self, client: &dyn Client, size: TerminalSize) -> Result<ProcessStatus> {
        let resized = self.manager.resize(size).map_err(Error::from);
        self.record(client, Change::new("resize"), &resized);
        Ok(resized?.snapshot().into())
    }

    /// Returns the last `limit` runs, the newest first.
    #[must_use]
    pub fn runs(&self, limit: u64) -> Vec<ProcessStatus> {
        let runs = self.manager.runs(usize::try_from(limit).unwrap_or(usize::MAX));
        runs.into_iter().map(ProcessStatus::from).collect()
    }

    /// Returns one run.
    ///
    /// # Errors
    /// `NoSuchRun`.
    pub fn run(&self, run_id: &str) -> Result<ProcessStatus> {
        Ok(self.manager.run(run_id)?.into())
    }

    /// Returns the log of a run, from its view.
    #[must_use]
    pub fn log_of_view(&self, run: RunView) -> RunSource {
        let (log, run_id) = (Arc::clone(run.log()), run.id().to_owned());
        let status = Box::new(move || ProcessStatus::from(run.snapshot()).json());
        RunSource { name: named(&log, run_id), log, status }
    }

    /// Returns the log of a run.
    ///
    /// # Errors
    /// `NoSuchRun`, `LogGone`.
    pub fn log_of(&self, run_id: &str) -> Result<RunSource> {
        let log = self.manager.log_of(run_id)?;
        let (manager, id) = (Arc::clone(&self.manager), run_id.to_owned());
        let status = move || manager.run(&id).map(|run| ProcessStatus::from(run).json());
        let status = Box::new(move || status().unwrap_or_default());
        Ok(RunSource { name: named(&log, run_id.to_owned()), log, status })
    }

    /// Returns lines of a run's log, after the wait of the query.
    ///
    /// # Errors
    /// Errors of [`Self::log_of`]; `Log` if it cannot be read; `TooManyRequests`.
    pub fn logs(&self, client: &dyn Client, run_id: &str, query: LogQuery) -> Result<LogsResponse> {
        let source = self.log_of(run_id)?;
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

fn named(log: &RunLog, run_id: String) -> Named {
    Named::Run { log_file: log.name().to_owned(), run_id }
}
