//! Commands for an LLM Shell.

use super::command::{Lines, Start, Verb};
use super::console::Tone;
use super::error::ClientError;
use super::follow;
use super::server::{Outcome, Received, Server, format_duration, input};
use super::table::{Cell, Table, number};
use super::target::Parameters;
use crate::process::CommandLine;
use crate::protocol::{KillResponse, ProcessStatus, RunStatus};
use serde_json::{Value, json};
use std::time::Duration;

/// The exit code for a command that did not end in time, as with timeout(1).
const TIMEOUT_CODE: u8 = 124;

/// The state of a run, as received.
type Run = Received<ProcessStatus>;

/// Runs the command.
pub fn run(server: &Server<'_>) -> Result<Outcome, ClientError> {
    match server.verb() {
        Verb::Start(start) => start_command(server, start),
        Verb::Stop(names) => kill(server, names, "SIGTERM"),
        Verb::Kill(names) => kill(server, names, "SIGKILL"),
        Verb::Restart(names, timeout) => restart(server, names, *timeout),
        Verb::Status(names) => {
            no_names(names)?;
            Ok(match server.wait_seconds() {
                Some(wait) => print_state(server, &wait_for_end(server, wait)?),
                None => print_state(server, &server.get("/status")?),
            })
        }
        Verb::Logs(names, lines) => {
            no_names(names)?;
            logs(server, lines)
        }
        Verb::Signal(args) => {
            let [signal] = &args[..] else { return Err(wrong_names()) };
            let target = Parameters::new().with("type", Some(signal)).of("/signal");
            Ok(print_state(server, &server.post(&target, &Value::Null)?))
        }
        Verb::Stdin(args) => server.write("/stdin", &input(args)?),
        Verb::Health(names) => no_names(names).map(|()| Outcome::Healthy),
        Verb::Reload(_) | Verb::Bulk(..) | Verb::Events => Err(ClientError::Wrong(
            "this server is an LLM Shell, which has no services: give the --url of Astra"
                .to_owned(),
        )),
    }
}

fn start_command(server: &Server<'_>, start: &Start) -> Result<Outcome, ClientError> {
    if start.args.is_empty() {
        return Err(ClientError::Wrong("no command given: use ctl start COMMAND".to_owned()));
    }
    let mut body = json!({
        "command": command_of(&start.args), "env": start.env,
        "pty": start.is_on_terminal, "stdin": start.has_stdin,
    });
    if let Some(cwd) = &start.cwd {
        body["cwd"] = json!(cwd);
    }
    if let Some(timeout) = start.timeout {
        body["timeout"] = json!(timeout.as_secs_f64());
    }
    let started = server.client.post("/start", &[], body.to_string().as_bytes())?;
    let started: Run = server.read(&started)?;
    let Some(wait) = server.command.wait else { return Ok(print_state(server, &started)) };
    if server.command.is_json {
        let ended = wait_for_end(server, wait.as_secs_f64())?;
        print_state(server, &ended);
        return Ok(end_of(&ended.body));
    }
    let run = format!("/runs/{}", started.body.run_id);
    follow::copy_within(server, &format!("{run}/logs?follow=true&format=text"), wait)?;
    let ended: ProcessStatus = server.get(&run)?.body;
    if ended.status != RunStatus::Exited {
        eprintln!("llm-shell: {}", describe_end(&ended));
    }
    Ok(end_of(&ended))
}

/// Returns the exit code of a shell command that was waited for, as a shell reports it.
fn end_of(run: &ProcessStatus) -> Outcome {
    match run.exit_code {
        _ if run.status == RunStatus::Running => Outcome::Code(TIMEOUT_CODE),
        Some(signal @ ..0) => Outcome::Code(u8::try_from(128 - signal).unwrap_or(u8::MAX)),
        // The kernel reports eight bits.
        Some(code) => Outcome::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        None => Outcome::Unhealthy,
    }
}

/// Describes why a command that was waited for did not exit by itself.
fn describe_end(run: &ProcessStatus) -> String {
    let Some(by) = run.ended_by else {
        return "still running: ctl logs -f follows its output, ctl kill ends it".to_owned();
    };
    let with = run.signal.as_ref().map(|signal| format!(", with {signal}")).unwrap_or_default();
    format!("killed ({by}){with}")
}

/// Joins the arguments: one is text for the shell; several are a program and its arguments, which
/// are quoted.
fn command_of(args: &[String]) -> String {
    if let [text] = args {
        return text.clone();
    }
    CommandLine::Arguments(args.to_vec()).to_string()
}

fn wait_for_end(server: &Server<'_>, seconds: f64) -> Result<Run, ClientError> {
    let target = Parameters::new().with("wait", Some(seconds)).of("/status");
    let answer =
        server.console.while_waiting("for the command to end", || server.client.get(&target))?;
    server.read(&answer)
}

fn kill(server: &Server<'_>, names: &[String], signal: &str) -> Result<Outcome, ClientError> {
    no_names(names)?;
    let Received { json, body: KillResponse { status, left, .. } } =
        server.post(&format!("/kill?type={signal}"), &Value::Null)?;
    if !server.print_json(&json) {
        let unkilled = match left.len() {
            0 => String::new(),
            count => format!(", {count} processes survived"),
        };
        server.console.say(&format!("{status}{unkilled}"));
    }
    Ok(if left.is_empty() { Outcome::Healthy } else { Outcome::Unhealthy })
}

fn restart(
    server: &Server<'_>,
    names: &[String],
    timeout: Option<Duration>,
) -> Result<Outcome, ClientError> {
    no_names(names)?;
    let timeout = timeout.map(|timeout| timeout.as_secs_f64());
    let target = Parameters::new().with("timeout", timeout).of("/restart");
    let started = server.post(&target, &Value::Null)?;
    Ok(match server.wait_seconds() {
        Some(wait) => print_state(server, &wait_for_end(server, wait)?),
        None => print_state(server, &started),
    })
}

fn logs(server: &Server<'_>, lines: &Lines) -> Result<Outcome, ClientError> {
    follow::copy(server, &server.parameters_of(lines).of("/logs"), None)?;
    Ok(Outcome::Healthy)
}

/// Prints the state of a run. A run is healthy while running, and if it exited with 0.
fn print_state(server: &Server<'_>, Received { json, body: run }: &Run) -> Outcome {
    let is_healthy = match run.status {
        RunStatus::Running => true,
        RunStatus::Exited => run.exit_code == Some(0),
        RunStatus::Killed => false,
    };
    if !server.print_json(json) {
        let tone = if is_healthy { Tone::Good } else { Tone::Bad };
        let mut table = Table::new(
            &["STATUS", "EXIT", "PID", "TIME", "CPU %", "MIB", "RUN", "COMMAND"],
            &["MIB", "CPU %", "RUN", "TIME", "PID"],
        );
        let exit = match (&run.signal, run.ended_by, run.exit_code) {
            (Some(signal), Some(by), _) => format!("{signal} ({by})"),
            (_, _, Some(code)) => code.to_string(),
            (_, _, None) => "-".to_owned(),
        };
        table.add(vec![
            Cell::from(run.status).tinted(Some(tone)),
            exit.into(),
            run.process_pid.into(),
            format_duration(run.uptime).into(),
            number(run.cpu_percent),
            number(run.memory_mb),
            (&run.run_id).into(),
            (&run.command).into(),
        ]);
        table.lines(server.console).iter().for_each(|line| {
            server.console.say(line);
        });
    }
    if is_healthy { Outcome::Healthy } else { Outcome::Unhealthy }
}

fn no_names(names: &[String]) -> Result<(), ClientError> {
    if names.is_empty() { Ok(()) } else { Err(wrong_names()) }
}

fn wrong_names() -> ClientError {
    ClientError::Wrong(
        "an LLM Shell has no names: omit them, or give the --url of Astra".to_owned(),
    )
}
