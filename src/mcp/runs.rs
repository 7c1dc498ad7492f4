//! Shared parts of the LLM Shell's tools: waiting for a run, and reporting it.

use super::error::ToolError;
use super::tool::{Context, OUTPUT_BYTES_DEFAULT, ToolResult};
use crate::logs::Range;
use crate::ops::text_report::{self, Reader};
use crate::ops::{ContinuationHint, Escapes, LogQuery, Shell, Source};
use crate::process::Stdin;
use crate::protocol::{LogsResponse, ProcessStatus};
use crate::runs::RunView;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// The poll interval for an unfinished last line, in seconds.
const PROMPT_POLL_SECONDS: f64 = 0.3;

/// The silence after an unfinished line that makes it count as a prompt, in seconds.
const QUIET_SECONDS: f64 = 1.0;

/// The longest pause between the lines of a reaction, in seconds.
const PAUSE_SECONDS: f64 = 0.2;

/// The number of lines in a status report.
const STATUS_LINES: u64 = 10;

/// The maximum size of these lines, in bytes.
pub const STATUS_BYTES: u64 = 4 * 1024;

/// A run, and lines of its output.
#[derive(Serialize, JsonSchema)]
pub struct RunReport {
    /// The state of the run.
    run: ProcessStatus,
    /// The lines.
    output: LogsResponse,
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

/// Creates a query for a run's lines, limited in size.
pub fn lines(
    context: &Context<'_, Shell>,
    run_id: &str,
    range: Range,
    bytes: u64,
) -> Result<LogQuery, ToolError> {
    let hint = ContinuationHint::call(format!("read_logs run_id={run_id}"), None, None);
    let query = LogQuery::new(context.client, range, None, Escapes::Stripped, hint)?;
    Ok(query.limited_to(Some(bytes))?)
}

/// Waits until a run has ended, the time is up, or it appears to prompt: its stdin is open, and
/// after `since` it has printed a line without newline, and then nothing for a while.
pub fn wait_for_end(
    context: &Context<'_, Shell>,
    run: &RunView,
    since: Instant,
    seconds: f64,
) -> Result<(), ToolError> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        let has_stdin = run.stdin().is_some_and(Stdin::is_open);
        // An unfinished line causes no wakeup, so it is polled for.
        let slice = if has_stdin { left.min(PROMPT_POLL_SECONDS) } else { left };
        if slice <= 0.0 {
            return Ok(());
        }
        context.ops.wait_for_end(context.client, run, Duration::from_secs_f64(slice))?;
        let snapshot = run.log().snapshot();
        let quiet = QUIET_SECONDS..since.elapsed().as_secs_f64().max(QUIET_SECONDS);
        let is_newly_quiet = snapshot.idle.is_some_and(|idle| quiet.contains(&idle.as_secs_f64()));
        let seems_to_ask = has_stdin && is_newly_quiet && prompt(context, run.id())?.is_some();
        if snapshot.is_over || seems_to_ask || context.client.has_left() {
            return Ok(());
        }
    }
}

/// Returns the last line of a run if it has no newline.
pub fn prompt(context: &Context<'_, Shell>, run_id: &str) -> Result<Option<String>, ToolError> {
    let total = lines_total(context, run_id)?;
    let query = lines(context, run_id, Range::After(total), STATUS_BYTES)?;
    Ok(context.ops.logs(context.client, run_id, query)?.prompt)
}

/// The output of a run before it was written to.
#[derive(Debug)]
pub struct Before {
    /// The number of lines.
    pub lines: u64,
    /// The line without newline.
    pub prompt: Option<String>,
    /// The number of lines that a terminal echoes.
    pub echoed: u64,
}

/// Waits until a run has reacted to input: it has printed more than the echo and then nothing for
/// a moment, or it has ended, or the time is up.
pub fn wait_for_reaction(
    context: &Context<'_, Shell>,
    run_id: &str,
    before: &Before,
    seconds: f64,
) -> Result<(), ToolError> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut next = before.lines;
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        let Some(page) = wait_for_line(context, run_id, next, left.min(PAUSE_SECONDS))? else {
            return Ok(());
        };
        let is_quiet = page.total_lines == next;
        next = page.total_lines;
        let echo_end = before.lines + before.echoed;
        let has_asked = |now: Option<String>| now.is_some() && now != before.prompt;
        let has_reacted = is_quiet
            && (next > echo_end || (next == echo_end && has_asked(prompt(context, run_id)?)));
        if has_reacted || !page.running || context.client.has_left() {
            return Ok(());
        }
    }
}

/// Waits until there is a line after this one, the run has ended, or the time is up.
pub fn wait_for_line(
    context: &Context<'_, Shell>,
    run_id: &str,
    after: u64,
    seconds: f64,
) -> Result<Option<LogsResponse>, ToolError> {
    if seconds <= 0.0 {
        return Ok(None);
    }
    let mut query = lines(context, run_id, Range::After(after), STATUS_BYTES)?;
    query.selection.limit = Some(1);
    query.wait = Some(Duration::from_secs_f64(seconds));
    Ok(Some(context.ops.logs(context.client, run_id, query)?))
}

/// Returns the number of lines that a run has printed.
pub fn lines_total(context: &Context<'_, Shell>, run_id: &str) -> Result<u64, ToolError> {
    Ok(context.ops.log_of(run_id)?.line_numbers().end)
}

/// Reports the state of a run with its last lines, selected by number, so that a line without
/// newline stays separate.
pub fn report_status(context: &Context<'_, Shell>, run_id: &str) -> Result<ToolResult, ToolError> {
    let after = lines_total(context, run_id)?.saturating_sub(STATUS_LINES);
    let query = lines(context, run_id, Range::After(after), STATUS_BYTES)?;
    report(context, run_id, query)
}

/// Reports the state of a run with the lines of a query. The state is read first: if the run has
/// ended then, its output is complete.
pub fn report(
    context: &Context<'_, Shell>,
    run_id: &str,
    query: LogQuery,
) -> Result<ToolResult, ToolError> {
    report_of(context, context.ops.run(run_id)?, query)
}

/// Reports a state read before, with the lines of a query.
pub fn report_of(
    context: &Context<'_, Shell>,
    run: ProcessStatus,
    query: LogQuery,
) -> Result<ToolResult, ToolError> {
    let output = context.ops.logs(context.client, &run.run_id, query)?;
    // There is none if the run precedes a restart of the server.
    let last = context.ops.last_run().ok();
    let newer = last.as_ref().map(RunView::id).filter(|id| *id != run.run_id);
    let text = text_report::of_run(&run, &output, newer, Reader::Tools);
    Ok(ToolResult { text, data: json!(RunReport { run, output }) })
}
