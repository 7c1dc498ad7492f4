//! The tools of the LLM Shell.

use super::arguments::{Arguments, with_wait};
use super::error::{ToolError, empty};
use super::runs::{
    bytes, id_of, lines, lines_total, report, report_of, report_screen, report_status, run_of,
    run_schema, until_of, wait_for,
};
use super::session::{run_in_session, wait_in_session};
use super::shell_arguments::{
    Kill, ListRuns, OneOrMany, RUNS_DEFAULT, ReadLogs, Restart, SendInput, SendSignal,
    StartCommand, WaitForRuns,
};
use super::tool::{Context, Effect, OUTPUT_BYTES_DEFAULT, Tool, ToolResult, input_of};
use crate::logs::Range;
use crate::ops::text_report::{self, Frame};
use crate::ops::{
    ContinuationHint, Escapes, LogQuery, LogRange, OutputMark, Place, RunsQuery, Shell, Until,
    WaitFor, Which, fitting_seconds,
};
use crate::process::Signal;
use crate::protocol::{ProcessStatus, RunRequest, RunStatus, RunsWaitResponse, Scope};
use crate::runs::{EndsInput, FoundRun};
use serde_json::json;
use std::time::{Duration, Instant};

/// The default wait for the end of a started command, in seconds: most commands have ended by
/// then.
const START_WAIT_DEFAULT: f64 = 10.0;

/// The default duration of the tool `wait`, in seconds.
const WAIT_DEFAULT: f64 = 50.0;

/// The default time for a program to react to input, in seconds.
const REACTION_WAIT_DEFAULT: f64 = 5.0;

/// The silence after which a reaction is complete.
const REACTION_SILENCE: Duration = Duration::from_millis(300);

/// The tools, in the order in which they are needed.
pub const SHELL_TOOLS: &[Tool<Shell>] = &[
    Tool {
        name: "start_command",
        title: "Start a command",
        description: "Runs a command with /bin/sh -c (or LLM_SHELL_SHELL) beside all others, and \
                      waits for its end, at most `wait` seconds; returns its state and output. \
                      For a server give until=match:REGEX of its ready line. For a program that \
                      asks give pty=true: the wait also ends at a question. Nothing carries over \
                      to the next command. Runs end with the server; logs are kept up to a total \
                      size, the oldest deleted first.",
        effect: Effect::Changes,
        scope: Scope::Run,
        input: || with_wait(input_of::<StartCommand>(), START_WAIT_DEFAULT),
        output: run_schema,
        call: start,
    },
    Tool {
        name: "wait",
        title: "Wait for runs",
        description: "Waits until the run ends (or asks, or until=…), at most `wait` seconds, and \
                      returns its state and the output after line `after`. With several runs: \
                      until all, or any, have ended. Still running is no error: call again.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || with_wait(input_of::<WaitForRuns>(), WAIT_DEFAULT),
        output: run_schema,
        call: wait,
    },
    Tool {
        name: "read_logs",
        title: "Read output",
        description: "Returns lines of a run's output: all, or those selected; what is over \
                      max_bytes is cut in the middle. Escape sequences are removed.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || with_wait(input_of::<ReadLogs>(), 0.0),
        output: run_schema,
        call: read_logs,
    },
    Tool {
        name: "send_input",
        title: "Write to a run",
        description: "Writes text to a run that was started with stdin or pty (end it with \\n to \
                      press Enter), then presses keys, and returns what it prints until it is \
                      quiet, or until=….",
        effect: Effect::Changes,
        scope: Scope::Run,
        input: || with_wait(input_of::<SendInput>(), REACTION_WAIT_DEFAULT),
        output: run_schema,
        call: send_input,
    },
    Tool {
        name: "send_signal",
        title: "Send a signal",
        description: "Sends a signal to a run and its children, without waiting. To end it use \
                      kill.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: input_of::<SendSignal>,
        output: run_schema,
        call: send_signal,
    },
    Tool {
        name: "kill",
        title: "End a run",
        description: "Ends a run with everything it started: SIGTERM, then SIGKILL after 5 s. \
                      Returns when all is gone. Also ends what an ended run left behind.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: input_of::<Kill>,
        output: run_schema,
        call: kill,
    },
    Tool {
        name: "restart",
        title: "Start a run again",
        description: "Ends a run if it still runs, and starts its command again the same way, as \
                      a new run with a new id and log.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: input_of::<Restart>,
        output: run_schema,
        call: restart,
    },
    Tool {
        name: "list_runs",
        title: "List runs",
        description: "Lists runs, the newest first, with state, age and command.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<ListRuns>,
        output: run_schema,
        call: list_runs,
    },
];

fn start(context: &Context<'_, Shell>, mut arguments: Arguments) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(START_WAIT_DEFAULT)?;
    let given: StartCommand = arguments.read()?;
    let (bytes, until) = (bytes(given.max_bytes)?, until_of(context, given.until.as_deref())?);
    if let Some(session) = &given.session {
        return run_in_session(context, session, &given, (until, wait), bytes);
    }
    let StartCommand { command, name, cwd, env, stdin, pty, timeout, .. } = given;
    let request = RunRequest {
        command: Some(command),
        name,
        cwd,
        env,
        stdin,
        pty,
        timeout,
        ..RunRequest::default()
    };
    // A question may be there before the start is answered.
    let began = Instant::now();
    let started = context.ops.start(context.client, &request, Place::Beside, false)?;
    let run = &started.run;
    context.set_last_run(run.id());
    // The command is running, so a failed wait is not a failure of the call.
    let waited = wait_for(context, run, (&OutputMark::default(), began), until, wait);
    let status = ProcessStatus {
        ended_leftovers: ProcessStatus::from(started.snapshot).ended_leftovers,
        ..run.snapshot().into()
    };
    let query = lines(context, run.id(), Range::After(0), bytes)?;
    report_of(context, status, query, &notes(waited))
}

/// Returns the notes on a wait: the line that matched, or why there was no wait.
fn notes(waited: Result<Option<String>, ToolError>) -> Vec<String> {
    match waited {
        Ok(None) => Vec::new(),
        Ok(Some(line)) => vec![format!("matched: {line}")],
        Err(error) => vec![error.into_text()],
    }
}

fn wait(context: &Context<'_, Shell>, mut arguments: Arguments) -> Result<ToolResult, ToolError> {
    let seconds = arguments.wait(WAIT_DEFAULT)?;
    let WaitForRuns { run, wanted, until, after, max_bytes } = arguments.read()?;
    let run = match run {
        Some(OneOrMany::Many(names)) => {
            let has_more = until.is_some() || after.is_some();
            return wait_for_many(context, &names, wanted.as_deref(), has_more, seconds);
        }
        Some(OneOrMany::One(run)) => Some(run),
        None => None,
    };
    let (bytes, until) = (bytes(max_bytes)?, until_of(context, until.as_deref())?);
    let found = run_of(context, run.as_deref())?;
    let mut matched_line = None;
    if let FoundRun::Managed(managed) = &found {
        let run = &managed.run;
        if run.session().is_some_and(|session| session.last_exec().is_some()) {
            return wait_in_session(context, run, (until, seconds), (after, bytes));
        }
        let mark = OutputMark::after(after.unwrap_or(0));
        matched_line = wait_for(context, run, (&mark, Instant::now()), until, seconds)?;
    }
    let query = lines(context, id_of(&found), Range::After(after.unwrap_or(0)), bytes)?;
    report(context, &found, query, &notes(Ok(matched_line)))
}

fn wait_for_many(
    context: &Context<'_, Shell>,
    names: &[String],
    wanted: Option<&str>,
    has_more: bool,
    seconds: f64,
) -> Result<ToolResult, ToolError> {
    let wanted = match wanted {
        None | Some("all") => WaitFor::All,
        Some("any") => WaitFor::Any,
        Some(other) => {
            return Err(ToolError(format!("The argument for is {other:?}: give all or any.")));
        }
    };
    if has_more {
        return Err(ToolError("The arguments until and after need one run: name one.".to_owned()));
    }
    let wait = Duration::from_secs_f64(seconds);
    let RunsWaitResponse { runs, ended } =
        context.ops.wait_for_runs(context.client, names, wanted, wait)?;
    let first = format!("{} of {} runs have ended", ended.len(), runs.len());
    let lines: Vec<String> = runs.iter().map(text_report::line_of).collect();
    let running: Vec<&str> = runs
        .iter()
        .filter(|run| run.status == RunStatus::Running)
        .map(|run| run.run_id.as_str())
        .collect();
    let last = if running.is_empty() {
        "read_logs run=… reads the output of each".to_owned()
    } else {
        format!("still running: wait run={}", json!(running))
    };
    let text = Frame::new().around(&first, &lines.join("\n"), &last);
    Ok(ToolResult { text, data: json!({}) })
}

fn read_logs(
    context: &Context<'_, Shell>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(0.0)?;
    let requested: ReadLogs = arguments.read()?;
    if requested.run.as_deref() == Some("") {
        return Err(empty("run"));
    }
    let found = run_of(context, requested.run.as_deref())?;
    if requested.screen {
        return report_screen(context, &found);
    }
    let is_filtered = requested.grep.is_some() || requested.seconds.is_some();
    let (after, lines) = match (requested.after, requested.lines) {
        // Selected by number, so that a line without newline stays separate.
        (None, Some(count @ 1..)) if !is_filtered => {
            (Some(lines_total(context, &found)?.saturating_sub(count)), None)
        }
        (None, None) if requested.seconds.is_none() => (Some(0), None),
        given => given,
    };
    let seconds = fitting_seconds("seconds", requested.seconds)?;
    let range = LogRange { lines, seconds, after, ..LogRange::default() }.or(Range::All)?;
    let grep = requested.grep.as_deref();
    let around = requested.context.map(|lines| format!(" context={lines}")).unwrap_or_default();
    let tool = format!("read_logs run={}{around}", id_of(&found));
    let hint = ContinuationHint::call(tool, None, grep);
    let mut query = LogQuery::new(context.client, range, grep, Escapes::Stripped, hint)?
        .with_context(requested.context)?
        .limited_to(Some(bytes(requested.max_bytes)?))?;
    query.selection.limit = requested.limit;
    let until = until_of(context, requested.until.as_deref())?;
    if until.is_some() && wait == 0.0 {
        return Err(ToolError("The argument until needs wait: give both.".to_owned()));
    }
    if wait > 0.0 {
        if requested.after.is_none() {
            return Err(ToolError(
                "The argument wait needs after: give the number in the last result.".into(),
            ));
        }
        (query.wait, query.until) =
            (Some(Duration::from_secs_f64(wait)), until.unwrap_or(Until::Line));
    }
    query.check()?;
    report(context, &found, query, &[])
}

fn send_input(
    context: &Context<'_, Shell>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(REACTION_WAIT_DEFAULT)?;
    let SendInput { run, text, keys, eof, until } = arguments.read()?;
    let until = until_of(context, until.as_deref())?.unwrap_or(Until::Idle(REACTION_SILENCE));
    let found = run_of(context, run.as_deref())?;
    let ends = if eof { EndsInput::Yes } else { EndsInput::No };
    let permit = context.ops.streams().take()?;
    let which = Which::Run(id_of(&found));
    let input = context.ops.with_keys(which, text.into_bytes(), &keys)?;
    let written = context.ops.write_stdin(context.client, &permit, which, &input, ends)?;
    drop(permit);
    // The input is written, so a failed wait is not a failure of the call.
    let mark = OutputMark::of_input(&written);
    let waited = wait_for(context, &written.run, (&mark, Instant::now()), Some(until), wait);
    let mut notes = notes(waited);
    if written.bytes < input.len() {
        let (bytes, all) = (written.bytes, input.len());
        notes.push(format!(
            "{bytes} of {all} bytes were accepted: the program is not reading. Send the rest later."
        ));
    }
    let query = lines(context, id_of(&found), Range::After(mark.lines()), OUTPUT_BYTES_DEFAULT)?;
    report(context, &found, query, &notes)
}

fn send_signal(
    context: &Context<'_, Shell>,
    arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let SendSignal { run, kind } = arguments.read()?;
    let wrong =
        |requested: String| ToolError(format!("The argument type is {kind:?}: give {requested}."));
    let signal = kind.parse().map_err(wrong)?;
    let found = run_of(context, run.as_deref())?;
    context.ops.signal(context.client, Which::Run(id_of(&found)), signal)?;
    report_status(context, &found)
}

fn kill(context: &Context<'_, Shell>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Kill { run, kind } = arguments.read()?;
    let signal = match kind.as_deref() {
        None | Some("SIGTERM") => Signal::TERM,
        Some("SIGKILL") => Signal::KILL,
        Some(other) => {
            return Err(ToolError(format!(
                "The argument type is {other:?}: give SIGTERM or SIGKILL."
            )));
        }
    };
    let found = run_of(context, run.as_deref())?;
    let killed = context.ops.kill(context.client, Which::Run(id_of(&found)), signal)?;
    let mut notes = Vec::new();
    if !killed.left.is_empty() {
        let left = killed.left.iter().map(|left| format!("{} ({})", left.pid, left.why));
        notes.push(format!("not ended: {}", left.collect::<Vec<_>>().join(", ")));
    }
    if !killed.ended_leftovers.is_empty() {
        let ended = killed.ended_leftovers.iter();
        let ended: Vec<_> = ended.map(|it| format!("{} ({})", it.pid, it.command)).collect();
        notes.push(format!("ended what it had left running: {}", ended.join(", ")));
    }
    let after = lines_total(context, &found)?.saturating_sub(KILL_LINES);
    let query = lines(context, id_of(&found), Range::After(after), KILL_BYTES)?;
    report(context, &found, query, &notes)
}

/// The output that the result of a kill has: its last lines.
const KILL_LINES: u64 = 10;
const KILL_BYTES: u64 = 4 * 1024;

fn restart(context: &Context<'_, Shell>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Restart { run, timeout } = arguments.read()?;
    let timeout = fitting_seconds("timeout", timeout)?;
    let found = run_of(context, run.as_deref())?;
    let new = context.ops.restart(context.client, Which::Run(id_of(&found)), timeout)?;
    context.set_last_run(&new.run_id);
    let query = lines(context, &new.run_id, Range::After(0), OUTPUT_BYTES_DEFAULT)?;
    report_of(context, new, query, &[])
}

fn list_runs(context: &Context<'_, Shell>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let ListRuns { name, status, limit, before } = arguments.read()?;
    let status = status.map(|given| {
        let known = RunStatus::ALL.iter().find(|it| it.as_str() == given).copied();
        known.ok_or_else(|| {
            ToolError(format!("The argument status is {given:?}: give running, exited or killed."))
        })
    });
    let limit = limit.unwrap_or(RUNS_DEFAULT);
    let query = RunsQuery { limit, before, name, status: status.transpose()? };
    let list = context.ops.list(query)?;
    let lines: Vec<String> = list.runs.iter().map(text_report::line_of).collect();
    let body = if lines.is_empty() { "(no runs)".to_owned() } else { lines.join("\n") };
    let last = match list.next {
        Some(next) => format!("more: list_runs before={next}"),
        None => "read_logs run=… reads the output of one".to_owned(),
    };
    let first = format!("{} of {} runs", list.runs.len(), list.total);
    let text = Frame::new().around(&first, &body, &last);
    Ok(ToolResult { text, data: json!({}) })
}
