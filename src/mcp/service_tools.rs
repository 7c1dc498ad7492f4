//! The tools of Astra.

use super::arguments::{Arguments, with_wait};
use super::error::{ToolError, empty};
use super::service_arguments::{
    ActOnSeveral, AddService, NameOnly, NameOrAll, ReadEvents, ReloadService, ServiceLines,
    StartService,
};
use super::service_text as text;
use super::tool::{Context, Effect, OUTPUT_BYTES_DEFAULT, Tool, ToolResult, input_of};
use crate::logs::Range;
use crate::ops::text_report;
use crate::ops::{
    ContinuationHint, Error, Escapes, LogQuery, LogRange, Services, Until, fitting_seconds,
};
use crate::protocol::{
    BulkRequest, ReloadRequest, Scope, ServiceRequest, ServiceStatus, StopRequest, VerbResponse,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The default wait for a service to settle, in seconds.
const VERB_WAIT_DEFAULT: f64 = 20.0;

/// The default number of log lines.
const LINES_DEFAULT: u64 = 100;

/// The maximum number of events in a result.
const EVENTS_MAX: usize = 50;

/// The tools, in the order in which they are needed.
pub const SERVICE_TOOLS: &[Tool<Services>] = &[
    Tool {
        name: "list_services",
        title: "List the services",
        description: "Lists services with state (running, backoff, fatal, …), health, pid, port, \
                      uptime, usage, restarts, and the reason for the state.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<NameOrAll>,
        output: service_schema,
        call: list,
    },
    Tool {
        name: "describe_service",
        title: "Describe a service",
        description: "Shows a service's effective configuration, with secrets masked, and how its \
                      last ten runs ended.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<NameOnly>,
        output: service_schema,
        call: describe,
    },
    Tool {
        name: "start_service",
        title: "Start a service",
        description: "Starts a service that is down, after its dependencies, and waits until it \
                      is up. Refused while it is up: use restart_service.",
        effect: Effect::Changes,
        scope: Scope::Operate,
        input: || with_wait(input_of::<StartService>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: start,
    },
    Tool {
        name: "add_service",
        title: "Add a service",
        description: "Adds a service that the file does not define, with a config of at least a \
                      cmd, starts it, and waits until it is up. It stays until it is \
                      removed, or the supervisor exits.",
        effect: Effect::Changes,
        scope: Scope::Run,
        input: || with_wait(input_of::<AddService>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: add,
    },
    Tool {
        name: "stop_service",
        title: "Stop a service",
        description: "Ends a service with everything it started, and waits until it is down. \
                      Cancels a pending restart. It stays down until it is started.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<NameOnly>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: stop,
    },
    Tool {
        name: "restart_service",
        title: "Restart a service",
        description: "Ends a service if it is up, starts it again, and waits until it is up. \
                      Read service_logs first if it crashed.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<StartService>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: restart,
    },
    Tool {
        name: "remove_service",
        title: "Remove a service",
        description: "Ends a service that add_service added, and removes it. Its log stays.",
        effect: Effect::Ends,
        scope: Scope::Run,
        input: || with_wait(input_of::<NameOnly>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: remove,
    },
    Tool {
        name: "reload_service",
        title: "Reload a service",
        description: "type=config applies the changes of the services file to this service, or \
                      to all without a name; unchanged ones are not restarted. type=code restarts \
                      it unchanged. An invalid file changes nothing.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<ReloadService>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: reload,
    },
    Tool {
        name: "service_logs",
        title: "Read a service's output",
        description: "Returns lines of a service's output over all of its runs, each with its \
                      time: the last 100, or those selected; what is over max_bytes is cut in the \
                      middle. With after and wait, as soon as there is a new line, or until=….",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || with_wait(input_of::<ServiceLines>(), 0.0),
        output: service_schema,
        call: logs,
    },
    Tool {
        name: "read_events",
        title: "Read events",
        description: "Returns changes of states and of health: the last 50, or those after an \
                      event, with wait as soon as there is one.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || with_wait(input_of::<ReadEvents>(), 0.0),
        output: service_schema,
        call: events,
    },
    Tool {
        name: "check_health",
        title: "Check health",
        description: "Runs the health checks of a service now. Without a name: which required \
                      services keep the system from being healthy.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<NameOrAll>,
        output: service_schema,
        call: health,
    },
    Tool {
        name: "bulk",
        title: "Act on several services",
        description: "Acts on several services in dependency order, and waits until all have \
                      settled. A failure of one does not stop the others.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: || with_wait(input_of::<ActOnSeveral>(), VERB_WAIT_DEFAULT),
        output: service_schema,
        call: bulk,
    },
];

/// Returns the schema of the structured result of every tool of Astra.
fn service_schema() -> Value {
    json!({"type": "object", "required": ["text"], "properties": {
        "text": {"type": "string"}, "service": {"type": "string"}, "state": {"type": "string"},
        "next": {"type": "integer"}, "prompt": {"type": "string"},
    }})
}

/// Returns a result without further fields.
fn plain(text: String) -> ToolResult {
    ToolResult { text, data: json!({}) }
}

/// Returns a result about a service; `None` if it is gone.
fn of_service(text: String, name: &str, state: Option<&ServiceStatus>) -> ToolResult {
    let mut data = json!({"service": name});
    if let Some(state) = state {
        data["state"] = state.status.as_str().into();
    }
    ToolResult { text, data }
}

fn name_of(arguments: Arguments) -> Result<Option<String>, ToolError> {
    let NameOrAll { name } = arguments.read()?;
    if name.as_deref() == Some("") { Err(empty("name")) } else { Ok(name) }
}

fn list(context: &Context<'_, Services>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let mut status = context.ops.status();
    let Some(name) = name_of(arguments)? else { return Ok(plain(text::of_services(&status))) };
    let one = context.ops.one_status(&name)?;
    status.services = [(name.clone(), one)].into();
    Ok(of_service(text::of_services(&status), &name, status.services.get(&name)))
}

fn describe(
    context: &Context<'_, Services>,
    arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let NameOnly { name } = arguments.read()?;
    let detail = context.ops.detail(&name)?;
    let state = context.ops.one_status(&name)?;
    Ok(of_service(text::of_detail(&detail, state.status), &name, Some(&state)))
}

/// Takes the wait of a request on services.
fn wait_of(arguments: &mut Arguments) -> Result<Duration, ToolError> {
    Ok(Duration::from_secs_f64(arguments.wait(VERB_WAIT_DEFAULT)?))
}

fn request_of(name: String, config: Option<Map<String, Value>>) -> ServiceRequest {
    ServiceRequest { name, config: config.map(Value::Object) }
}

fn start(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let StartService { name, config } = arguments.read()?;
    verb(context, context.ops.start(context.client, request_of(name, config), Some(wait)))
}

fn add(context: &Context<'_, Services>, mut arguments: Arguments) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let AddService { name, config } = arguments.read()?;
    verb(context, context.ops.add(context.client, request_of(name, Some(config)), Some(wait)))
}

fn stop(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let NameOnly { name } = arguments.read()?;
    verb(context, context.ops.stop(context.client, StopRequest { name }, Some(wait)))
}

fn restart(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let StartService { name, config } = arguments.read()?;
    verb(context, context.ops.restart(context.client, request_of(name, config), Some(wait)))
}

fn remove(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let NameOnly { name } = arguments.read()?;
    context.ops.remove(context.client, &name, wait)?;
    Ok(of_service(text::of_removal(&name), &name, None))
}

fn reload(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let ReloadService { name, kind } = arguments.read()?;
    verb(context, context.ops.reload(context.client, ReloadRequest { name, kind }, Some(wait)))
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
    let service = response.service.as_ref();
    Ok(match service {
        Some(name) => of_service(text, name, state.as_ref()),
        None => plain(text),
    })
}

fn logs(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(0.0)?;
    let requested: ServiceLines = arguments.read()?;
    let ServiceLines { name, lines, after, limit, grep, max_bytes, run, .. } = requested;
    if name.is_empty() {
        return Err(empty("name"));
    }
    let seconds = fitting_seconds("seconds", requested.seconds)?;
    let default = if limit.is_none() { Range::Last(LINES_DEFAULT) } else { Range::All };
    let range = LogRange { lines, seconds, after, ..LogRange::default() }.or(default)?;
    let (run, grep) = (run.as_deref(), grep.as_deref());
    let around = requested.context.map(|lines| format!(" context={lines}")).unwrap_or_default();
    let hint = ContinuationHint::call(format!("service_logs name={name}{around}"), run, grep);
    let bytes_max = max_bytes.unwrap_or(OUTPUT_BYTES_DEFAULT);
    let mut query = LogQuery::new(context.client, range, grep, Escapes::Stripped, hint)?
        .with_context(requested.context)?
        .limited_to(Some(bytes_max))?;
    query.selection.limit = limit;
    query.wait = (wait > 0.0).then(|| Duration::from_secs_f64(wait));
    if let Some(until) = requested.until {
        if query.wait.is_none() {
            return Err(ToolError("The argument until needs wait: give both.".to_owned()));
        }
        query.until = Until::parse(&until, context.client)?;
    }
    query.check()?;
    let logs = context.ops.logs(context.client, &name, run, query)?;
    let state = context.ops.one_status(&name)?;
    let text = text::of_logs(&logs, state.status);
    let mut result = of_service(text, &name, Some(&state));
    result.data["next"] = logs.next.into();
    if let Some(prompt) = &logs.prompt {
        result.data["prompt"] = text_report::prompt_field(prompt).into();
    }
    Ok(result)
}

fn events(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(0.0)?;
    let wait = (wait > 0.0).then(|| Duration::from_secs_f64(wait));
    let ReadEvents { after } = arguments.read()?;
    let page = match (after, wait) {
        (Some(after), wait) => context.ops.events_after(context.client, after, EVENTS_MAX, wait)?,
        (None, None) => context.ops.last_events(EVENTS_MAX),
        (None, Some(_)) => {
            let why = "The argument wait needs after: give the number in the last result.";
            return Err(ToolError(why.to_owned()));
        }
    };
    Ok(ToolResult { text: text::of_events(&page), data: json!({"next": page.next}) })
}

fn health(context: &Context<'_, Services>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Some(name) = name_of(arguments)? else {
        let health = context.ops.health();
        let state = health.status.to_string();
        return Ok(ToolResult { text: text::of_system(&health), data: json!({"state": state}) });
    };
    let health = context.ops.check(context.client, &name)?;
    let state = context.ops.one_status(&name)?;
    Ok(of_service(text::of_health(&health), &name, Some(&state)))
}

fn bulk(
    context: &Context<'_, Services>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = wait_of(&mut arguments)?;
    let ActOnSeveral { action, services, parallel } = arguments.read()?;
    let request = BulkRequest { action, services, parallel };
    Ok(plain(text::of_bulk(&context.ops.bulk(context.client, request, Some(wait))?)))
}
