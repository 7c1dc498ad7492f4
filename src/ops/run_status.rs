//! Conversions between bodies of the LLM Shell and the state of runs.

use super::error::{Error, Result};
use super::log_query::fitting_seconds;
use crate::logs::{RunRecord, format_instant, now};
use crate::process::{Input, Signal, TerminalSize};
use crate::protocol::{
    KillResponse, Leftover, ProcessStatus, Pty, RunRequest, RunStatus, ShellName, Size,
    UnkilledProcess, is_run_name, seconds,
};
use crate::runs::{EndedLeftover, FoundRun, KillReport, PastRun, RunSpec, SessionShell, Snapshot};
use serde_json::Value;

impl TryFrom<Size> for TerminalSize {
    type Error = Error;

    fn try_from(size: Size) -> Result<Self> {
        match size {
            Size { rows: 1.., cols: 1.. } => Ok(Self { rows: size.rows, cols: size.cols }),
            _ => Err(Error::Invalid(
                "A terminal has at least one row and one column: give rows and cols from 1 to \
                 65535."
                    .to_owned(),
            )),
        }
    }
}

impl RunRequest {
    /// Returns the specification of the run. `clears_environment` is the default of `clear_env`.
    ///
    /// # Errors
    /// `Invalid` for a terminal without a size, a duration out of range, or an invalid name.
    pub fn spec(&self, clears_environment: bool) -> Result<RunSpec> {
        let timeout = fitting_seconds("timeout", self.timeout)?;
        let spec = self.command_or_session()?;
        if let Some(name) = self.name.as_deref().filter(|name| !is_run_name(name)) {
            return Err(Error::Invalid(format!(
                "The name {name:?} is invalid: use 1 to 64 letters, digits, `.`, `_` and `-`; not \
                 `.`, `..`, `wait` or 16 hexadecimal digits."
            )));
        }
        let input = match self.pty {
            Pty::Of(size) => Input::Terminal(size.try_into()?),
            Pty::Is(true) => Input::Terminal(TerminalSize::default()),
            // The commands of a session may want it.
            Pty::Is(false) if self.stdin || self.session => Input::Pipe,
            Pty::Is(false) => Input::Nothing,
        };
        let (directory, environment) = (self.cwd.clone(), self.env.clone());
        let clears_environment = self.clear_env.unwrap_or(clears_environment);
        let name = self.name.clone();
        Ok(RunSpec { name, directory, clears_environment, environment, input, timeout, ..spec })
    }

    /// Returns the specification of the command alone, or of the session.
    fn command_or_session(&self) -> Result<RunSpec> {
        match (&self.command, self.session, self.shell) {
            (Some(command), false, None) => Ok(RunSpec::shell(command)),
            (None, true, None) => Ok(RunSpec::session(SessionShell::installed())),
            (None, true, Some(ShellName::Bash)) => Ok(RunSpec::session(SessionShell::Bash)),
            (None, true, Some(ShellName::Sh)) => Ok(RunSpec::session(SessionShell::Sh)),
            (None, false, _) => {
                Err(Error::Invalid("command is missing: give it, or \"session\": true.".into()))
            }
            (Some(_), true, _) => Err(Error::Invalid(
                "command and session exclude each other: start the session, then send the command \
                 to POST /runs/{run}/exec."
                    .into(),
            )),
            (Some(_), false, Some(_)) => {
                Err(Error::Invalid("shell needs \"session\": true: give both.".into()))
            }
        }
    }
}

impl From<Snapshot> for ProcessStatus {
    fn from(run: Snapshot) -> Self {
        let end = run.end.as_ref();
        Self {
            process_pid: run.pid,
            status: run.status(),
            created_at: format_instant(run.created_at),
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            signal: end.and_then(|end| end.outcome.signal()),
            ended_by: end.map(|end| end.by),
            command: run.command,
            log_file: run.log_name,
            run_id: run.run_id,
            name: run.name,
            uptime: seconds(run.uptime),
            cpu_percent: run.usage.cpu_percent,
            memory_mb: run.usage.memory_mb,
            idle: run.log.idle.map(seconds),
            pty: run.is_on_terminal,
            stdin_open: run.is_stdin_open,
            cwd: run.directory.to_string_lossy().into_owned(),
            leftover_pids: run.leftover_pids,
            ended_leftovers: leftovers(run.ended_leftovers),
            log_dropped_lines: run.log.dropped_lines,
            log_pending: run.is_log_pending,
        }
    }
}

impl From<FoundRun> for ProcessStatus {
    fn from(run: FoundRun) -> Self {
        match run {
            FoundRun::Managed(found) => Self::from(found.run.snapshot()),
            FoundRun::Past(past) => Self::of_the_past(*past),
        }
    }
}

impl ProcessStatus {
    /// Converts to a JSON value.
    #[must_use]
    pub fn json(self) -> Value {
        // A struct of strings, numbers and lists always serializes.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Returns the status of a past run. One without an end is being launched: runs lost by an
    /// earlier server were given an end when this one started.
    fn of_the_past(past: PastRun) -> Self {
        let PastRun { record: run, log_name } = past;
        let uptime = run.lasted().map_or(0.0, seconds);
        let end = run.end.as_ref();
        let silence = end.and_then(|end| end.output_at).map(|at| (now() - at).to_std());
        let idle = silence.map(|silence| seconds(silence.unwrap_or_default()));
        let status = status_of(&run);
        Self {
            process_pid: run.leader.map_or(0, |leader| leader.pid),
            status,
            created_at: format_instant(run.created_at),
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.exit_code),
            signal: end.and_then(|end| end.signal.clone()),
            ended_by: end.map(|end| end.ended_by),
            log_dropped_lines: end.map_or(0, |end| end.dropped_lines),
            command: run.command,
            log_file: log_name,
            run_id: run.run_id,
            name: run.name,
            uptime,
            cpu_percent: 0.0,
            memory_mb: 0.0,
            idle,
            pty: run.pty,
            stdin_open: false,
            cwd: run.cwd,
            leftover_pids: Vec::new(),
            ended_leftovers: Vec::new(),
            log_pending: false,
        }
    }
}

/// Returns whether a run goes on, and if not, how it ended.
#[must_use]
pub fn status_of(run: &RunRecord) -> RunStatus {
    run.end.as_ref().map_or(RunStatus::Running, |end| end.ended_by.status())
}

impl KillResponse {
    /// Creates the answer to a kill with this signal.
    #[must_use]
    pub fn new(report: KillReport, signal: Signal) -> Self {
        let end = report.end;
        let left = report.left.into_iter();
        // A process that survives SIGKILL is not reported as dead.
        let status = end.map_or(RunStatus::Running, |end| end.status());
        Self {
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            kind: signal.to_string(),
            status,
            signal: end.and_then(|end| end.outcome.signal()),
            left: left
                .map(|left| UnkilledProcess { pid: left.pid, why: left.why.to_owned() })
                .collect(),
            ended_leftovers: leftovers(report.ended_leftovers),
        }
    }
}

fn leftovers(ended: Vec<EndedLeftover>) -> Vec<Leftover> {
    ended.into_iter().map(|EndedLeftover { pid, command }| Leftover { pid, command }).collect()
}
