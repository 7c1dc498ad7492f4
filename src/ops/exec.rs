//! Commands of sessions.

use super::audit::{Audited, Change};
use super::client::Client;
use super::error::{Error, Result};
use super::log_page::logs_response;
use super::log_query::LogQuery;
use super::run_source::RunSource;
use super::shell::{Shell, Which};
use super::source::{Named, RunMark, Source};
use super::until::{OutputMark, Until, wait_until};
use crate::logs::{LogSeries, LogSnapshot, RunLog, Selection};
use crate::protocol::{ExecRequest, ExecResponse, LogsResponse};
use crate::runs::{self, Exec, ExecState, FoundRun, RunView, Session};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A command of a session, as the source of its output: it is over when the command has ended,
/// although the run goes on.
pub struct ExecSource {
    run: RunSource,
    exec: Arc<Exec>,
}

impl ExecSource {
    /// Creates the source of a command of this run.
    #[must_use]
    pub fn new(run: RunView, exec: Arc<Exec>) -> Self {
        Self { run: RunSource::of_view(run), exec }
    }

    /// Returns the mark after what was printed before the command.
    fn mark(&self) -> OutputMark {
        OutputMark::after(self.exec.state().after)
    }

    /// Waits for output or the end of the command, if the client waits, and returns its state then.
    ///
    /// # Errors
    /// `Log` if the log cannot be read.
    pub fn answer(
        &self,
        client: &dyn Client,
        wait: Option<(&Until, Duration)>,
        mut query: LogQuery,
    ) -> Result<ExecResponse> {
        if let Some((until, wait)) = wait {
            query.waited = Some(wait_until(client, self, &self.mark(), until, wait)?);
        }
        // Read before the log: if it has ended, all of its output is there.
        let ExecState { number, running, exit_code, cwd, has_ended_session, end_line, .. } =
            self.exec.state();
        if let Some(end_line) = end_line {
            query = query.up_to(end_line);
        }
        let output = LogsResponse { running, ..logs_response(self, &query)? };
        let session_ended = has_ended_session;
        Ok(ExecResponse { number, exit_code, cwd, running, session_ended, output })
    }

    /// Returns the id of the session's run.
    #[must_use]
    pub fn run_id(&self) -> String {
        match self.run.name() {
            Named::Run { run_id, .. } => run_id,
            Named::Service { name } => name,
        }
    }

    /// Returns the number of the last line before the command.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.exec.state().after
    }
}

impl Source for ExecSource {
    fn name(&self) -> Named {
        self.run.name()
    }

    fn line_numbers(&self) -> Range<u64> {
        self.run.line_numbers()
    }

    fn series(&self, selection: &Selection) -> Result<LogSeries> {
        self.run.series(selection)
    }

    fn is_over(&self) -> bool {
        !self.exec.state().running
    }

    fn wait(&self, deadline: Instant, is_news: &mut dyn FnMut(&LogSnapshot) -> bool) {
        let log = &self.run.log;
        log.wait_until(deadline, |snapshot| {
            is_news(snapshot) || snapshot.is_over || self.is_over()
        });
    }

    fn is_running(&self) -> bool {
        !self.is_over()
    }

    fn status(&self) -> Value {
        self.run.status()
    }

    fn run_marks(&self) -> Vec<RunMark> {
        Vec::new()
    }

    fn transition_count(&self) -> u64 {
        0
    }

    fn last_log(&self) -> Option<Arc<RunLog>> {
        self.run.last_log()
    }
}

impl Shell {
    /// Starts a command in a session. Does not block.
    ///
    /// # Errors
    /// `NoSuchRun`, `NotRunning`, `NoSession`; those of `Session::exec`.
    pub fn exec(
        &self,
        client: &dyn Client,
        run: &str,
        request: &ExecRequest,
    ) -> Result<ExecSource> {
        let (view, session) = self.session(run)?;
        let ExecRequest { command, stdin, .. } = request;
        let exec = session.exec(runs::ExecRequest { command, stdin: *stdin });
        let exec = exec.map_err(Error::from);
        let change = Change {
            run_id: Some(view.id()),
            command: Some(command.clone().into()),
            ..Change::new("exec")
        };
        self.audit().record(client, &change, &exec);
        Ok(ExecSource::new(view.clone(), exec?))
    }

    /// Returns the last command of a session.
    ///
    /// # Errors
    /// `NoSuchRun`, `NoSession`, `NoCommand`.
    pub fn last_exec(&self, run: &str) -> Result<ExecSource> {
        let FoundRun::Managed(found) = self.find(Which::Run(run))? else {
            return Err(runs::Error::NoSession { run_id: run.to_owned() }.into());
        };
        let view = found.run;
        let no_session = || runs::Error::NoSession { run_id: view.id().to_owned() };
        let last = view.session().ok_or_else(no_session)?.last_exec();
        let no_command = || runs::Error::NoCommand { run_id: view.id().to_owned() };
        let exec = last.ok_or_else(no_command)?;
        Ok(ExecSource::new(view, exec))
    }

    /// Returns a live session.
    fn session(&self, run: &str) -> Result<(RunView, Arc<Session>)> {
        let view = match self.find(Which::Run(run))? {
            FoundRun::Past(past) => return Err(past.not_running().into()),
            FoundRun::Managed(found) => found.run,
        };
        let no_session = || runs::Error::NoSession { run_id: view.id().to_owned() };
        let session = Arc::clone(view.session().ok_or_else(no_session)?);
        Ok((view, session))
    }
}
