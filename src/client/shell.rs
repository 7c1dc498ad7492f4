//! Orders to an LLM Shell.

use super::command::{Lines, Start, Verb};
use super::console::Tone;
use super::ctl::{Outcome, Received, Server, format_duration, input};
use super::error::ClientError;
use super::follow;
use super::table::{Cell, Table, number};
use super::target::Parameters;
use crate::protocol::{KillResponse, ProcessStatus, RunStatus};
use serde_json::{Value, json};
use std::time::Duration;

/// The exit code where a command did not end in time: that of timeout(1).
const TIME_IS_UP: u8 = 124;

/// The state of a run, as it was received.
type Run = Received<ProcessStatus>;

/// Carries out the order.
pub fn run(server: &Server<'_>) -> Result<Outcome, ClientError> {
    match server.verb() {
        Verb::Start(start) => start_command(server, start),
        Verb::Stop(names) => kill(server, names, "SIGTERM"),
        Verb::Kill(names) => kill(server, names, "SIGKILL"),
        Verb::Restart(names, timeout) => restart(server, names, *timeout),
        Verb::Status(names) => {
            no_names(names)?;
            Ok(match server.wait_seconds() {
                Some(wait) => tell(server, &wait_for_end(server, wait)?),
                None => tell(server, &server.get("/status")?),
            })
        }
        Verb::Logs(names, lines) => {
            no_names(names)?;
            logs(server, lines)
        }
        Verb::Signal(words) => {
            let [signal] = &words[..] else { return Err(wrong_names()) };
            let target = Parameters::new().with("type", Some(signal)).of("/signal");
            Ok(tell(server, &server.post(&target, &Value::Null)?))
        }
        Verb::Stdin(words) => server.write("/stdin", &input(words)?),
        Verb::Health(names) => no_names(names).map(|()| Outcome::Well),
        Verb::Reload(_) | Verb::Bulk(..) | Verb::Events => Err(ClientError::Wrong(
            "This is an LLM Shell, which has no services: give the --url of Astra.".to_owned(),
        )),
    }
}

fn start_command(server: &Server<'_>, start: &Start) -> Result<Outcome, ClientError> {
    if start.words.is_empty() {
        return Err(ClientError::Wrong("There is no command: give ctl start COMMAND.".to_owned()));
    }
    let mut body = json!({
        "command": command_of(&start.words), "env": start.env,
        "pty": start.is_on_terminal, "stdin": start.has_stdin,
    });
    if let Some(cwd) = &start.cwd {
        body["cwd"] = json!(cwd);
    }
    if let Some(timeout) = start.timeout {
        body["timeout"] = json!(timeout.as_secs_f64());
    }
    let begun = server.client.post("/start", &[], body.to_string().as_bytes())?;
    let begun: Run = server.read(&begun)?;
    let Some(wait) = server.order.wait else { return Ok(tell(server, &begun)) };
    if server.order.is_json {
        let ended = wait_for_end(server, wait.as_secs_f64())?;
        tell(server, &ended);
        return Ok(end_of(&ended.body));
    }
    let run = format!("/runs/{}", begun.body.run_id);
    follow::copy_within(server, &format!("{run}/logs?follow=true&format=text"), wait)?;
    let ended: ProcessStatus = server.get(&run)?.body;
    if ended.status != RunStatus::Exited {
        eprintln!("llm-shell: {}", in_words(&ended));
    }
    Ok(end_of(&ended))
}

/// Returns the exit code of a command that was waited for, as a shell reports it.
fn end_of(run: &ProcessStatus) -> Outcome {
    match run.exit_code {
        _ if run.status == RunStatus::Running => Outcome::Code(TIME_IS_UP),
        Some(signal @ ..0) => Outcome::Code(u8::try_from(128 - signal).unwrap_or(u8::MAX)),
        // The kernel gives eight bits.
        Some(code) => Outcome::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        None => Outcome::Unhealthy,
    }
}

/// Says why a command that was waited for has not ended by itself.
fn in_words(run: &ProcessStatus) -> String {
    let Some(by) = run.ended_by else {
        return "it is still running: ctl logs -f shows what it prints, ctl kill ends it"
            .to_owned();
    };
    let with = run.signal.as_ref().map(|signal| format!(", with {signal}")).unwrap_or_default();
    format!("it was killed ({by}){with}")
}

/// One word is text for the shell; several are a program and its arguments, each quoted.
fn command_of(words: &[String]) -> String {
    if let [text] = words {
        return text.clone();
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) {
            return word.clone();
        }
        format!("'{}'", word.replace('\'', "'\\''"))
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn wait_for_end(server: &Server<'_>, seconds: f64) -> Result<Run, ClientError> {
    let target = Parameters::new().with("wait", Some(seconds)).of("/status");
    let answer = server.console.while_waiting("for the end", || server.client.get(&target))?;
    server.read(&answer)
}

fn kill(server: &Server<'_>, names: &[String], signal: &str) -> Result<Outcome, ClientError> {
    no_names(names)?;
    let Received { json, body: KillResponse { status, left, .. } } =
        server.post(&format!("/kill?type={signal}"), &Value::Null)?;
    if !server.tell_json(&json) {
        let unkilled = match left.len() {
            0 => String::new(),
            count => format!(", {count} processes withstood"),
        };
        server.console.say(&format!("{status}{unkilled}"));
    }
    Ok(if left.is_empty() { Outcome::Well } else { Outcome::Unhealthy })
}

fn restart(
    server: &Server<'_>,
    names: &[String],
    timeout: Option<Duration>,
) -> Result<Outcome, ClientError> {
    no_names(names)?;
    let timeout = timeout.map(|timeout| timeout.as_secs_f64());
    let target = Parameters::new().with("timeout", timeout).of("/restart");
    let begun = server.post(&target, &Value::Null)?;
    Ok(match server.wait_seconds() {
        Some(wait) => tell(server, &wait_for_end(server, wait)?),
        None => tell(server, &begun),
    })
}

fn logs(server: &Server<'_>, lines: &Lines) -> Result<Outcome, ClientError> {
    follow::copy(server, &server.parameters_of(lines).of("/logs"), None)?;
    Ok(Outcome::Well)
}

/// Prints the state of a run. It is well while it is running and if it exited with 0.
fn tell(server: &Server<'_>, Received { json, body: run }: &Run) -> Outcome {
    let is_well = match run.status {
        RunStatus::Running => true,
        RunStatus::Exited => run.exit_code == Some(0),
        RunStatus::Killed => false,
    };
    if !server.tell_json(json) {
        let tone = if is_well { Tone::Good } else { Tone::Bad };
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
    if is_well { Outcome::Well } else { Outcome::Unhealthy }
}

fn no_names(names: &[String]) -> Result<(), ClientError> {
    if names.is_empty() { Ok(()) } else { Err(wrong_names()) }
}

fn wrong_names() -> ClientError {
    ClientError::Wrong(
        "An LLM Shell has one command and no names: leave them out, or give the --url of Astra."
            .to_owned(),
    )
}
