//! Bodies of the LLM Shell's requests and answers.

use super::numbers::{whole, whole_or_null};
use super::patterns;
use super::states::{EndedBy, RunStatus, ServerHealth, ShellName, WaitReason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Defines the body of a request that starts a command: the common fields, and those of one route.
macro_rules! start_request {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// Working directory.
            #[schemars(with = "Option<String>")]
            pub cwd: Option<PathBuf>,
            /// Variables added to the server's environment; null removes one.
            #[serde(default)]
            #[schemars(extend(
                "propertyNames" = {"pattern": patterns::VARIABLE_NAME},
                "additionalProperties" = {"type": ["string", "null"], "pattern": patterns::TEXT},
                "examples" = [{"LANG": "C", "DISPLAY": null}],
            ))]
            pub env: BTreeMap<String, Option<String>>,
            /// Whether it gets of the server's environment only PATH, HOME, USER, LANG and TERM.
            pub clear_env: Option<bool>,
            /// Whether stdin stays open for input.
            #[serde(default)]
            pub stdin: bool,
            /// Whether it runs on a terminal, or the size of the terminal.
            #[serde(default)]
            pub pty: Pty,
            /// Seconds after which it is killed.
            #[schemars(range(min = 0, max = 86_400))]
            pub timeout: Option<f64>,
            /// Seconds to wait before the answer, which then has the output.
            #[schemars(range(min = 0, max = 600))]
            pub wait: Option<f64>,
            /// What ends that wait, besides the end of the run: `line`, `end`, `match:REGEX` or
            /// `idle:SECONDS`.
            #[schemars(extend("default" = "end", "pattern" = patterns::UNTIL))]
            pub until: Option<String>,
            /// Maximum size of the output in that answer, in bytes.
            #[serde(default, deserialize_with = "whole_or_null")]
            #[schemars(range(min = 256, max = 1_048_576))]
            pub max_bytes: Option<u64>,
        }
    };
}

start_request! {
    /// Body of POST /start.
    pub struct StartRequest {
        /// Command, run by the shell.
        #[schemars(
            length(max = 131_071),
            extend("pattern" = patterns::TEXT_NOT_BLANK, "examples" = ["make -j4"])
        )]
        pub command: String,
    }
}

start_request! {
    /// Body of POST /runs: a command, or a session.
    pub struct RunRequest {
        /// Command, run by the shell.
        #[schemars(
            length(max = 131_071),
            extend("pattern" = patterns::TEXT_NOT_BLANK, "examples" = ["make -j4"])
        )]
        pub command: Option<String>,
        /// Whether to start a shell that keeps its state, and takes commands by
        /// `POST /runs/{run}/exec`.
        #[serde(default)]
        pub session: bool,
        /// The shell of a session: by default `bash` where it is installed, else `sh`.
        pub shell: Option<ShellName>,
        /// Name by which the run is found: 1 to 64 of `A-Z a-z 0-9 . _ -`, and not the form of an
        /// id.
        #[schemars(with = "Option<String>", extend("pattern" = patterns::RUN_NAME))]
        pub name: Option<String>,
    }
}

impl From<StartRequest> for RunRequest {
    fn from(request: StartRequest) -> Self {
        let StartRequest {
            command,
            cwd,
            env,
            clear_env,
            stdin,
            pty,
            timeout,
            wait,
            until,
            max_bytes,
        } = request;
        Self {
            command: Some(command),
            cwd,
            env,
            clear_env,
            stdin,
            pty,
            timeout,
            wait,
            until,
            max_bytes,
            ..Self::default()
        }
    }
}

/// Whether a command runs on a terminal.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true, false, or {\"rows\": 24, \"cols\": 80}")]
pub enum Pty {
    /// On a terminal of 24 rows and 80 columns, or on none.
    Is(bool),
    /// On a terminal of this size.
    Of(Size),
}

impl Pty {
    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Is(false))
    }
}

impl Default for Pty {
    fn default() -> Self {
        Self::Is(false)
    }
}

/// Body of POST /resize, and the size of a new terminal.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Height in lines.
    #[schemars(range(min = 1, max = 65_535))]
    #[serde(deserialize_with = "whole")]
    pub rows: u16,
    /// Width in characters.
    #[schemars(range(min = 1, max = 65_535))]
    #[serde(deserialize_with = "whole")]
    pub cols: u16,
}

/// Body of POST /stdin, as JSON.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdinRequest {
    /// Text to write.
    #[serde(default)]
    pub data: String,
    /// Keys to press after it, on a terminal: enter, tab, shift-tab, esc, space, backspace, delete,
    /// insert, up, down, left, right, home, end, page-up, page-down, f1 to f12, ctrl-c, alt-x, or a
    /// character.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Whether stdin is closed after it.
    #[serde(default)]
    pub eof: bool,
    /// Seconds to wait for what the command prints then, before the answer, which then has it.
    #[schemars(range(min = 0, max = 600))]
    pub wait: Option<f64>,
    /// What ends that wait, besides the end of the run: `line`, `end`, `match:REGEX` or
    /// `idle:SECONDS`.
    #[schemars(extend("default" = "line", "pattern" = patterns::UNTIL))]
    pub until: Option<String>,
    /// Maximum size of the output in that answer, in bytes.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576))]
    pub max_bytes: Option<u64>,
}

/// Answer to POST /stdin.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct StdinResponse {
    /// Number of bytes that the program took.
    pub written: usize,
    /// What was printed since. Omitted without `wait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<LogsResponse>,
}

/// The state of a run.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct ProcessStatus {
    /// PID of its own process.
    pub process_pid: i32,
    /// Command, as it was sent.
    pub command: String,
    /// Whether it is running and, if not, how it ended.
    pub status: RunStatus,
    /// Time of its start.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// Time at which its own process ended.
    #[schemars(extend("format" = "date-time"))]
    pub stopped_at: Option<String>,
    /// Exit status, or minus the number of the signal that ended it.
    pub exit_code: Option<i32>,
    /// Path of its log.
    pub log_file: String,
    /// Name of the signal that ended it.
    pub signal: Option<String>,
    /// Cause of its end.
    pub ended_by: Option<EndedBy>,
    /// Id of the run; the command has it as `RUN_ID` in its environment.
    pub run_id: String,
    /// Name of the run, if it was started with one.
    pub name: Option<String>,
    /// Seconds from its start to its end, or to now.
    pub uptime: f64,
    /// CPU usage of its process tree, 100 per busy core.
    pub cpu_percent: f64,
    /// Memory of its process tree, in MiB.
    pub memory_mb: f64,
    /// Seconds since its last output; null if it has printed nothing.
    pub idle: Option<f64>,
    /// Whether it runs on a terminal.
    pub pty: bool,
    /// Whether its stdin is open.
    pub stdin_open: bool,
    /// Working directory at its start.
    pub cwd: String,
    /// PIDs of processes that outlived it.
    pub leftover_pids: Vec<i32>,
    /// Processes left by the previous run that this start ended. Omitted if there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_leftovers: Vec<Leftover>,
    /// Number of output lines that could not be written to disk.
    pub log_dropped_lines: u64,
    /// True if it ended while output of it is not on disk yet, because the disk does not answer.
    /// Omitted otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_pending: bool,
}

/// A process that outlived its run and was ended.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct Leftover {
    /// PID.
    pub pid: i32,
    /// Command line.
    pub command: String,
}

/// Lines of a run's log.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct LogsResponse {
    /// Path of the log.
    pub log_file: String,
    /// Id of the run that printed them.
    pub run_id: String,
    /// Number of lines printed so far.
    pub total_lines: u64,
    /// The lines, separated by newlines.
    pub content: String,
    /// Number of lines in `content`.
    pub lines_returned: u64,
    /// Number of the first of them.
    pub first: Option<u64>,
    /// Number of the last line read: pass it as `after` for what follows.
    pub next: u64,
    /// Whether something was left out: to keep to `max_bytes`, or of a line over 16 MiB.
    pub truncated: bool,
    /// Number of requested lines that are missing from `content`, or not complete in it.
    #[serde(default)]
    pub omitted_lines: u64,
    /// Whether the command is running.
    pub running: bool,
    /// Last line, if it has no newline yet and `after` was given: a prompt, maybe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Number of lines after `after` that are no longer kept; `content` starts behind them. Omitted
    /// if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// True if `after` is beyond the log, or of another run: `content` starts at the first line.
    /// Omitted otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cursor_reset: bool,
    /// What ended the wait. Omitted without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<WaitReason>,
    /// The line that matched, without escape sequences. Omitted unless `reason` is `match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_line: Option<String>,
}

/// Answer to POST /start with `wait`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct StartResponse {
    /// State of the run.
    #[serde(flatten)]
    pub status: ProcessStatus,
    /// Its output.
    pub output: LogsResponse,
}

/// State of a run, after a wait for its output or its end.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WaitedStatus {
    /// State of the run.
    #[serde(flatten)]
    pub status: ProcessStatus,
    /// What ended the wait. Omitted without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<WaitReason>,
    /// The line that matched, without escape sequences. Omitted unless `reason` is `match`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_line: Option<String>,
}

/// Body of POST /runs/{run}/exec.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// Command for the session's shell, of any number of lines.
    #[schemars(extend("pattern" = patterns::TEXT_NOT_BLANK, "examples" = ["cd src && ls"]))]
    pub command: String,
    /// Whether its stdin is what is written to the session, and not empty.
    #[serde(default)]
    pub stdin: bool,
    /// Seconds to wait before the answer.
    #[schemars(range(min = 0, max = 600))]
    pub wait: Option<f64>,
    /// What ends that wait, besides the end of the command: `line`, `end`, `match:REGEX` or
    /// `idle:SECONDS`.
    #[schemars(extend("default" = "end", "pattern" = patterns::UNTIL))]
    pub until: Option<String>,
    /// Maximum size of the output in the answer, in bytes.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576))]
    pub max_bytes: Option<u64>,
}

/// A command of a session.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ExecResponse {
    /// Its number in the session, from 1.
    pub number: u64,
    /// Its exit status, as the shell has it in `$?`; null while it runs, and if it is unknown.
    pub exit_code: Option<i32>,
    /// The shell's working directory, before the command while that runs, then after it.
    pub cwd: String,
    /// Whether it is running.
    pub running: bool,
    /// Whether the shell has ended with it.
    pub session_ended: bool,
    /// What it has printed.
    pub output: LogsResponse,
}

/// Answer to GET /runs.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RunsResponse {
    /// Newest first.
    pub runs: Vec<ProcessStatus>,
    /// Number of all runs that the request selects.
    pub total: usize,
    /// Pass it as `before` for the runs before these; null if there are none.
    pub next: Option<String>,
}

/// Answer to GET /runs/wait.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RunsWaitResponse {
    /// The runs, in the order of the request.
    pub runs: Vec<ProcessStatus>,
    /// Ids of those that have ended.
    pub ended: Vec<String>,
}

/// Data of an event of GET /events of an LLM Shell.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RunEventBody {
    /// Id of the run.
    pub run_id: String,
    /// Name of the run, if it has one.
    pub name: Option<String>,
    /// Command, as it was sent.
    pub command: String,
    /// PID of its own process.
    pub process_pid: i32,
    /// Time of the event.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// State of the run.
    pub status: RunStatus,
    /// Exit status, or minus the number of the signal that ended it.
    pub exit_code: Option<i32>,
    /// Name of the signal that ended it.
    pub signal: Option<String>,
    /// Cause of its end.
    pub ended_by: Option<EndedBy>,
    /// The unfinished line. Only of a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Number of lines before it. Only of a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Answer to POST /kill.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct KillResponse {
    /// Time at which the command's own process ended.
    #[schemars(extend("format" = "date-time"))]
    pub stopped_at: Option<String>,
    /// Exit status, or minus the number of the signal that ended it.
    pub exit_code: Option<i32>,
    /// Signal that was sent.
    #[serde(rename = "type")]
    pub kind: String,
    /// `killed`, `exited` if it had ended by itself before, or `running` if it survived SIGKILL.
    pub status: RunStatus,
    /// Name of the signal that ended it.
    pub signal: Option<String>,
    /// Processes that could not be ended. Omitted if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<UnkilledProcess>,
    /// Processes that had outlived the run and are ended now. Omitted if there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_leftovers: Vec<Leftover>,
}

/// A process that could not be ended.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct UnkilledProcess {
    /// PID.
    pub pid: i32,
    /// Why it is still alive.
    pub why: String,
}

/// Answer to GET /health of an LLM Shell.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct HealthResponse {
    /// `healthy`: any answer means that.
    pub status: ServerHealth,
    /// Version of the server.
    pub version: String,
    /// Whole seconds since its start.
    pub uptime: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}
