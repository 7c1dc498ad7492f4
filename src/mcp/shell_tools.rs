//! The tools of the LLM Shell.

use super::arguments::{Arguments, with_wait};
use super::error::{ToolError, empty};
use super::runs::{
    Before, RunReport, STATUS_BYTES, bytes, lines, lines_total, prompt, report, report_of,
    report_status, wait_for_end, wait_for_line, wait_for_reaction,
};
use super::tool::{Context, Effect, OUTPUT_BYTES_DEFAULT, Tool, ToolResult, input_of, output_of};
use crate::logs::{CONTEXT_LINES_MAX, Range};
use crate::ops::{ContinuationHint, Escapes, LogQuery, LogRange, Shell, fitting_seconds};
use crate::process::Signal;
use crate::protocol::{
    KillResponse, LogsResponse, ProcessStatus, Scope, StartRequest, StdinRequest, whole_or_null,
};
use crate::runs::EndsInput;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

/// The default wait for the end of a started command, in seconds: most commands have ended by
/// then.
const START_WAIT_DEFAULT: f64 = 10.0;

/// The default duration of the tool `wait`, in seconds.
const WAIT_DEFAULT: f64 = 30.0;

/// The default time for a program to react to input, in seconds.
const REACTION_WAIT_DEFAULT: f64 = 1.0;

/// The tools, in the order in which they are needed.
pub const SHELL_TOOLS: &[Tool<Shell>] = &[
    Tool {
        name: "start_command",
        title: "Start a command",
        description: "Runs a shell command and waits for its end, at most `wait` seconds (10, up \
                      to 50); returns its state and its output. One command runs at a time: while \
                      one is running, this is refused; processes left by an ended one are ended \
                      first. For a server or a long build give wait=0 or let the wait expire, then \
                      use read_logs or wait. If it may prompt, give pty=true: this returns early \
                      when the output ends without a newline and stays silent, as a prompt does, \
                      and send_input answers it. Directory and environment do not carry over: give \
                      cwd and env each time. Output over 32 KiB is truncated in the middle, with \
                      the call for the rest.",
        effect: Effect::Ends,
        scope: Scope::Run,
        input: || {
            let meaning = "How long to wait for its end, in seconds.";
            with_wait(input_of::<StartRequest>(), START_WAIT_DEFAULT, meaning)
        },
        output: output_of::<RunReport>,
        call: start,
    },
    Tool {
        name: "get_status",
        title: "Show the command",
        description: "Returns the state of the last command at once: running or not, exit code, \
                      what ended it, and its last lines. To wait for its end use wait.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: input_of::<Nothing>,
        output: output_of::<RunReport>,
        call: status,
    },
    Tool {
        name: "read_logs",
        title: "Read output",
        description: "Returns lines of the command's output. With after=N only the lines after \
                      line N, and with wait as well (up to 50 s) as soon as there is one; a prompt \
                      without a newline does not end that wait, see wait. The last result gives \
                      the next N. To search use grep (a regular expression, (?i) ignores case) \
                      with limit; for the end use lines=50. after, lines and seconds exclude each \
                      other, and limit excludes lines. Without any of them everything, truncated \
                      in the middle to 32 KiB. Escape sequences are removed.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || {
            let meaning = "With after: how long to wait for a line after it, in seconds.";
            with_wait(input_of::<ReadLogs>(), 0.0, meaning)
        },
        output: output_of::<RunReport>,
        call: read_logs,
    },
    Tool {
        name: "wait",
        title: "Wait for the end",
        description: "Waits until the command has ended, at most `wait` seconds (30, up to 50), \
                      and returns its state and its output after line `after`: give the number in \
                      the last result, else all output is repeated. Returns early when new output \
                      ends without a newline and stays silent, as a prompt does. A command that is \
                      still running is not an error: call again.",
        effect: Effect::Reads,
        scope: Scope::Read,
        input: || {
            let meaning = "How long to wait for the end, in seconds.";
            with_wait(input_of::<OutputAfter>(), WAIT_DEFAULT, meaning)
        },
        output: output_of::<RunReport>,
        call: wait,
    },
    Tool {
        name: "send_input",
        title: "Write to the command",
        description: "Writes text to the command, which must have been started with stdin or pty; \
                      end it with a newline to press Enter (\"y\\n\"). On a terminal press keys \
                      by name: keys=[\"ctrl-c\",\"up\",\"enter\"]. Returns its output until it has \
                      been quiet for a moment, at most `wait` seconds (1, up to 50). eof=true ends \
                      its input. If not all of the text is accepted, the result says so.",
        effect: Effect::Changes,
        scope: Scope::Run,
        input: || {
            let meaning = "How long to wait for its reaction, in seconds.";
            with_wait(input_of::<StdinRequest>(), REACTION_WAIT_DEFAULT, meaning)
        },
        output: output_of::<InputReport>,
        call: send_input,
    },
    Tool {
        name: "send_signal",
        title: "Send a signal",
        description: "Sends a signal, by name or number (SIGINT, HUP, 10), to the command and all \
                      of its children, without waiting for an effect. To end it use kill.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: input_of::<SendSignal>,
        output: output_of::<RunReport>,
        call: send_signal,
    },
    Tool {
        name: "kill",
        title: "End the command",
        description: "Ends the command with everything it started: SIGTERM, and SIGKILL for what \
                      is left after 5 s; type=SIGKILL at once. Returns when all of it is gone. \
                      Also ends processes that an ended command left running.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: input_of::<Kill>,
        output: output_of::<KillReport>,
        call: kill,
    },
    Tool {
        name: "restart",
        title: "Start it again",
        description: "Ends the last command if it is still running, and starts it again with the \
                      same directory, environment and terminal, and a new log. `timeout` is the \
                      number of seconds it has to exit by itself (10). Does not wait for output: \
                      wait after=0 does.",
        effect: Effect::Ends,
        scope: Scope::Operate,
        input: input_of::<Restart>,
        output: output_of::<RunReport>,
        call: restart,
    },
];

/// The result of `send_input`.
#[derive(Serialize, JsonSchema)]
struct InputReport {
    /// Number of bytes that the program has accepted.
    written: u64,
    /// State of the run.
    run: ProcessStatus,
    /// Output since then.
    output: LogsResponse,
}

/// The result of `kill`.
#[derive(Serialize, JsonSchema)]
struct KillReport {
    /// What was ended, and what survived.
    killed: KillResponse,
    /// State of the run.
    run: ProcessStatus,
    /// Its last lines.
    output: LogsResponse,
}

/// No arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The arguments of `read_logs`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadLogs {
    /// Only lines after this one: the number in the last result.
    #[serde(default, deserialize_with = "whole_or_null")]
    after: Option<u64>,
    /// Only the last N lines.
    #[serde(default, deserialize_with = "whole_or_null")]
    lines: Option<u64>,
    /// Only lines of the last N seconds.
    seconds: Option<f64>,
    /// At most N lines, from the first on.
    #[serde(default, deserialize_with = "whole_or_null")]
    limit: Option<u64>,
    /// Only lines that match this regular expression.
    grep: Option<String>,
    /// With grep: also the N lines on each side of a match.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 0, max = CONTEXT_LINES_MAX))]
    context: Option<u64>,
    /// Maximum size in bytes: beginning and end are kept.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576), extend("default" = OUTPUT_BYTES_DEFAULT))]
    max_bytes: Option<u64>,
    /// The run to read, by its id; the last one if omitted.
    run_id: Option<String>,
}

/// The arguments of `wait`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OutputAfter {
    /// Only lines after this one: the number in the last result.
    #[serde(default, deserialize_with = "whole_or_null")]
    after: Option<u64>,
    /// Maximum size in bytes: beginning and end are kept.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576), extend("default" = OUTPUT_BYTES_DEFAULT))]
    max_bytes: Option<u64>,
}

/// The arguments of `send_signal`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendSignal {
    /// Name (with or without SIG) or number.
    #[serde(rename = "type")]
    kind: String,
}

/// The arguments of `kill`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Kill {
    /// SIGTERM, then SIGKILL for what is left, or SIGKILL at once.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["SIGTERM", "SIGKILL", null], "default" = "SIGTERM"))]
    kind: Option<String>,
}

/// The arguments of `restart`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Restart {
    /// Seconds until SIGKILL.
    #[schemars(range(min = 0, max = 86_400), extend("default" = 10))]
    timeout: Option<f64>,
}

fn start(context: &Context<'_, Shell>, mut arguments: Arguments) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(START_WAIT_DEFAULT)?;
    let bytes = bytes(arguments.count("max_bytes")?)?;
    // A question may be there before the start is answered.
    let began = Instant::now();
    let started = context.ops.start(context.client, &arguments.read()?, false)?;
    // The command is running, so a failed wait is not a failure of the call.
    let waited = wait_for_end(context, &started.run, began, wait);
    let run = ProcessStatus {
        ended_leftovers: ProcessStatus::from(started.snapshot).ended_leftovers,
        ..context.ops.run(started.run.id())?
    };
    let query = lines(context, &run.run_id, Range::After(0), bytes)?;
    Ok(report_of(context, run, query)?.with_note(waited.err()))
}

fn status(context: &Context<'_, Shell>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Nothing {} = arguments.read()?;
    report_status(context, context.ops.last_run()?.id())
}

fn read_logs(
    context: &Context<'_, Shell>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(0.0)?;
    let requested: ReadLogs = arguments.read()?;
    let run_id = match requested.run_id {
        Some(run_id) if run_id.is_empty() => return Err(empty("run_id")),
        Some(run_id) => run_id,
        None => context.ops.last_run()?.id().to_owned(),
    };
    let is_filtered = requested.grep.is_some() || requested.seconds.is_some();
    let (after, lines) = match (requested.after, requested.lines) {
        // Selected by number, so that a line without newline stays separate.
        (None, Some(count @ 1..)) if !is_filtered => {
            (Some(lines_total(context, &run_id)?.saturating_sub(count)), None)
        }
        (None, None) if requested.seconds.is_none() => (Some(0), None),
        given => given,
    };
    let seconds = fitting_seconds("seconds", requested.seconds)?;
    let range = LogRange { lines, seconds, after, ..LogRange::default() }.or(Range::All)?;
    let around = requested.context.map(|lines| format!(" context={lines}")).unwrap_or_default();
    let (tool, grep) = (format!("read_logs run_id={run_id}{around}"), requested.grep.as_deref());
    let hint = ContinuationHint::call(tool, None, grep);
    let mut query = LogQuery::new(context.client, range, grep, Escapes::Stripped, hint)?
        .with_context(requested.context)?
        .limited_to(Some(bytes(requested.max_bytes)?))?;
    query.selection.limit = requested.limit;
    query.check()?;
    if let Some(after) = requested.after {
        wait_for_line(context, &run_id, after, wait)?;
    } else if wait > 0.0 {
        return Err(ToolError(
            "The argument wait needs after: give the number in the last result.".into(),
        ));
    }
    report(context, &run_id, query)
}

fn wait(context: &Context<'_, Shell>, mut arguments: Arguments) -> Result<ToolResult, ToolError> {
    let seconds = arguments.wait(WAIT_DEFAULT)?;
    let OutputAfter { after, max_bytes } = arguments.read()?;
    let bytes = bytes(max_bytes)?;
    let run = context.ops.last_run()?;
    wait_for_end(context, &run, Instant::now(), seconds)?;
    let query = lines(context, run.id(), Range::After(after.unwrap_or(0)), bytes)?;
    report(context, run.id(), query)
}

fn send_input(
    context: &Context<'_, Shell>,
    mut arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let wait = arguments.wait(REACTION_WAIT_DEFAULT)?;
    let run = context.ops.last_run()?;
    let StdinRequest { data, keys, eof } = arguments.read()?;
    let total = lines_total(context, run.id())?;
    let is_on_terminal = run.snapshot().is_on_terminal;
    let enters = keys.iter().filter(|key| key.eq_ignore_ascii_case("enter")).count();
    let echoed = data.matches(['\n', '\r']).count() + enters;
    let echoed = if is_on_terminal { echoed as u64 } else { 0 };
    let before = Before { lines: total, prompt: prompt(context, run.id())?, echoed };
    let ends = if eof { EndsInput::Yes } else { EndsInput::No };
    let data = context.ops.with_keys(data.into_bytes(), &keys)?;
    let permit = context.ops.streams().take()?;
    let written = context.ops.write_stdin(context.client, &permit, &data, ends)?;
    drop(permit);
    // The input is written, so a failed wait is not a failure of the call.
    let waited = wait_for_reaction(context, run.id(), &before, wait);
    let rest = (written < data.len()).then(|| {
        let bytes = data.len();
        ToolError(format!(
            "{written} of {bytes} bytes were accepted: the program is not reading. Send the rest \
             later."
        ))
    });
    let query = lines(context, run.id(), Range::After(total), OUTPUT_BYTES_DEFAULT)?;
    let result = report(context, run.id(), query)?;
    Ok(result.with_note(rest.or(waited.err())).with("written", json!(written)))
}

fn send_signal(
    context: &Context<'_, Shell>,
    arguments: Arguments,
) -> Result<ToolResult, ToolError> {
    let SendSignal { kind } = arguments.read()?;
    let wrong =
        |requested: String| ToolError(format!("The argument type is {kind:?}: give {requested}."));
    let run = context.ops.signal(context.client, kind.parse().map_err(wrong)?)?;
    report_status(context, &run.run_id)
}

fn kill(context: &Context<'_, Shell>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Kill { kind } = arguments.read()?;
    let signal = match kind.as_deref() {
        None | Some("SIGTERM") => Signal::TERM,
        Some("SIGKILL") => Signal::KILL,
        Some(other) => {
            let why = format!("The argument type is {other:?}: give SIGTERM or SIGKILL.");
            return Err(ToolError(why));
        }
    };
    let killed = context.ops.kill(context.client, signal)?;
    let run = context.ops.last_run()?;
    Ok(report_status(context, run.id())?.with("killed", json!(killed)))
}

fn restart(context: &Context<'_, Shell>, arguments: Arguments) -> Result<ToolResult, ToolError> {
    let Restart { timeout } = arguments.read()?;
    let run = context.ops.restart(context.client, fitting_seconds("timeout", timeout)?)?;
    // It has printed little or nothing yet.
    let query = lines(context, &run.run_id, Range::After(0), STATUS_BYTES)?;
    report_of(context, run, query)
}
