//! Parameters in queries, paths and headers, as the document describes them.

use crate::logs::CONTEXT_LINES_MAX;
use crate::ops::WAITED_RUNS_MAX;
use crate::process::Signal;
use crate::protocol::{RunStatus, patterns};
use crate::runs::SECONDS_MAX;
use serde_json::{Value, json};

/// The longest wait of a request, in seconds.
const WAIT_SECONDS_MAX: u32 = 600;

/// Describes a query parameter.
fn query(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

/// Describes a header.
fn header(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": schema})
}

/// Describes a part of a path.
fn path(name: &str, description: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description, "schema": schema,
    })
}

fn seconds(name: &str, description: &str, maximum: impl Into<Value>) -> Value {
    let maximum: Value = maximum.into();
    query(name, description, &json!({"type": "number", "minimum": 0, "maximum": maximum}))
}

fn count(name: &str, description: &str) -> Value {
    query(name, description, &json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}))
}

fn flag(name: &str, description: &str) -> Value {
    query(name, description, &json!({"type": "boolean", "default": false}))
}

/// Returns `wait`: seconds before the answer.
pub fn wait(description: &str) -> Value {
    seconds("wait", description, WAIT_SECONDS_MAX)
}

/// Returns `timeout`: the grace period of a restart.
pub fn timeout() -> Value {
    let description = "Seconds from SIGTERM to SIGKILL; by default \
                       LLM_SHELL_DEFAULT_RESTART_TIMEOUT (10).";
    seconds("timeout", description, SECONDS_MAX)
}

/// Returns `type` of a kill: the signal to send first.
pub fn kill_type() -> Value {
    let schema = json!({"enum": ["SIGTERM", "SIGKILL"], "default": "SIGTERM", "type": "string"});
    query("type", "Signal to send; after SIGTERM, SIGKILL follows.", &schema)
}

/// Returns `type`: any signal.
pub fn signal_type() -> Value {
    // Signals with names; the real-time ones follow them.
    let names = (1..32).filter_map(Signal::of).map(|signal| signal.to_string());
    let names: Vec<String> = names.map(|name| name.replacen("SIG", "", 1)).collect();
    let names = names.join("|");
    let pattern = format!("^((SIG)?({names}|RTMIN(\\+[12]?[0-9])?)|[1-9]|[1-5][0-9]|6[0-4])$");
    let schema = json!({"type": "string", "pattern": pattern, "examples": ["SIGINT", "HUP", "15"]});
    let description = "Signal, by name (with or without SIG, in any case) or number.";
    let mut parameter = query("type", description, &schema);
    parameter["required"] = true.into();
    parameter
}

/// Returns `limit`: the number of runs.
fn runs_limit() -> Value {
    let schema = json!({"type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 20});
    query("limit", "Maximum number of runs.", &schema)
}

/// Returns `run` of a path.
pub fn named_run() -> Value {
    let description = "Id of the run, or its name: the newest run with that name.";
    path("run", description, &json!({"type": "string", "minLength": 1}))
}

/// Returns `run_id` of a query: the run that is expected to be the foreground command's.
pub fn expected_run_id() -> Value {
    let description = "Run that is expected to be that of the foreground command; 409 if another \
                       one is.";
    query("run_id", description, &json!({"type": "string"}))
}

/// Returns the parameters of a list of runs.
pub fn of_runs() -> Vec<Value> {
    let status = json!({"type": "string", "enum": RunStatus::ALL});
    vec![
        runs_limit(),
        query("before", "Only runs before the one with this id.", &json!({"type": "string"})),
        query("name", "Only runs with this name.", &json!({"type": "string"})),
        query("status", "Only runs in this state.", &status),
    ]
}

/// Returns the parameters of a wait for several runs.
pub fn of_runs_wait() -> Vec<Value> {
    let runs = json!({
        "type": "array", "items": {"type": "string"}, "minItems": 1,
        "maxItems": WAITED_RUNS_MAX,
    });
    let wanted = json!({"type": "string", "enum": ["any", "all"], "default": "all"});
    let mut run = query("run", "Id or name of a run; repeat it for several.", &runs);
    run["required"] = true.into();
    vec![
        run,
        query("for", "How many of them have to end.", &wanted),
        wait("Seconds to wait before the answer."),
    ]
}

/// Returns `until`: what ends a wait. `default` is its value if it is not given.
pub fn until(default: &str) -> Value {
    let schema = json!({
        "type": "string", "default": default,
        "pattern": patterns::UNTIL,
        "examples": ["match:(?i)listening", "idle:2"],
    });
    let description = "What ends the wait, besides the end of the run: `line`; `end`; \
                       `match:REGEX`, a line or prompt that matches; `idle:SECONDS`, silence after \
                       some output.";
    query("until", description, &schema)
}

/// Returns the parameters of a wait for a command of a session.
pub fn of_exec() -> Vec<Value> {
    vec![wait("Seconds to wait before the answer."), until("end"), bytes_max()]
}

/// Returns the parameters of a wait for the reaction to input.
pub fn of_input() -> Vec<Value> {
    vec![wait("Seconds to wait for output before the answer."), until("line"), bytes_max()]
}

/// Returns `max_bytes`.
fn bytes_max() -> Value {
    let bytes = json!({"type": "integer", "minimum": 256, "maximum": 1_048_576});
    query("max_bytes", "Cut the content in the middle to N bytes, with a marker.", &bytes)
}

/// Returns the parameters of a wait for a run's output.
pub fn of_wait() -> Vec<Value> {
    vec![
        wait("Seconds to wait before the answer."),
        until("end"),
        count("after", "With `until`: only what is printed after this line counts."),
    ]
}

/// Returns `service` of a path.
pub fn service() -> Value {
    path(
        "service",
        "Name of the service.",
        &json!({"type": "string", "pattern": patterns::SERVICE_NAME}),
    )
}

/// Returns `run` of a query: one run of a service.
pub fn run() -> Value {
    query("run", "Lines of this run only, by its id.", &json!({"type": "string"}))
}

/// Returns `file` of a path.
pub fn file() -> Value {
    path("file", "Name of the file.", &json!({"type": "string", "minLength": 1}))
}

/// Returns `folder` of a path.
pub fn folder() -> Value {
    path("folder", "Folder of the file.", &json!({"type": "string", "minLength": 1}))
}

/// Returns `Idempotency-Key`.
pub fn idempotency_key() -> Value {
    let schema = json!({"type": "string", "pattern": "^[!-~]{1,255}$"});
    let description = "Makes a retry safe: within 10 minutes the same key gets the first \
                       answer again, and nothing runs twice.";
    header("Idempotency-Key", description, &schema)
}

/// Returns `Last-Event-ID`.
pub fn last_event_id(description: &str) -> Value {
    header("Last-Event-ID", description, &json!({"type": "string"}))
}

/// Returns the parameters of every route with lines of a log.
pub fn of_logs() -> Vec<Value> {
    let form = json!({"type": "string", "enum": ["json", "text", "ndjson", "screen", "raw"]});
    let instant = json!({
        "type": "string", "format": "date-time", "examples": ["2026-01-02T03:04:05Z"],
    });
    let context = json!({"type": "integer", "minimum": 0, "maximum": CONTEXT_LINES_MAX});
    let regex = json!({"type": "string", "examples": ["(?i)error|warning"]});
    vec![
        count("lines", "The last N lines; 0 means all. Not with `seconds`, `after` or `limit`."),
        seconds("seconds", "Lines of the last N seconds.", SECONDS_MAX),
        count(
            "after",
            "Lines with a number greater than this: pass `next` of the last answer for what is \
             new. A number beyond the log gives all of it, with `cursor_reset`.",
        ),
        query(
            "since",
            "Lines stamped at this instant or later (RFC 3339). Not with `lines`, `seconds` or \
             `after`.",
            &instant,
        ),
        query(
            "before",
            "Lines stamped before this instant. As `since`; not with `follow`.",
            &instant,
        ),
        count("limit", "At most N lines. Not with `lines` or `follow`."),
        wait("With `after`: seconds to wait before the answer."),
        until("line"),
        query("grep", "Lines that match this regular expression (Rust regex syntax).", &regex),
        query(
            "context",
            "With `grep`: lines on each side of a match, as `grep -C`; a line `--` stands for what \
             is left out. A context line is cut at 64 KiB. Not with `follow`.",
            &context,
        ),
        flag("numbers", "Prefix each line with its number: `N:`, or `N-` if it is context."),
        flag(
            "strip_ansi",
            "Without escape sequences and text overwritten after a carriage return. For what a \
             terminal shows see `format=screen`.",
        ),
        bytes_max(),
        query(
            "format",
            "Form of the answer; `Accept` chooses it otherwise. `ndjson` has one entry per line: \
             `{\"n\",\"timestamp\",\"line\"}`. Of a run on a terminal, without the parameters for \
             lines: `screen` is the screen as it is now, as JSON or, by `Accept: text/plain`, its \
             lines; `raw` has the bytes as printed, of which the last 4 MiB are kept.",
            &form,
        ),
        count(
            "from",
            "With `format=raw`: the position to start at, by default 0; what is no longer kept is \
             skipped. The header `X-Raw-From` has the position of the first byte of the answer, \
             `X-Raw-Next`, unless it is followed, that of the next one.",
        ),
        flag(
            "follow",
            "Stream until the end: text, NDJSON, or Server-Sent Events for `Accept: \
             text/event-stream` (`id: RUN_ID:N` per line; `event: prompt`, `event: cursor_reset`, \
             `event: end`). Not with `wait`, `limit`, `before`, `context` or `max_bytes`.",
        ),
        last_event_id(
            "With `follow` as Server-Sent Events: resumes after this event; an id of another run \
             starts at the first line.",
        ),
    ]
}
