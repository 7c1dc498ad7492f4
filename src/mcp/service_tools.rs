//! The tools of Astra.

use super::arguments::{Arguments, with_wait};
use super::error::{ToolError, empty};
use super::service_text as text;
use super::tool::{Context, Effect, OUTPUT_BYTES_DEFAULT, Tool, ToolResult, input_of, output_of};
use crate::logs::Range;
use crate::ops::Error;
use crate::ops::{ContinuationHint, Escapes, LogQuery, LogRange, Services, fitting_seconds};
use crate::protocol::{
    BulkRequest, BulkResponse, ReloadRequest, Scope, ServiceLogs, ServiceRequest, StopRequest,
    SystemStatus, VerbResponse, whole_or_null,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The default wait for a service to settle, in seconds.
const VERB_WAIT_DEFAULT: f64 = 20.0;

/// The default number of log lines.
const LINES_DEFAULT: u64 = 100;

/// The tools, in the order in which they are needed.
pub const SERVICE_TOOLS: &[Tool<Services>] = &[
    Tool {
        name: "list_services",
        title: "List the services",
        description: "Lists every service with its state (running, backoff, fatal, …), health, \
                      pid, port, uptime, CPU, memory, restarts, and the reason for its state; and \
                      the system's totals. With name, only that service.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<NameOrAll>,
        output: output_of::<SystemStatus>,
        call: list,
    },
    Tool {
        name: "start_service",
        title: "Start a service",
        description: "Starts a service that is down, after its dependencies, and waits until it is \
                      up (20 s, up to 50). config overrides fields of the file for this run, such \
                      as env; a new name with a cmd adds a service until the supervisor exits. \
                      Refused while it is up: use restart_service.",
        effect: Effect::Changes,
        scope: Scope::Operate,
        input: || with_wait(input_of::<ServiceRequest>(), VERB_WAIT_DEFAULT),
        output: output_of::<VerbResponse>,
        call: start,
    },
    Tool {
        name: "stop_service",
        title: "Stop a service",
        description: "Ends a service with everything it started, and waits until it is down. \
                      Cancels a pending restart. It stays down until it is started.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<StopRequest>(), VERB_WAIT_DEFAULT),
        output: output_of::<VerbResponse>,
        call: stop,
    },
    Tool {
        name: "restart_service",
        title: "Restart a service",
        description: "Ends a service if it is up, starts it again, and waits until it is up. \
                      config as in start_service. Read service_logs first if it crashed.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<ServiceRequest>(), VERB_WAIT_DEFAULT),
        output: output_of::<VerbResponse>,
        call: restart,
    },
    Tool {
        name: "reload_service",
        title: "Reload a service",
        description: "type=config (the default) reloads the services file and applies the changes \
                      of this service, or of all without a name; unchanged services are not \
                      restarted. type=code restarts it unchanged. An invalid file changes nothing, \
                      and every error in it is reported.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<ReloadRequest>(), VERB_WAIT_DEFAULT),
        output: output_of::<VerbResponse>,
        call: reload,
    },
    Tool {
        name: "service_logs",
        title: "Read a service's output",
        description: "Returns the last lines (100) of a service's output over all of its runs, \
                      each with its time. With after=N only the lines after line N, and with wait \
                      (up to 50) as soon as there is one. To search use grep (a regular \
                      expression; (?i) ignores case). Truncated in the middle to 32 KiB.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || with_wait(input_of::<WantedLines>(), 0.0),
        output: output_of::<ServiceLogs>,
        call: logs,
    },
    Tool {
        name: "check_health",
        title: "Check health",
        description: "Runs the health checks of a service now, and reports the result and duration \
                      of each. Without a name: which required services keep the system from being \
                      healthy.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<NameOrAll>,
        output: output_of::<Health>,
        call: health,
    },
    Tool {
        name: "bulk",
        title: "Act on several services",
        description: "Starts, stops, restarts or reloads several services in dependency order, and \
                      waits until all have settled; with parallel=false one by one. A failure of \
                      one does not stop the others.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<BulkRequest>(), VERB_WAIT_DEFAULT),
        output: output_of::<BulkResponse>,
        call: bulk,
    },
];

/// The arguments of a tool for one service or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NameOrAll {
    /// Name of the service; all if omitted.
    name: Option<String>,
}

/// The arguments of `service_logs`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WantedLines {
    /// Name of the service.
    name: String,
    /// Only the last N lines.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(extend("default" = LINES_DEFAULT))]
    lines: Option<u64>,
    /// Only lines after this one: the number in the last result.
    #[serde(default, deserialize_with = "whole_or_null")]
    after: Option<u64>,
    /// Only lines of the last N seconds.
    seconds: Option<f64>,
    /// At most N lines, from the first on.
    #[serde(default, deserialize_with = "whole_or_null")]
    limit: Option<u64>,
    /// Only lines that match this regular expression.
    grep: Option<String>,
    /// Maximum size in bytes: beginning and end are kept.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576), extend("default" = OUTPUT_BYTES_DEFAULT))]
    max_bytes: Option<u64>,
    /// Only this run, by its id.
    run: Option<String>,
}

/// The health of one service, or of the system.
#[derive(Serialize, JsonSchema)]
#[allow(dead_code, reason = "only its schema is of use: the answer is one of two types")]
struct Health {
    /// Of a service `healthy`, `unhealthy` or `unknown`, of the system `healthy` or `degraded`.
    status: String,
    /// Name of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// Result of each check: `ok`, or the reason of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<BTreeMap<String, String>>,
    /// Duration of the slowest check, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time: Option<f64>,
    /// Why it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Required services that keep the system from being healthy, with their states.
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<BTreeMap<String, String>>,
}

fn name_of(arguments: Arguments) -> Result<Option<String>, ToolError> {
    let NameOrAll { name } = arguments.read()?;
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

/// Reports the result of a request on a service, with its state.
fn verb(
    context: &Context<'_, Services>,
    done: Result<VerbResponse, Error>,
) -> Result<ToolResult, ToolError> {
    let response = done?;
    // The service may be gone after a reload.
    let state = response.service.as_ref().and_then(|name| context.ops.one_status(name).ok());
    let text = text::of_verb(&response, state.as_ref());
    Ok(ToolResult { text, data: json!(response) })
}

fn logs(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(0.0)?;
    let requested: WantedLines = arguments.read()?;
    let WantedLines { name, lines, after, limit, grep, max_bytes, run, .. } = requested;
    if name.is_empty() {
        return Err(empty("name"));
    }
    let seconds = fitting_seconds("seconds", requested.seconds)?;
    let default = if limit.is_none() { Range::Last(LINES_DEFAULT) } else { Range::All };
    let range = LogRange { lines, seconds, after, ..LogRange::default() }.or(default)?;
    let (run, grep) = (run.as_deref(), grep.as_deref());
    let hint = ContinuationHint::call(format!("service_logs name={name}"), run, grep);
    let bytes_max = max_bytes.unwrap_or(OUTPUT_BYTES_DEFAULT);
    let mut query = LogQuery::new(context.client, range, grep, Escapes::Stripped, hint)?
        .limited_to(Some(bytes_max))?;
    query.selection.limit = limit;
    query.wait = (wait > 0.0).then(|| Duration::from_secs_f64(wait));
    query.check()?;
    let logs = context.ops.logs(context.client, &name, run, query)?;
    let state = context.ops.one_status(&name)?.status;
    Ok(ToolResult { text: text::of_logs(&logs, state), data: json!(logs) })
}

fn health(context: &Context<'_, Services>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Some(name) = name_of(arguments)? else {
        let health = context.ops.health();
        return Ok(ToolResult { text: text::of_system(&health), data: json!(health) });
    };
    let health = context.ops.check(context.client, &name)?;
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
