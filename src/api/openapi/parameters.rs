//! Parameters in queries, paths and headers, as the document describes them.

use crate::logs::CONTEXT_LINES_MAX;
use crate::process::Signal;
use crate::protocol::patterns;
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
pub fn runs_limit() -> Value {
    let schema = json!({"type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 20});
    query("limit", "Maximum number of runs.", &schema)
}

/// Returns `run_id` of a path.
pub fn run_id() -> Value {
    path("run_id", "Id of the run.", &json!({"type": "string", "minLength": 1}))
}

/// Returns `run_id` of a query: the run that is expected to be the last one.
pub fn expected_run_id() -> Value {
    let description = "Run that is expected to be the last one; 409 if another one is.";
    query("run_id", description, &json!({"type": "string"}))
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
    let bytes = json!({"type": "integer", "minimum": 256, "maximum": 1_048_576});
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
        wait("With `after`: seconds to wait for a new line or the end before the answer."),
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
        query("max_bytes", "Cut the content in the middle to N bytes, with a marker.", &bytes),
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
