//! The tools of the LLM Shell.

use super::arguments::{Arguments, with_wait};
use super::routes::Routes;
use super::runs::{
    Before, GLANCE_BYTES, RunReport, behind, bytes, glance, lines_total, prompt, report, report_of,
    state_of, wait_for_end, wait_for_line, wait_for_reaction,
};
use super::tool::{Effect, Failure, OUTPUT_BYTES_DEFAULT, Told, Tool, empty, input_of, output_of};
use crate::client::Parameters;
use crate::protocol::{
    KillResponse, LogsResponse, ProcessStatus, StartRequest, StdinRequest, whole_or_null,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a start waits for the end where nothing else is said, in seconds: most commands have
/// ended by then.
const START_WAIT_DEFAULT: f64 = 10.0;

/// How long the tool that waits does so, in seconds.
const WAIT_DEFAULT: f64 = 30.0;

/// How long a program is given to react to what was written to it, in seconds.
const REACTION_WAIT_DEFAULT: f64 = 1.0;

/// The tools, those first that are needed first.
pub const SHELL_TOOLS: &[Tool] = &[
    Tool {
        name: "start_command",
        title: "Start a command",
        description: "Runs a shell command and waits for its end, at most `wait` seconds (10, up \
                      to 50); gives its state and its output. One command runs at a time: while \
                      one does, this is refused; what an ended one left running is ended first. \
                      For a server or a long build give wait=0 or let the wait run out, then \
                      read_logs or wait. Where it may ask something give pty=true: this answers \
                      early where the output ends without a newline and stays silent, as a prompt \
                      does, and send_input answers it. Directory and environment do not carry \
                      over: give cwd and env each time. Output over 32 KiB is cut in the middle, \
                      with what to call for the rest.",
        effect: Effect::Ends,
        input: || {
            let meaning = "How long to wait for its end, in seconds.";
            with_wait(input_of::<StartRequest>(), START_WAIT_DEFAULT, meaning)
        },
        output: output_of::<RunReport>,
        call: start,
    },
    Tool {
        name: "get_status",
        title: "Look at the command",
        description: "The state of the last command, at once: running or not, exit code, what \
                      ended it, and its last lines. To wait for an end use wait.",
        effect: Effect::Reads,
        input: input_of::<Nothing>,
        output: output_of::<RunReport>,
        call: status,
    },
    Tool {
        name: "read_logs",
        title: "Read output",
        description: "Lines of what the command has printed. With after=N only what is new behind \
                      line N, and with wait as well (up to 50 s) as soon as there is a new line; a \
                      question without a newline does not end that wait, see wait. The last result \
                      says which N comes next. To find something use grep (a regular expression, \
                      (?i) for any case) with limit; for the end use lines=50. after, lines and \
                      seconds exclude each other, limit does not go with lines. Without any of \
                      them everything, cut in the middle to 32 KiB. Escape sequences are taken \
                      out.",
        effect: Effect::Reads,
        input: || {
            let meaning = "With after: how long to wait for a line behind it, in seconds.";
            with_wait(input_of::<ReadLogs>(), 0.0, meaning)
        },
        output: output_of::<RunReport>,
        call: read_logs,
    },
    Tool {
        name: "wait",
        title: "Wait for the end",
        description: "Waits until the command has ended, at most `wait` seconds (30, up to 50), \
                      and gives its state and its output behind line `after`: give the number of \
                      the last result, else all output comes again. Answers early where new output \
                      ends without a newline and stays silent, as a prompt does. A command that \
                      still runs is no error: call again.",
        effect: Effect::Reads,
        input: || {
            let meaning = "How long to wait for the end, in seconds.";
            with_wait(input_of::<Behind>(), WAIT_DEFAULT, meaning)
        },
        output: output_of::<RunReport>,
        call: wait,
    },
    Tool {
        name: "send_input",
        title: "Write to the command",
        description: "Writes text to the command, which must have been started with stdin or pty; \
                      give the newline that Enter would be (\"y\\n\"). On a terminal control \
                      characters work as keys: \"\\u0003\" is ^C. Gives what it printed until it \
                      was quiet for a moment, at most `wait` seconds (1, up to 50). eof=true ends \
                      its input. Where not all of it is taken, that is told.",
        effect: Effect::Changes,
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
                      of its children, without waiting for what comes of it. To end it use kill.",
        effect: Effect::Ends,
        input: input_of::<SendSignal>,
        output: output_of::<RunReport>,
        call: send_signal,
    },
    Tool {
        name: "kill",
        title: "End the command",
        description: "Ends the command with everything it started: SIGTERM, and SIGKILL for what \
                      is left after 5 s; type=SIGKILL at once. Answers when all of it is gone. \
                      Also ends what an ended command left running.",
        effect: Effect::Ends,
        input: input_of::<Kill>,
        output: output_of::<KillReport>,
        call: kill,
    },
    Tool {
        name: "restart",
        title: "Start it again",
        description: "Ends the last command, where it still runs, and starts the same one again \
                      with the same directory, environment and terminal, and a new log. Give \
                      `timeout` for the seconds it has to end by itself (10). Does not wait for \
                      output: wait after=0 does.",
        effect: Effect::Ends,
        input: input_of::<Restart>,
        output: output_of::<RunReport>,
        call: restart,
    },
];

/// What came of something written.
#[derive(Serialize, JsonSchema)]
struct InputReport {
    /// How many bytes the program has taken.
    written: u64,
    /// The state of the run.
    run: ProcessStatus,
    /// What it has printed since.
    output: LogsResponse,
}

/// What came of a kill.
#[derive(Serialize, JsonSchema)]
struct KillReport {
    /// What was ended, and what withstood.
    killed: KillResponse,
    /// The state of the run.
    run: ProcessStatus,
    /// Its last lines.
    output: LogsResponse,
}

/// No arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Which lines to read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadLogs {
    /// Only lines behind this one: the number that the last result gave.
    #[serde(default, deserialize_with = "whole_or_null")]
    after: Option<u64>,
    /// The last so many lines.
    #[serde(default, deserialize_with = "whole_or_null")]
    lines: Option<u64>,
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
    /// The run to read, by its id; the last one where it is left out.
    run_id: Option<String>,
}

/// From where on output is wanted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Behind {
    /// Only lines behind this one: the number that the last result gave.
    #[serde(default, deserialize_with = "whole_or_null")]
    after: Option<u64>,
    /// At most so many bytes: beginning and end are kept.
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(range(min = 256, max = 1_048_576), extend("default" = OUTPUT_BYTES_DEFAULT))]
    max_bytes: Option<u64>,
}

/// The signal to send.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendSignal {
    /// By name (with or without SIG) or number.
    #[serde(rename = "type")]
    kind: String,
}

/// How to end it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Kill {
    /// SIGTERM, with SIGKILL for what is left, or SIGKILL at once.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["SIGTERM", "SIGKILL", null], "default" = "SIGTERM"))]
    kind: Option<String>,
}

/// How to restart it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Restart {
    /// Seconds until SIGKILL.
    #[schemars(range(min = 0, max = 86_400), extend("default" = 10))]
    timeout: Option<f64>,
}

fn start(routes: &mut Routes<'_, '_>, mut arguments: Arguments) -> Result<Told, Failure> {
    let wait = arguments.wait(START_WAIT_DEFAULT)?;
    let bytes = bytes(arguments.count("max_bytes")?)?;
    let started: ProcessStatus = routes.post_json("/start", &arguments.rest())?;
    // It runs: that it could not be waited for is no failure any more.
    let waited = wait_for_end(routes, &started, wait);
    let run = ProcessStatus {
        ended_leftovers: started.ended_leftovers,
        ..state_of(routes, &started.run_id)?
    };
    Ok(report_of(routes, run, behind(0, bytes))?.noting(waited.err()))
}

fn status(routes: &mut Routes<'_, '_>, arguments: Arguments) -> Result<Told, Failure> {
    let Nothing {} = arguments.read()?;
    let run: ProcessStatus = routes.get("/status")?;
    glance(routes, &run.run_id)
}

fn read_logs(routes: &mut Routes<'_, '_>, mut arguments: Arguments) -> Result<Told, Failure> {
    let wait = arguments.wait(0.0)?;
    let wanted: ReadLogs = arguments.read()?;
    let run_id = match wanted.run_id {
        Some(run_id) if run_id.is_empty() => return Err(empty("run_id")),
        Some(run_id) => run_id,
        None => routes.get::<ProcessStatus>("/status")?.run_id,
    };
    let (after, lines) = match (wanted.after, wanted.lines) {
        // By number, so that a line that has not ended is apart.
        (None, Some(count @ 1..)) if wanted.grep.is_none() && wanted.seconds.is_none() => {
            (Some(lines_total(routes, &run_id)?.saturating_sub(count)), None)
        }
        (None, None) if wanted.seconds.is_none() => (Some(0), None),
        given => given,
    };
    let output = Parameters::new()
        .with("after", after)
        .with("lines", lines)
        .with("seconds", wanted.seconds)
        .with("limit", wanted.limit)
        .with("grep", wanted.grep)
        .with("max_bytes", Some(bytes(wanted.max_bytes)?));
    if let Some(after) = wanted.after {
        wait_for_line(routes, &run_id, after, wait)?;
    } else if wait > 0.0 {
        return Err(Failure(
            "The argument wait needs after: give the last result's number.".into(),
        ));
    }
    report(routes, &run_id, output)
}

fn wait(routes: &mut Routes<'_, '_>, mut arguments: Arguments) -> Result<Told, Failure> {
    let seconds = arguments.wait(WAIT_DEFAULT)?;
    let Behind { after, max_bytes } = arguments.read()?;
    let bytes = bytes(max_bytes)?;
    let run: ProcessStatus = routes.get("/status")?;
    wait_for_end(routes, &run, seconds)?;
    let wanted = behind(after.unwrap_or(0), bytes);
    report(routes, &run.run_id, wanted)
}

fn send_input(routes: &mut Routes<'_, '_>, mut arguments: Arguments) -> Result<Told, Failure> {
    let wait = arguments.wait(REACTION_WAIT_DEFAULT)?;
    let run: ProcessStatus = routes.get("/status")?;
    let input = arguments.rest();
    let data = input["data"].as_str().unwrap_or_default().to_owned();
    let lines = lines_total(routes, &run.run_id)?;
    let echoed = if run.pty { data.matches(['\n', '\r']).count() as u64 } else { 0 };
    let before = Before { lines, prompt: prompt(routes, &run.run_id)?, echoed };
    let sent: Value = routes.post_json("/stdin", &input)?;
    // It is written: that nobody could wait is no failure any more.
    let waited = wait_for_reaction(routes, &run.run_id, &before, wait);
    let taken = sent["written"].as_u64().unwrap_or_default();
    let rest = (taken < data.len() as u64).then(|| {
        let bytes = data.len();
        Failure(format!(
            "{taken} of {bytes} bytes were taken: it does not read now. Send the rest later."
        ))
    });
    let told = report(routes, &run.run_id, behind(lines, OUTPUT_BYTES_DEFAULT))?;
    Ok(told.noting(rest.or(waited.err())).with("written", sent["written"].clone()))
}

fn send_signal(routes: &mut Routes<'_, '_>, arguments: Arguments) -> Result<Told, Failure> {
    let SendSignal { kind } = arguments.read()?;
    let target = Parameters::new().with("type", Some(kind)).of("/signal");
    let run: ProcessStatus = routes.post(&target)?;
    glance(routes, &run.run_id)
}

fn kill(routes: &mut Routes<'_, '_>, arguments: Arguments) -> Result<Told, Failure> {
    let Kill { kind } = arguments.read()?;
    let killed: Value = routes.post(&Parameters::new().with("type", kind).of("/kill"))?;
    let run: ProcessStatus = routes.get("/status")?;
    Ok(glance(routes, &run.run_id)?.with("killed", killed))
}

fn restart(routes: &mut Routes<'_, '_>, arguments: Arguments) -> Result<Told, Failure> {
    let Restart { timeout } = arguments.read()?;
    let target = Parameters::new().with("timeout", timeout).of("/restart");
    let run: ProcessStatus = routes.post(&target)?;
    // It has printed nothing yet, or next to it.
    report_of(routes, run, behind(0, GLANCE_BYTES))
}
