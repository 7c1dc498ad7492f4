//! What is given in a query, a path or a header, as the document describes it.

use crate::process::Signal;
use crate::runs::SECONDS_MAX;
use serde_json::{Value, json};

/// The longest that a request can wait, in seconds.
const WAIT_SECONDS_MAX: u32 = 600;

/// A name of a service.
const SERVICE_NAME: &str = "^[A-Za-z0-9._-]{1,64}$";

/// One of a query.
fn query(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

/// A header.
fn header(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": schema})
}

/// Part of a path.
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

/// How long to wait before the answer comes.
pub fn wait(description: &str) -> Value {
    seconds("wait", description, WAIT_SECONDS_MAX)
}

/// The grace of a restart.
pub fn timeout() -> Value {
    let description = "Seconds from SIGTERM to SIGKILL; by default \
                       LLM_SHELL_DEFAULT_RESTART_TIMEOUT (10).";
    seconds("timeout", description, SECONDS_MAX)
}

/// Which of the two signals a kill sends first.
pub fn kill_type() -> Value {
    let schema = json!({"enum": ["SIGTERM", "SIGKILL"], "default": "SIGTERM", "type": "string"});
    query("type", "Signal to send; after SIGTERM, SIGKILL follows.", &schema)
}

/// Any signal.
pub fn signal_type() -> Value {
    // Those with a name of their own; behind them are the real-time ones.
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

/// How many runs are told of.
pub fn runs_limit() -> Value {
    let schema = json!({"type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 20});
    query("limit", "Maximum number of runs.", &schema)
}

/// The id of a run.
pub fn run_id() -> Value {
    path("run_id", "Id of the run.", &json!({"type": "string", "minLength": 1}))
}

/// The run that is expected to be the last one.
pub fn expected_run_id() -> Value {
    let description = "Run that is expected to be the last one; 409 if another one is.";
    query("run_id", description, &json!({"type": "string"}))
}

/// A service, by its name.
pub fn service() -> Value {
    path("service", "Name of the service.", &json!({"type": "string", "pattern": SERVICE_NAME}))
}

/// One run of a service.
pub fn run() -> Value {
    query("run", "Lines of this run only, by its id.", &json!({"type": "string"}))
}

/// A file of the documentation.
pub fn file() -> Value {
    path("file", "Name of the file.", &json!({"type": "string", "minLength": 1}))
}

/// A folder of the panel.
pub fn folder() -> Value {
    path("folder", "Folder of the file.", &json!({"type": "string", "minLength": 1}))
}

/// What makes a retry safe.
pub fn idempotency_key() -> Value {
    let schema = json!({"type": "string", "pattern": "^[!-~]{1,255}$"});
    let description = "Makes a retry safe: within 10 minutes the same key gets the first \
                       answer again, and nothing runs twice.";
    header("Idempotency-Key", description, &schema)
}

/// Where an event stream is taken up again.
pub fn last_event_id(description: &str) -> Value {
    header("Last-Event-ID", description, &json!({"type": "string"}))
}

/// What every route with lines of a log takes.
pub fn of_logs() -> Vec<Value> {
    let form = json!({"type": "string", "enum": ["json", "text", "ndjson"]});
    let bytes = json!({"type": "integer", "minimum": 256, "maximum": 1_048_576});
    let regex = json!({"type": "string", "examples": ["(?i)error|warning"]});
    vec![
        count("lines", "The last N lines; 0 means all. Not with `seconds`, `after` or `limit`."),
        seconds("seconds", "Lines of the last N seconds.", SECONDS_MAX),
        count(
            "after",
            "Lines with a number greater than this: pass `next` of the last answer for what is \
             new. A number beyond the log gives all of it, with `cursor_reset`.",
        ),
        count("limit", "At most N lines. Not with `lines` or `follow`."),
        wait("With `after`: seconds to wait for a new line or the end before the answer."),
        query("grep", "Lines that match this regular expression (Rust regex syntax).", &regex),
        flag(
            "strip_ansi",
            "Without escape sequences and text overwritten after a carriage return. Not a terminal \
             emulator.",
        ),
        query("max_bytes", "Cut the content in the middle to N bytes, with a marker.", &bytes),
        query(
            "format",
            "Form of the answer; `Accept` chooses it otherwise. `ndjson` has one entry a line: \
             `{\"n\",\"timestamp\",\"line\"}`.",
            &form,
        ),
        flag(
            "follow",
            "Stream until the end: text, NDJSON, or Server-Sent Events for `Accept: \
             text/event-stream` (`id: RUN_ID:N` per line; `event: prompt`, `event: cursor_reset`, \
             `event: end`). Not with `wait`, `limit` or `max_bytes`.",
        ),
        last_event_id(
            "With `follow` as Server-Sent Events: resumes after this event; an id of another run \
             starts at the first line.",
        ),
    ]
}
