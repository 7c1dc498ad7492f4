//! Shared parts of the LLM Shell's tools: which run a call is about, and the report on it.

use super::error::ToolError;
use super::tool::{Context, OUTPUT_BYTES_DEFAULT, ToolResult};
use crate::logs::Range;
use crate::ops::text_report::{self, Reader};
use crate::ops::{
    ContinuationHint, Escapes, LogQuery, OutputMark, RunsQuery, Shell, Source, Until, Which,
    terminal_of,
};
use crate::process::Stdin;
use crate::protocol::{ProcessStatus, RunStatus, ScreenResponse};
use crate::runs::{FoundRun, RunView};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The silence after an unfinished line that makes it count as a question.
const QUESTION_SILENCE: Duration = Duration::from_secs(1);

/// The number of lines in a status report.
const STATUS_LINES: u64 = 10;

/// The maximum size of these lines, in bytes.
const STATUS_BYTES: u64 = 4 * 1024;

/// Returns the schema of the structured result of every tool of the LLM Shell.
pub fn run_schema() -> Value {
    json!({"type": "object", "required": ["text"], "properties": {
        "text": {"type": "string"}, "run": {"type": "string"}, "state": {"type": "string"},
        "exit_code": {"type": "integer"}, "signal": {"type": "string"},
        "next": {"type": "integer"}, "prompt": {"type": "string"},
    }})
}

/// Checks the maximum size of output, in bytes.
pub fn bytes(wanted: Option<u64>) -> Result<u64, ToolError> {
    match wanted {
        Some(bytes) if !(256..=1_048_576).contains(&bytes) => {
            Err(ToolError(format!("The argument max_bytes is {bytes}: give 256 to 1048576.")))
        }
        wanted => Ok(wanted.unwrap_or(OUTPUT_BYTES_DEFAULT)),
    }
}

/// Parses what ends a wait, if given.
pub fn until_of(
    context: &Context<'_, Shell>,
    given: Option<&str>,
) -> Result<Option<Until>, ToolError> {
    Ok(given.map(|until| Until::parse(until, context.client)).transpose()?)
}

/// Returns the run that a call names: by its id or name; else the last one that this client
/// started, or the only one.
pub fn run_of(context: &Context<'_, Shell>, given: Option<&str>) -> Result<FoundRun, ToolError> {
    if let Some(run) = given {
        return Ok(context.ops.find(Which::Run(run))?);
    }
    if let Some(runs) = context.client_runs {
        let last = runs.last().ok_or_else(|| {
            ToolError("You have started no command yet: start one with start_command.".to_owned())
        })?;
        return Ok(context.ops.find(Which::Run(&last))?);
    }
    let of = |status| RunsQuery { limit: 2, status, ..RunsQuery::default() };
    let mut runs = context.ops.list(of(Some(RunStatus::Running)))?.runs;
    if runs.is_empty() {
        runs = context.ops.list(of(None))?.runs;
    }
    match &runs[..] {
        [] => Err(crate::runs::Error::NeverStarted.into()),
        [one] => Ok(context.ops.find(Which::Run(&one.run_id))?),
        [first, ..] => Err(ToolError(format!(
            "There are several runs: name one, such as run={} (list_runs lists them).",
            first.run_id
        ))),
    }
}

/// Returns the id of a run.
pub fn id_of(run: &FoundRun) -> &str {
    match run {
        FoundRun::Managed(found) => found.run.id(),
        FoundRun::Past(past) => &past.record.run_id,
    }
}

/// Creates a query for a run's lines, limited in size.
pub fn lines(
    context: &Context<'_, Shell>,
    run_id: &str,
    range: Range,
    bytes: u64,
) -> Result<LogQuery, ToolError> {
    let hint = ContinuationHint::call(format!("read_logs run={run_id}"), None, None);
    let query = LogQuery::new(context.client, range, None, Escapes::Stripped, hint)?;
    Ok(query.limited_to(Some(bytes))?)
}

/// Waits for the output or the end of a run. Without `until`, for its end, or for an open line that
/// was printed after `since` and seems to be a question, if the run has input to answer it.
pub fn wait_for(
    context: &Context<'_, Shell>,
    run: &RunView,
    (mark, since): (&OutputMark, Instant),
    until: Option<Until>,
    seconds: f64,
) -> Result<Option<String>, ToolError> {
    let may_ask = run.stdin().is_some_and(Stdin::is_open);
    let wait = Duration::from_secs_f64(seconds);
    let until = until.unwrap_or_else(|| until_question(may_ask, since));
    Ok(context.ops.wait(context.client, run, mark, &until, wait)?.matched_line)
}

/// Returns what ends a wait by default: the end, or what seems to be a question.
pub fn until_question(may_ask: bool, since: Instant) -> Until {
    if may_ask { Until::Question(QUESTION_SILENCE, since) } else { Until::End }
}

/// Returns the number of lines that a run has printed.
pub fn lines_total(context: &Context<'_, Shell>, run: &FoundRun) -> Result<u64, ToolError> {
    Ok(context.ops.log_of(run.clone())?.line_numbers().end)
}

/// Reports the state of a run with its last lines, selected by number, so that a line without
/// newline stays separate.
pub fn report_status(
    context: &Context<'_, Shell>,
    run: &FoundRun,
) -> Result<ToolResult, ToolError> {
    let after = lines_total(context, run)?.saturating_sub(STATUS_LINES);
    let query = lines(context, id_of(run), Range::After(after), STATUS_BYTES)?;
    report(context, run, query, &[])
}

/// Reports the state of a run with the lines of a query. The state is read first: if the run has
/// ended then, its output is complete.
pub fn report(
    context: &Context<'_, Shell>,
    run: &FoundRun,
    query: LogQuery,
    notes: &[String],
) -> Result<ToolResult, ToolError> {
    report_of(context, ProcessStatus::from(run.clone()), query, notes)
}

/// Reports a state read before, with the lines of a query.
pub fn report_of(
    context: &Context<'_, Shell>,
    run: ProcessStatus,
    query: LogQuery,
    notes: &[String],
) -> Result<ToolResult, ToolError> {
    let output = context.ops.logs(context.client, Which::Run(&run.run_id), query)?;
    let text = text_report::of_run(&run, &output, notes, Reader::Tools);
    let mut data = json!({"run": run.run_id, "state": run.status, "next": output.next});
    if let Some(code) = run.exit_code {
        data["exit_code"] = code.into();
    }
    if let Some(signal) = run.signal {
        data["signal"] = signal.into();
    }
    if let Some(prompt) = output.prompt {
        data["prompt"] = text_report::prompt_field(&prompt).into();
    }
    Ok(ToolResult { text, data })
}

/// Reports the state of a run with what its terminal shows.
pub fn report_screen(
    context: &Context<'_, Shell>,
    run: &FoundRun,
) -> Result<ToolResult, ToolError> {
    let status = ProcessStatus::from(run.clone());
    let source = context.ops.log_of(run.clone())?;
    let screen = ScreenResponse::from(terminal_of(&source)?.1.screen());
    let next = source.line_numbers().end;
    let ScreenResponse { rows, cols, cursor, .. } = &screen;
    let place = format!(
        "screen of {rows} rows, {cols} columns | cursor in row {}, column {}",
        cursor.row, cursor.col
    );
    let lines: Vec<&str> = screen.lines.iter().map(|line| line.trim_end()).collect();
    let body = lines.join("\n");
    let text = text_report::of_screen(&status, &place, body.trim_end(), next, Reader::Tools);
    let data = json!({"run": status.run_id, "state": status.status, "next": next});
    Ok(ToolResult { text, data })
}
