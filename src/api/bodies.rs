//! The bodies of requests and answers of the LLM Shell: field names are part of the contract.

use super::parameters;
use super::talking::Size;
use super::whole::whole_or_null;
use crate::error::Result;
use crate::logs::{format_instant, now};
use crate::manager::{
    EndedBy, EndedLeftover, KillReport, PastRun, RunInfo, RunSpec, RunStatus, Snapshot,
};
use crate::process::{Input, Signal, TerminalSize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use utoipa::ToSchema;

/// What POST /start takes.
#[derive(Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// What the shell is to run.
    #[schema(
        max_length = 131_071,
        pattern = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$",
        example = "make -j4"
    )]
    pub command: String,
    /// The directory that it starts in.
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>)]
    pub cwd: Option<PathBuf>,
    /// What is added to the server's environment; null removes a name.
    #[serde(default)]
    #[schema(default = json!({}), example = json!({"LANG": "C", "DISPLAY": null}))]
    pub env: BTreeMap<String, Option<String>>,
    /// Whether it can be written to.
    #[serde(default)]
    #[schema(default = false)]
    pub stdin: bool,
    /// Whether it runs on a terminal, or of which size that is.
    #[serde(default)]
    #[schema(default = false)]
    pub pty: Pty,
    /// How long it may run before it is ended, in seconds.
    #[schema(minimum = 0, maximum = 86_400)]
    pub timeout: Option<f64>,
    /// How long to wait for its end before answering, in seconds.
    #[schema(minimum = 0, maximum = 600)]
    pub wait: Option<f64>,
    /// How much of its output is answered then, in bytes.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schema(minimum = 256, maximum = 1_048_576)]
    #[schemars(range(min = 256, max = 1_048_576))]
    pub max_bytes: Option<u64>,
}

/// Whether a command runs on a terminal.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(untagged, expecting = "expected true, false, or {\"rows\": 24, \"cols\": 80}")]
pub enum Pty {
    /// On one of the usual size, or on none.
    Is(bool),
    /// On one of this size.
    Of(Size),
}

impl Default for Pty {
    fn default() -> Self {
        Self::Is(false)
    }
}

impl StartRequest {
    /// What is to be run.
    ///
    /// # Errors
    /// `Input` for a terminal without a size.
    pub fn spec(self) -> Result<RunSpec> {
        let input = match self.pty {
            Pty::Of(size) => Input::Terminal(size.try_into()?),
            Pty::Is(true) => Input::Terminal(TerminalSize::default()),
            Pty::Is(false) if self.stdin => Input::Pipe,
            Pty::Is(false) => Input::Nothing,
        };
        let timeout = parameters::fitting_seconds("timeout", self.timeout)?;
        let (directory, environment) = (self.cwd, self.env);
        let spec = RunSpec::shell(&self.command);
        Ok(RunSpec { directory, environment, input, timeout, ..spec })
    }
}

/// What is told of a run.
#[derive(Debug, Deserialize, JsonSchema, Serialize, ToSchema)]
pub struct ProcessStatus {
    /// The number of its own process.
    pub process_pid: i32,
    /// What the shell was given to run.
    pub command: String,
    /// `running`, `exited` by itself, or `killed` by us or a signal.
    #[schema(value_type = RunStatus)]
    pub status: String,
    /// When it was started.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its own process ended.
    #[schema(required, format = DateTime)]
    pub stopped_at: Option<String>,
    /// Its exit status, or minus the number of the signal that ended it.
    #[schema(required)]
    pub exit_code: Option<i32>,
    /// The file that its output is in.
    pub log_file: String,
    /// The name of the signal that ended it.
    #[schema(required)]
    pub signal: Option<String>,
    /// What ended it: `itself`, `kill`, `restart`, `reload`, `timeout`, `health`, `shutdown`,
    /// `signal`, or `lost` with a killed server.
    #[schema(required, value_type = Option<EndedBy>)]
    pub ended_by: Option<String>,
    /// What it is called, in our answers and as `RUN_ID` in its environment.
    pub run_id: String,
    /// Seconds from its start to its end, or to now.
    pub uptime: f64,
    /// CPU of its whole tree, 100 a busy core.
    pub cpu_percent: f64,
    /// Memory of its whole tree, in MiB.
    pub memory_mb: f64,
    /// Seconds since its last output; null where it has printed nothing.
    #[schema(required)]
    pub idle: Option<f64>,
    /// Whether it runs on a terminal.
    pub pty: bool,
    /// Whether its input can be written to.
    pub stdin_open: bool,
    /// The directory that it was started in.
    pub cwd: String,
    /// Processes that it left behind.
    pub leftover_pids: Vec<i32>,
    /// What the run before had left behind and this one's start has ended; left out where there
    /// was nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_leftovers: Vec<Leftover>,
    /// Lines of its output that could not be written.
    pub log_dropped_lines: u64,
    /// True where it has ended and output of it is not on disk yet, because that does not answer.
    /// Left out otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_pending: bool,
}

/// Lines of a run's log.
#[derive(Debug, Deserialize, JsonSchema, Serialize, ToSchema)]
pub struct LogsResponse {
    /// The file that they are in.
    pub log_file: String,
    /// The run that printed them.
    pub run_id: String,
    /// How many lines the whole log has.
    pub total_lines: u64,
    /// The lines, with a line end between them.
    pub content: String,
    /// How many lines these are.
    pub lines_returned: u64,
    /// The number of the first of them.
    #[schema(required)]
    pub first: Option<u64>,
    /// The number of the last line that was looked at: give it as `after` for what is new.
    pub next: u64,
    /// Whether something was left out: to keep to `max_bytes`, or of a line over 16 MiB.
    pub truncated: bool,
    /// How many lines of those that were asked for are not in `content`, or not whole.
    #[serde(default)]
    #[schema(required)]
    pub omitted_lines: u64,
    /// Whether the command runs.
    pub running: bool,
    /// A last line that has not ended, where `after` was given: a prompt, maybe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// How many lines behind `after` are no longer kept: `content` begins behind those. Left out
    /// where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// True where `after` is beyond the log, or of another run: `content` begins with the first
    /// line. Left out otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cursor_reset: bool,
}

/// What POST /start answers where it was to wait.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartResponse {
    /// What became of the command.
    #[serde(flatten)]
    pub status: ProcessStatus,
    /// What it has printed.
    pub output: LogsResponse,
}

/// What GET /runs answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunsResponse {
    /// The newest first.
    pub runs: Vec<ProcessStatus>,
}

/// What POST /kill answers.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct KillResponse {
    /// When the command's own process ended.
    #[schema(required, format = DateTime)]
    stopped_at: Option<String>,
    /// Its exit status, or minus the number of the signal that ended it.
    #[schema(required)]
    exit_code: Option<i32>,
    /// The signal that was sent.
    #[serde(rename = "type")]
    kind: String,
    /// `killed`, `exited` where it had ended by itself before, or `running` where it withstood
    /// SIGKILL.
    #[schema(value_type = RunStatus)]
    status: &'static str,
    /// The name of the signal that ended it.
    #[schema(required)]
    signal: Option<String>,
    /// What could not be ended; left out where all is gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<Left>,
    /// What an ended run had left behind and is ended now; left out where there was nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ended_leftovers: Vec<Leftover>,
}

/// A process that a run had left behind.
#[derive(Debug, Deserialize, JsonSchema, Serialize, ToSchema)]
pub struct Leftover {
    /// Its number.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// A process that could not be ended.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct Left {
    /// Its number.
    pid: i32,
    /// Why it lives.
    why: &'static str,
}

/// What GET /health answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// `healthy`: an answer at all says so.
    pub status: &'static str,
    /// The server's version.
    pub version: &'static str,
    /// Whole seconds since the server was started.
    pub uptime: u64,
}

impl From<Snapshot> for ProcessStatus {
    fn from(run: Snapshot) -> Self {
        let end = run.end.as_ref();
        Self {
            process_pid: run.pid,
            status: run.status().word().to_owned(),
            created_at: format_instant(run.created_at),
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            signal: end.and_then(|end| end.outcome.signal()),
            ended_by: end.map(|end| end.by.word().to_owned()),
            command: run.command,
            log_file: run.log_name,
            run_id: run.run_id,
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

impl From<RunInfo> for ProcessStatus {
    fn from(run: RunInfo) -> Self {
        match run {
            RunInfo::Last(snapshot) => Self::from(*snapshot),
            RunInfo::Past(past) => Self::of_the_past(*past),
        }
    }
}

impl ProcessStatus {
    /// The same as a JSON value.
    #[must_use]
    pub fn json(self) -> Value {
        // A struct of texts, numbers and lists always has a JSON form.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// A run that is over. One without an end is being launched: those that a server before this
    /// one lost have had theirs since its start.
    fn of_the_past(past: PastRun) -> Self {
        let PastRun { record: run, log_name } = past;
        let uptime = run.lasted().map_or(0.0, seconds);
        let end = run.end.as_ref();
        let silence = end.and_then(|end| end.output_at).map(|at| (now() - at).to_std());
        let idle = silence.map(|silence| seconds(silence.unwrap_or_default()));
        let status = match end {
            None => RunStatus::Running,
            Some(end) if end.ended_by == EndedBy::Itself.word() => RunStatus::Exited,
            Some(_) => RunStatus::Killed,
        };
        Self {
            process_pid: run.pid,
            status: status.word().to_owned(),
            created_at: format_instant(run.created_at),
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.exit_code),
            signal: end.and_then(|end| end.signal.clone()),
            ended_by: end.map(|end| end.ended_by.clone()),
            log_dropped_lines: end.map_or(0, |end| end.dropped_lines),
            command: run.command,
            log_file: log_name,
            run_id: run.run_id,
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

impl KillResponse {
    /// What to tell of a kill with this signal.
    #[must_use]
    pub fn new(report: KillReport, signal: Signal) -> Self {
        let end = report.end;
        let left = report.left.into_iter();
        let status = match end {
            // A process that withstands SIGKILL is not told to be dead.
            None => RunStatus::Running,
            Some(end) if end.by == EndedBy::Itself => RunStatus::Exited,
            Some(_) => RunStatus::Killed,
        };
        Self {
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            kind: signal.to_string(),
            status: status.word(),
            signal: end.and_then(|end| end.outcome.signal()),
            left: left.map(|left| Left { pid: left.pid, why: left.why }).collect(),
            ended_leftovers: leftovers(report.ended_leftovers),
        }
    }
}

fn leftovers(ended: Vec<EndedLeftover>) -> Vec<Leftover> {
    ended.into_iter().map(|EndedLeftover { pid, command }| Leftover { pid, command }).collect()
}

/// Whether there is nothing to tell.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Seconds, to the millisecond.
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
