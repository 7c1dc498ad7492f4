//! The tools of Astra.

use super::arguments::{Arguments, with_wait};
use super::service_text as text;
use super::tool::{
    Context, Effect, OUTPUT_BYTES_DEFAULT, Tool, ToolError, ToolResult, empty, input_of, output_of,
};
use crate::error::Error;
use crate::logs::Range;
use crate::ops::{ContinuationHint, Escapes, LogQuery, LogRange, Services, fitting_seconds};
use crate::protocol::{
    BulkRequest, BulkResponse, ReloadRequest, ServiceLogs, ServiceRequest, StopRequest,
    SystemStatus, VerbResponse, whole_or_null,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a verb waits until the service has settled, in seconds.
const VERB_WAIT_DEFAULT: f64 = 20.0;

/// What that wait is.
const VERB_WAIT: &str = "How long to wait until it has settled, in seconds.";

/// How many lines of a log are given where nothing else is said.
const LINES_DEFAULT: u64 = 100;

/// The tools, those first that are needed first.
pub const SERVICE_TOOLS: &[Tool<Services>] = &[
    Tool {
        name: "list_services",
        title: "List the services",
        description: "Every service with its state (running, backoff, fatal, …), health, pid, \
                      port, uptime, CPU, memory, restarts, and one sentence why it is in this \
                      state; and the system's totals. With name that one alone.",
        effect: Effect::Reads,
        input: input_of::<OneOrAll>,
        output: output_of::<SystemStatus>,
        call: list,
    },
    Tool {
        name: "start_service",
        title: "Start a service",
        description: "Starts a service that is down, after what it depends on, and waits until it \
                      is up (20 s, up to 50). config overrides fields of its file for this run, \
                      env for example; a new name with a cmd adds a service until the supervisor \
                      ends. Refused while it is up: use restart_service.",
        effect: Effect::Changes,
        input: || with_wait(input_of::<ServiceRequest>(), VERB_WAIT_DEFAULT, VERB_WAIT),
        output: output_of::<VerbResponse>,
        call: start,
    },
    Tool {
        name: "stop_service",
        title: "Stop a service",
        description: "Ends a service with everything it started, and waits until it is down. \
                      Cancels a restart that it waits for. It stays down until it is started.",
        effect: Effect::Ends,
        input: || with_wait(input_of::<StopRequest>(), VERB_WAIT_DEFAULT, VERB_WAIT),
        output: output_of::<VerbResponse>,
        call: stop,
    },
    Tool {
        name: "restart_service",
        title: "Restart a service",
        description: "Ends a service, where it is up, and starts it again; waits until it is up. \
                      config as in start_service. Read service_logs first where it crashed.",
        effect: Effect::Ends,
        input: || with_wait(input_of::<ServiceRequest>(), VERB_WAIT_DEFAULT, VERB_WAIT),
        output: output_of::<VerbResponse>,
        call: restart,
    },
    Tool {
        name: "reload_service",
        title: "Reload a service",
        description: "type=config (what it is without one) reads the services file again and \
                      applies what has changed of this service, or of all without a name; nothing \
                      changed, nothing is restarted. type=code restarts it as it is. A broken file \
                      changes nothing, and every fault of it is told.",
        effect: Effect::Ends,
        input: || with_wait(input_of::<ReloadRequest>(), VERB_WAIT_DEFAULT, VERB_WAIT),
        output: output_of::<VerbResponse>,
        call: reload,
    },
    Tool {
        name: "service_logs",
        title: "Read a service's output",
        description: "The last lines (100) of what a service has printed over all of its runs, \
                      each with its time. With after=N only what is new behind line N, and with \
                      wait (up to 50) as soon as there is something new. To find something use \
                      grep (a regular expression, (?i) for any case). Cut in the middle to 32 KiB.",
        effect: Effect::Reads,
        input: || {
            let meaning = "With after: how long to wait for a line behind it, in seconds.";
            with_wait(input_of::<WantedLines>(), 0.0, meaning)
        },
        output: output_of::<ServiceLogs>,
        call: logs,
    },
    Tool {
        name: "check_health",
        title: "Check health",
        description: "Runs the health checks of a service now, and tells what each found and how \
                      long it took. Without a name: which required services keep the system from \
                      being healthy.",
        effect: Effect::Reads,
        input: input_of::<OneOrAll>,
        output: output_of::<Health>,
        call: health,
    },
    Tool {
        name: "bulk",
        title: "Act on several services",
        description: "start, stop, restart or reload of several services in the order of what \
                      depends on what, and waits until all have settled; parallel=false goes one \
                      by one. One that cannot be acted on does not stop the others.",
        effect: Effect::Ends,
        input: || with_wait(input_of::<BulkRequest>(), VERB_WAIT_DEFAULT, VERB_WAIT),
        output: output_of::<BulkResponse>,
        call: bulk,
    },
];

/// One service, or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneOrAll {
    /// Which service; all where it is left out.
    name: Option<String>,
}

/// Which lines to read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WantedLines {
    /// Which service.
    name: String,
    /// The last so many lines.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(extend("default" = LINES_DEFAULT))]
    lines: Option<u64>,
    /// Only lines behind this one: the number that the last result gave.
    #[serde(default, deserialize_with = "whole_or_null")]
    after: Option<u64>,
    /// Those of the last so many seconds.
    seconds: Option<f64>,
    /// At most so many, from the first on.
    #[serde(default, deserialize_with = "whole_or_null")]
    limit: Option<u64>,
    /// Only lines that match this regular expression.
    grep: Option<String>,
    /// At most so many bytes: beginning and end are kept.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576), extend("default" = OUTPUT_BYTES_DEFAULT))]
    max_bytes: Option<u64>,
    /// One run alone, by its id.
    run: Option<String>,
}

/// What was found of one service, or of the system.
#[derive(Serialize, JsonSchema)]
#[allow(dead_code, reason = "only its schema is of use: the answer is one of two types")]
struct Health {
    /// Of a service `healthy`, `unhealthy` or `unknown`, of the system `healthy` or `degraded`.
    status: String,
    /// Which service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// What each of its checks found: `ok`, or why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<BTreeMap<String, String>>,
    /// How long the slowest took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time: Option<f64>,
    /// Why it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The required services that keep the system from being healthy, with their states.
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<BTreeMap<String, String>>,
}

fn name_of(arguments: Arguments) -> Result<Option<String>, ToolError> {
    let OneOrAll { name } = arguments.read()?;
    if name.as_deref() == Some("") { Err(empty("name")) } else { Ok(name) }
}

fn list(context: &Context<'_, Services>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let name = name_of(arguments)?;
    let mut status = context.ops.status();
    if let Some(name) = name {
        let one = context.ops.one_status(&name)?;
        status.services = [(name, one)].into();
    }
    Ok(ToolResult { text: text::of_services(&status), data: json!(status) })
}

fn start(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(VERB_WAIT_DEFAULT)?;
    let request = arguments.read()?;
    verb(context, context.ops.start(context.client, request, Some(Duration::from_secs_f64(wait))))
}

fn stop(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(VERB_WAIT_DEFAULT)?;
    let request = arguments.read()?;
    verb(context, context.ops.stop(context.client, request, Some(Duration::from_secs_f64(wait))))
}

fn restart(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(VERB_WAIT_DEFAULT)?;
    let request = arguments.read()?;
    verb(context, context.ops.restart(context.client, request, Some(Duration::from_secs_f64(wait))))
}

fn reload(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(VERB_WAIT_DEFAULT)?;
    let request = arguments.read()?;
    verb(context, context.ops.reload(context.client, request, Some(Duration::from_secs_f64(wait))))
}

/// Reports what a request on a service came to, with the state of the service.
fn verb(
    context: &Context<'_, Services>,
    done: Result<VerbResponse, Error>,
) -> Result<ToolResult, ToolError> {
    let response = done?;
    // It may be gone with the reload.
    let state = response.service.as_ref().and_then(|name| context.ops.one_status(name).ok());
    let text = text::of_verb(&response, state.as_ref());
    Ok(ToolResult { text, data: json!(response) })
}

fn logs(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(0.0)?;
    let wanted: WantedLines = arguments.read()?;
    let WantedLines { name, lines, after, limit, grep, max_bytes, run, .. } = wanted;
    if name.is_empty() {
        return Err(empty("name"));
    }
    let seconds = fitting_seconds("seconds", wanted.seconds)?;
    let default = if limit.is_none() { Range::Last(LINES_DEFAULT) } else { Range::All };
    let range = LogRange { lines, seconds, after }.or(default)?;
    let (run, grep) = (run.as_deref(), grep.as_deref());
    let hint = ContinuationHint::call(format!("service_logs name={name}"), run, grep);
    let bytes_max = max_bytes.unwrap_or(OUTPUT_BYTES_DEFAULT);
    let mut query = LogQuery::new(context.client, range, grep, Escapes::Stripped, hint)?
        .limited_to(Some(bytes_max))?;
    query.selection.limit = limit;
    query.wait = (wait > 0.0).then(|| Duration::from_secs_f64(wait));
    query.check()?;
    let logs = context.ops.logs(context.client, (&name, run), query)?;
    let state = context.ops.one_status(&name)?.status;
    Ok(ToolResult { text: text::of_logs(&logs, state), data: json!(logs) })
}

fn health(context: &Context<'_, Services>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Some(name) = name_of(arguments)? else {
        let health = context.ops.health();
        return Ok(ToolResult { text: text::of_system(&health), data: json!(health) });
    };
    let health = context.ops.check(&name)?;
    Ok(ToolResult { text: text::of_health(&health), data: json!(health) })
}

fn bulk(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(VERB_WAIT_DEFAULT)?;
    let request = arguments.read()?;
    let bulk = context.ops.bulk(context.client, request, Some(Duration::from_secs_f64(wait)))?;
    Ok(ToolResult { text: text::of_bulk(&bulk), data: json!(bulk) })
}
