//! Orders to Astra.

use super::console::Tone;
use super::ctl::{Outcome, Server, input, lasting, text};
use super::follow::{self, Named};
use super::order::{Lines, Start, Verb};
use super::table::{Cell, Table};
use super::target::{Parameters, segment};
use super::trouble::Trouble;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

/// Carries out the order.
pub fn run(server: &Server<'_>) -> Result<Outcome, Trouble> {
    match server.verb() {
        Verb::Start(start) => {
            some(&start.words)?;
            each(&start.words, |name| verb(server, "start", name, &config(start)?))
        }
        Verb::Stop(names) => each(some(names)?, |name| verb(server, "stop", name, &Value::Null)),
        Verb::Restart(names, None) => {
            each(some(names)?, |name| verb(server, "restart", name, &Value::Null))
        }
        Verb::Restart(_, Some(_)) => Err(wrong(
            "The time that a service has to end is its stop_timeout: set it in the file.",
        )),
        Verb::Kill(names) => each(some(names)?, |name| kill(server, name)),
        Verb::Reload(names) if names.is_empty() => {
            let answer = server.post(&waiting(server, "/supervisor/reload"), &json!({}))?;
            if !server.tell_json(&answer) {
                server.console.say(text(&answer, "message"));
            }
            Ok(Outcome::Well)
        }
        Verb::Reload(names) => each(names, |name| verb(server, "reload", name, &Value::Null)),
        Verb::Status(names) => status(server, names),
        Verb::Logs(names, lines) => logs(server, some(names)?, lines),
        Verb::Signal(words) => {
            let [name, signal] = &words[..] else { return Err(wrong("Give NAME and SIGNAL.")) };
            let path = format!("/supervisor/signal/{}", segment(name));
            let target = Parameters::new().with("type", Some(signal)).of(&path);
            let state = server.post(&target, &Value::Null)?;
            Ok(tell(server, name, &state))
        }
        Verb::Stdin(words) => write(server, words),
        Verb::Bulk(action, names) => bulk(server, action, names),
        Verb::Health(names) => health(server, names),
        Verb::Events => events(server),
    }
}

fn wrong(what: &str) -> Trouble {
    Trouble::Wrong(what.to_owned())
}

fn some(names: &[String]) -> Result<&[String], Trouble> {
    if names.is_empty() { Err(wrong("Which service? Give its name.")) } else { Ok(names) }
}

/// Does something for each, whatever becomes of the others. Where several fail, the first is what
/// is told in the end, and the others as they come.
fn each(
    names: &[String],
    mut work: impl FnMut(&str) -> Result<Outcome, Trouble>,
) -> Result<Outcome, Trouble> {
    let mut outcome = Outcome::Well;
    let mut first = None;
    for name in names {
        match work(name) {
            Ok(Outcome::Well) => {}
            Ok(other) => outcome = other,
            Err(trouble) if first.is_none() => first = Some(trouble),
            Err(trouble) => eprintln!("llm-shell: {trouble}"),
        }
    }
    first.map_or(Ok(outcome), Err)
}

fn waiting(server: &Server<'_>, path: &str) -> String {
    Parameters::new().with("wait", server.wait_seconds()).of(path)
}

/// The fields that a start overrides.
fn config(start: &Start) -> Result<Value, Trouble> {
    if start.timeout.is_some() || start.has_stdin {
        return Err(wrong("A service has no --timeout and no --stdin: see the services file."));
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

fn verb(server: &Server<'_>, verb: &str, name: &str, config: &Value) -> Result<Outcome, Trouble> {
    let mut body = json!({ "name": name });
    if !config.is_null() {
        body["config"] = config.clone();
    }
    let answer = server.post(&waiting(server, &format!("/supervisor/{verb}")), &body)?;
    Ok(tell(server, name, &answer))
}

fn kill(server: &Server<'_>, name: &str) -> Result<Outcome, Trouble> {
    let body = json!({ "name": name }).to_string();
    let answer = server.client.post("/supervisor/stop", &[], body.as_bytes())?;
    server.read(&answer)?;
    let signal = format!("/supervisor/signal/{}?type=SIGKILL", segment(name));
    // It may be down by now.
    let _down = server.client.post(&signal, &[], b"")?;
    let state = server.get(&format!("/supervisor/status/{}", segment(name)))?;
    Ok(tell(server, name, &state))
}

/// Tells what became of a service.
fn tell(server: &Server<'_>, name: &str, answer: &Value) -> Outcome {
    let status = text(answer, "status");
    if !server.tell_json(answer) {
        let state = server.console.tinted(status, tone(status));
        server.console.say(&format!("{name}: {state}. {}", text(answer, "message")));
    }
    if tone(status) == Tone::Bad || (server.order.wait.is_some() && status == "backoff") {
        return Outcome::NotWell;
    }
    Outcome::Well
}

pub fn tone(status: &str) -> Tone {
    match status {
        "running" | "exited" | "healthy" | "ok" => Tone::Good,
        "crashed" | "fatal" | "unhealthy" | "error" | "degraded" => Tone::Bad,
        _ => Tone::Unsettled,
    }
}

fn status(server: &Server<'_>, names: &[String]) -> Result<Outcome, Trouble> {
    if server.order.wait.is_some() {
        return Err(wrong("The state of services is told at once: give start or restart --wait."));
    }
    let all = server.get("/supervisor/status")?;
    let services = all["services"].as_object().cloned().unwrap_or_default();
    if let Some(name) = names.iter().find(|name| !services.contains_key(*name)) {
        // The server's words for it.
        server.get(&format!("/supervisor/status/{}", segment(name)))?;
    }
    let is_wanted = |name: &String| names.is_empty() || names.contains(name);
    let wanted: serde_json::Map<String, Value> =
        services.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    // What nobody asked about by name is only told.
    let is_bad = |state: &Value| {
        tone(text(state, "status")) == Tone::Bad || text(state, "health") == "unhealthy"
    };
    let is_well = names.is_empty() || !wanted.values().any(is_bad);
    let outcome = if is_well { Outcome::Well } else { Outcome::NotWell };
    let mut told = all;
    told["services"] = Value::Object(wanted.clone());
    if server.tell_json(&told) {
        return Ok(outcome);
    }
    let head =
        ["NAME", "STATUS", "HEALTH", "PID", "TIME", "CPU %", "MIB", "RESTARTS", "PORT", "MESSAGE"];
    let mut table =
        Table::new(&head, &["PORT", "MIB", "CPU %", "RESTARTS", "TIME", "PID", "HEALTH"]);
    for (name, state) in &wanted {
        table.add(row(name, state));
    }
    table.lines(server.console).iter().for_each(|line| {
        server.console.say(line);
    });
    Ok(outcome)
}

fn row(name: &str, state: &Value) -> Vec<Cell> {
    let (status, health) = (text(state, "status"), text(state, "health"));
    let or_dash = |value: &Value| if value.is_null() { "-".to_owned() } else { value.to_string() };
    let time = match state["uptime"].as_f64() {
        Some(uptime) if !state["pid"].is_null() => lasting(uptime),
        _ => "-".to_owned(),
    };
    vec![
        name.into(),
        Cell::from(status).tinted(Some(tone(status))),
        Cell::from(if health == "unknown" { "-" } else { health }).tinted(Some(tone(health))),
        or_dash(&state["pid"]).into(),
        time.into(),
        (&state["cpu_percent"]).into(),
        (&state["memory_mb"]).into(),
        (&state["restart_count"]).into(),
        or_dash(&state["port"]).into(),
        text(state, "message").into(),
    ]
}

fn logs(server: &Server<'_>, names: &[String], lines: &Lines) -> Result<Outcome, Trouble> {
    let target =
        |name: &str| server.parameters_of(lines).of(&format!("/supervisor/logs/{}", segment(name)));
    if let [name] = names {
        follow::copy(server, &target(name), None)?;
        return Ok(Outcome::Well);
    }
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let targets = names.iter().enumerate();
    let targets: Vec<_> =
        targets.map(|(number, name)| (Named { name, number, width }, target(name))).collect();
    if lines.follows {
        follow::copy_all(server, &targets)?;
    } else {
        // One after the other, as nobody waits for the next line.
        for (named, target) in &targets {
            follow::copy(server, target, Some(*named))?;
        }
    }
    Ok(Outcome::Well)
}

fn write(server: &Server<'_>, words: &[String]) -> Result<Outcome, Trouble> {
    let (name, rest) = words.split_first().ok_or_else(|| wrong("Which service? Give its name."))?;
    server.write(&format!("/supervisor/stdin/{}", segment(name)), &input(rest)?)
}

fn bulk(server: &Server<'_>, action: &str, names: &[String]) -> Result<Outcome, Trouble> {
    let body = json!({"action": action, "services": names});
    let answer = server.post(&waiting(server, "/supervisor/bulk"), &body)?;
    let operations = answer["operations"].as_array().cloned().unwrap_or_default();
    if !server.tell_json(&answer) {
        for operation in &operations {
            let status = text(operation, "status");
            let state = server.console.tinted(status, tone(status));
            let detail = operation["detail"].as_str().map(|why| format!(": {why}"));
            let name = text(operation, "service");
            server.console.say(&format!("{name}: {state}{}", detail.unwrap_or_default()));
        }
    }
    let is_bad = |operation: &Value| tone(text(operation, "status")) == Tone::Bad;
    Ok(if operations.iter().any(is_bad) { Outcome::NotWell } else { Outcome::Well })
}

fn health(server: &Server<'_>, names: &[String]) -> Result<Outcome, Trouble> {
    each(names, |name| {
        let health = server.get(&format!("/supervisor/health/{}", segment(name)))?;
        let status = text(&health, "status");
        if !server.tell_json(&health) {
            let shown = server.console.tinted(status, tone(status));
            server.console.say(&format!("{name}: {shown}"));
            for (check, found) in health["checks"].as_object().into_iter().flatten() {
                server.console.say(&format!("  {check}: {}", found.as_str().unwrap_or_default()));
            }
        }
        // Nothing is known of one without checks, and of one that is not up, which is not well.
        let is_well = match status {
            "healthy" => true,
            "unhealthy" => false,
            _ => {
                let state = server.get(&format!("/supervisor/status/{}", segment(name)))?;
                !matches!(text(&state, "status"), "fatal" | "crashed" | "backoff")
            }
        };
        Ok(if is_well { Outcome::Well } else { Outcome::NotWell })
    })
}

/// Tells each change as it comes.
fn events(server: &Server<'_>) -> Result<Outcome, Trouble> {
    let stream = server.stream("/supervisor/events", "text/event-stream", None)?;
    for line in BufReader::new(stream).lines() {
        let line =
            line.map_err(|error| Trouble::Failed(format!("The stream broke off ({error}).")))?;
        let Some(data) = line.strip_prefix("data:") else { continue };
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        let is_read = if server.order.is_json {
            server.console.say(data.trim())
        } else {
            let status = text(&event, "status");
            let state = server.console.tinted(status, tone(status));
            let [at, service, message] = ["at", "service", "message"].map(|it| text(&event, it));
            server.console.say(&format!("{at} {service}: {state}. {message}"))
        };
        if !is_read {
            break;
        }
    }
    Ok(Outcome::Well)
}
