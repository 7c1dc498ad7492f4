//! Commands for Astra.

use super::command::{Lines, Start, Verb};
use super::console::Tone;
use super::error::ClientError;
use super::follow::{self, Named};
use super::server::{Outcome, Received, Server, format_duration, input};
use super::table::{Cell, Table, number};
use super::target::{Parameters, segment};
use crate::protocol::{
    BulkOperation, BulkResponse, EventBody, HealthStatus, OperationStatus, ServiceHealth,
    ServiceState, ServiceStatus, SystemStatus, VerbResponse, VerbStatus,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

/// Runs the command.
pub fn run(server: &Server<'_>) -> Result<Outcome, ClientError> {
    match server.verb() {
        Verb::Start(start) => {
            some(&start.args)?;
            each(&start.args, |name| verb(server, "start", name, &config(start)?))
        }
        Verb::Stop(names) => each(some(names)?, |name| verb(server, "stop", name, &Value::Null)),
        Verb::Restart(names, None) => {
            each(some(names)?, |name| verb(server, "restart", name, &Value::Null))
        }
        Verb::Restart(_, Some(_)) => {
            Err(wrong("a service has no --timeout: set its stop_timeout in the services file"))
        }
        Verb::Kill(names) => each(some(names)?, |name| kill(server, name)),
        Verb::Reload(names) if names.is_empty() => {
            let Received { json, body: VerbResponse { message, .. } } =
                server.post(&waiting(server, "/supervisor/reload"), &json!({}))?;
            if !server.print_json(&json) {
                server.console.say(&message);
            }
            Ok(Outcome::Healthy)
        }
        Verb::Reload(names) => each(names, |name| verb(server, "reload", name, &Value::Null)),
        Verb::Status(names) => status(server, names),
        Verb::Logs(names, lines) => logs(server, some(names)?, lines),
        Verb::Signal(args) => {
            let [name, signal] = &args[..] else { return Err(wrong("give NAME and SIGNAL")) };
            let path = format!("/supervisor/signal/{}", segment(name));
            let target = Parameters::new().with("type", Some(signal)).of(&path);
            let state: Received<ServiceStatus> = server.post(&target, &Value::Null)?;
            Ok(print_state(server, name, &state.into()))
        }
        Verb::Stdin(args) => write(server, args),
        Verb::Bulk(action, names) => bulk(server, action, names),
        Verb::Health(names) => health(server, names),
        Verb::Events => events(server),
    }
}

fn wrong(what: &str) -> ClientError {
    ClientError::Wrong(what.to_owned())
}

fn some(names: &[String]) -> Result<&[String], ClientError> {
    if names.is_empty() { Err(wrong("no service given")) } else { Ok(names) }
}

/// Calls `work` for each name, even if some fail. The first error is returned; the others are
/// printed as they occur.
fn each(
    names: &[String],
    mut work: impl FnMut(&str) -> Result<Outcome, ClientError>,
) -> Result<Outcome, ClientError> {
    let mut outcome = Outcome::Healthy;
    let mut first = None;
    for name in names {
        match work(name) {
            Ok(Outcome::Healthy) => {}
            Ok(other) => outcome = other,
            Err(error) if first.is_none() => first = Some(error),
            Err(error) => eprintln!("llm-shell: {error}"),
        }
    }
    first.map_or(Ok(outcome), Err)
}

fn waiting(server: &Server<'_>, path: &str) -> String {
    Parameters::new().with("wait", server.wait_seconds()).of(path)
}

/// Returns the fields that a start overrides.
fn config(start: &Start) -> Result<Value, ClientError> {
    if start.timeout.is_some() || start.has_stdin {
        return Err(wrong("a service has no --timeout and no --stdin: see the services file"));
    }
    let mut config = serde_json::Map::new();
    if !start.env.is_empty() {
        config.insert("env".to_owned(), json!(start.env));
    }
    if let Some(cwd) = &start.cwd {
        config.insert("cwd".to_owned(), json!(cwd));
    }
    if start.is_on_terminal {
        config.insert("pty".to_owned(), json!(true));
    }
    Ok(if config.is_empty() { Value::Null } else { Value::Object(config) })
}

fn verb(
    server: &Server<'_>,
    verb: &str,
    name: &str,
    config: &Value,
) -> Result<Outcome, ClientError> {
    let mut body = json!({ "name": name });
    if !config.is_null() {
        body["config"] = config.clone();
    }
    let answer: Received<VerbResponse> =
        server.post(&waiting(server, &format!("/supervisor/{verb}")), &body)?;
    Ok(print_state(server, name, &answer))
}

fn kill(server: &Server<'_>, name: &str) -> Result<Outcome, ClientError> {
    let body = json!({ "name": name }).to_string();
    let answer = server.client.post("/supervisor/stop", &[], body.as_bytes())?;
    server.read::<VerbResponse>(&answer)?;
    let signal = format!("/supervisor/signal/{}?type=SIGKILL", segment(name));
    // It may be down by now.
    let _down = server.client.post(&signal, &[], b"")?;
    let state: Received<ServiceStatus> =
        server.get(&format!("/supervisor/status/{}", segment(name)))?;
    Ok(print_state(server, name, &state.into()))
}

impl From<Received<ServiceStatus>> for Received<VerbResponse> {
    fn from(Received { json, body }: Received<ServiceStatus>) -> Self {
        let (status, message) = (body.status.into(), body.message);
        Self { json, body: VerbResponse { status, service: None, message } }
    }
}

/// Formats the part of a message that says more than the state before it.
fn reason(state: &str, message: &str) -> String {
    if message.trim_end_matches('.').eq_ignore_ascii_case(state) {
        String::new()
    } else {
        format!(". {message}")
    }
}

/// Prints the new state of a service.
fn print_state(
    server: &Server<'_>,
    name: &str,
    Received { json, body }: &Received<VerbResponse>,
) -> Outcome {
    if !server.print_json(json) {
        let state = server.console.tinted(body.status.as_str(), tone_of(body.status));
        let why = reason(body.status.as_str(), &body.message);
        server.console.say(&format!("{name}: {state}{why}"));
    }
    // A service in backoff may still come up: without --wait this is not a failure.
    let is_pending = body.status == VerbStatus::Backoff && server.command.wait.is_none();
    if body.status.has_failed() && !is_pending { Outcome::Unhealthy } else { Outcome::Healthy }
}

fn tone_of(status: VerbStatus) -> Tone {
    match status {
        VerbStatus::Running | VerbStatus::Exited => Tone::Good,
        VerbStatus::Crashed | VerbStatus::Fatal => Tone::Bad,
        _ => Tone::Unsettled,
    }
}

fn tone_of_health(health: HealthStatus) -> Tone {
    match health {
        HealthStatus::Healthy => Tone::Good,
        HealthStatus::Unhealthy => Tone::Bad,
        HealthStatus::Unknown => Tone::Unsettled,
    }
}

fn status(server: &Server<'_>, names: &[String]) -> Result<Outcome, ClientError> {
    if server.command.wait.is_some() {
        return Err(wrong("status cannot wait for services: use start or restart with --wait"));
    }
    let Received { mut json, body: SystemStatus { mut services, .. } } =
        server.get("/supervisor/status")?;
    if let Some(name) = names.iter().find(|name| !services.contains_key(*name)) {
        // Gets the server's error for an unknown name.
        server.get::<ServiceStatus>(&format!("/supervisor/status/{}", segment(name)))?;
    }
    let is_wanted = |name: &String| names.is_empty() || names.contains(name);
    services.retain(|name, _| is_wanted(name));
    // Only services requested by name affect the exit code.
    let is_bad = |service: &ServiceStatus| {
        let has_failed = matches!(service.status, ServiceState::Crashed | ServiceState::Fatal);
        has_failed || service.health == HealthStatus::Unhealthy
    };
    let is_healthy = names.is_empty() || !services.values().any(is_bad);
    let outcome = if is_healthy { Outcome::Healthy } else { Outcome::Unhealthy };
    if let Some(all) = json["services"].as_object_mut() {
        all.retain(|name, _| is_wanted(name));
    }
    if server.print_json(&json) {
        return Ok(outcome);
    }
    let head =
        ["NAME", "STATUS", "HEALTH", "PID", "TIME", "CPU %", "MIB", "RESTARTS", "PORT", "MESSAGE"];
    let mut table =
        Table::new(&head, &["PORT", "MIB", "CPU %", "RESTARTS", "TIME", "PID", "HEALTH"]);
    for (name, service) in &services {
        table.add(row(name, service));
    }
    table.lines(server.console).iter().for_each(|line| {
        server.console.say(line);
    });
    Ok(outcome)
}

fn row(name: &str, service: &ServiceStatus) -> Vec<Cell> {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let time = service.pid.map(|_| format_duration(service.uptime));
    let health = match service.health {
        HealthStatus::Unknown => "-",
        health => health.as_str(),
    };
    vec![
        name.into(),
        Cell::from(service.status).tinted(Some(tone_of(service.status.into()))),
        Cell::from(health).tinted(Some(tone_of_health(service.health))),
        or_dash(service.pid.map(|pid| pid.to_string())).into(),
        or_dash(time).into(),
        number(service.cpu_percent),
        number(service.memory_mb),
        service.restart_count.into(),
        or_dash(service.port.map(|port| port.to_string())).into(),
        (&service.message).into(),
    ]
}

fn logs(server: &Server<'_>, names: &[String], lines: &Lines) -> Result<Outcome, ClientError> {
    let target =
        |name: &str| server.parameters_of(lines).of(&format!("/supervisor/logs/{}", segment(name)));
    if let [name] = names {
        follow::copy(server, &target(name), None)?;
        return Ok(Outcome::Healthy);
    }
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let targets = names.iter().enumerate();
    let targets: Vec<_> =
        targets.map(|(number, name)| (Named { name, number, width }, target(name))).collect();
    if lines.follows {
        follow::copy_all(server, &targets)?;
    } else {
        // Sequentially, since no new lines are expected.
        for (named, target) in &targets {
            follow::copy(server, target, Some(*named))?;
        }
    }
    Ok(Outcome::Healthy)
}

fn write(server: &Server<'_>, args: &[String]) -> Result<Outcome, ClientError> {
    let (name, rest) = args.split_first().ok_or_else(|| wrong("no service given"))?;
    server.write(&format!("/supervisor/stdin/{}", segment(name)), &input(rest)?)
}

fn bulk(server: &Server<'_>, action: &str, names: &[String]) -> Result<Outcome, ClientError> {
    let body = json!({"action": action, "services": names});
    let Received { json, body: BulkResponse { operations, .. } } =
        server.post(&waiting(server, "/supervisor/bulk"), &body)?;
    if !server.print_json(&json) {
        for BulkOperation { service, status, detail } in &operations {
            let tone = match status {
                OperationStatus::Accepted(status) => tone_of(*status),
                OperationStatus::Failed(_) => Tone::Bad,
            };
            let state = server.console.tinted(&status.to_string(), tone);
            let detail = detail.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            server.console.say(&format!("{service}: {state}{detail}"));
        }
    }
    let is_bad = |it: &BulkOperation| {
        let is_pending = it.status == OperationStatus::Accepted(VerbStatus::Backoff);
        it.status.has_failed() && !is_pending
    };
    Ok(if operations.iter().any(is_bad) { Outcome::Unhealthy } else { Outcome::Healthy })
}

fn health(server: &Server<'_>, names: &[String]) -> Result<Outcome, ClientError> {
    each(names, |name| {
        let Received { json, body: ServiceHealth { status, checks, .. } } =
            server.get(&format!("/supervisor/health/{}", segment(name)))?;
        if !server.print_json(&json) {
            let shown = server.console.tinted(status.as_str(), tone_of_health(status));
            server.console.say(&format!("{name}: {shown}"));
            for (check, result) in &checks {
                server.console.say(&format!("  {check}: {result}"));
            }
        }
        // The health is unknown without checks, and of a service that is not up, which is a
        // failure.
        let is_healthy = match status {
            HealthStatus::Healthy => true,
            HealthStatus::Unhealthy => false,
            HealthStatus::Unknown => {
                let target = format!("/supervisor/status/{}", segment(name));
                !server.get::<ServiceStatus>(&target)?.body.status.has_failed()
            }
        };
        Ok(if is_healthy { Outcome::Healthy } else { Outcome::Unhealthy })
    })
}

/// Prints each event as it arrives.
fn events(server: &Server<'_>) -> Result<Outcome, ClientError> {
    let stream = server.stream("/supervisor/events", "text/event-stream", None)?;
    for line in BufReader::new(stream).lines() {
        let line =
            line.map_err(|error| ClientError::Failed(format!("the stream ended early: {error}")))?;
        if line == "event: missed" {
            eprintln!("llm-shell: events were missed; ctl status shows the current state");
        }
        let Some(data) = line.strip_prefix("data:") else { continue };
        let is_read = if server.command.is_json {
            server.console.say(data.trim())
        } else if let Ok(event) = serde_json::from_str::<EventBody>(data) {
            let EventBody { service, status, message, at, .. } = event;
            let state = server.console.tinted(status.as_str(), tone_of(status.into()));
            let why = reason(status.as_str(), &message);
            server.console.say(&format!("{at} {service}: {state}{why}"))
        } else {
            // `missed` and `end` are not about a service.
            true
        };
        if !is_read {
            break;
        }
    }
    Ok(Outcome::Healthy)
}
