//! What the tools of the LLM Shell have in common: waiting for a run, and telling of it.

use super::routes::Routes;
use super::tool::{Failure, OUTPUT_BYTES_DEFAULT, Told};
use crate::api::told::{self, Reader};
use crate::client::{Parameters, segment};
use crate::protocol::{LogsResponse, ProcessStatus, RunStatus};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// How often an open last line is looked for, in seconds.
const PROMPT_LOOK_SECONDS: f64 = 0.3;

/// How long what ends with an open line must say nothing to be taken for a question, in seconds.
const QUIET_SECONDS: f64 = 1.0;

/// How long the next line of a reaction may take, in seconds.
const PAUSE_SECONDS: f64 = 0.2;

/// How many lines are shown where it is the state that is asked for.
const GLANCE_LINES: u64 = 10;

/// How large these may be, in bytes.
pub const GLANCE_BYTES: u64 = 4 * 1024;

/// A run, and lines of what it printed.
#[derive(Serialize, JsonSchema)]
pub struct RunReport {
    /// Its state.
    run: ProcessStatus,
    /// The lines.
    output: LogsResponse,
}

/// How much output is wanted, in bytes.
pub fn bytes(wanted: Option<u64>) -> Result<u64, Failure> {
    match wanted {
        Some(bytes) if !(256..=1_048_576).contains(&bytes) => {
            Err(Failure(format!("The argument max_bytes is {bytes}: give 256 to 1048576.")))
        }
        wanted => Ok(wanted.unwrap_or(OUTPUT_BYTES_DEFAULT)),
    }
}

/// The parameters for lines behind one.
pub fn behind(after: u64, bytes: u64) -> Parameters {
    Parameters::new().with("after", Some(after)).with("max_bytes", Some(bytes))
}

/// Waits until a run has ended, or the time is over, or it seems to ask something: it can be
/// written to, and has since we wait printed a line that is open, and then nothing for a while.
/// Blocks for as long.
pub fn wait_for_end(
    routes: &mut Routes<'_, '_>,
    run: &ProcessStatus,
    seconds: f64,
) -> Result<(), Failure> {
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(seconds);
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        // An open line wakes nobody, so that it is looked for now and then.
        let slice = if run.stdin_open { left.min(PROMPT_LOOK_SECONDS) } else { left };
        if slice <= 0.0 {
            return Ok(());
        }
        let waited = Parameters::new().with("wait", Some(slice)).of("/status");
        let status: ProcessStatus = routes.get(&waited)?;
        let is_over = status.status != RunStatus::Running || status.run_id != run.run_id;
        let quiet = QUIET_SECONDS..began.elapsed().as_secs_f64().max(QUIET_SECONDS);
        let is_newly_quiet = status.idle.is_some_and(|idle| quiet.contains(&idle));
        let seems_to_ask =
            run.stdin_open && is_newly_quiet && prompt(routes, &run.run_id)?.is_some();
        if is_over || seems_to_ask || routes.client_gone() {
            return Ok(());
        }
    }
}

/// The last line of a run, while it is open.
pub fn prompt(routes: &mut Routes<'_, '_>, run_id: &str) -> Result<Option<String>, Failure> {
    let total = lines_total(routes, run_id)?;
    let page: LogsResponse = routes.get(&behind(total, GLANCE_BYTES).of(&logs_of(run_id)))?;
    Ok(page.prompt)
}

/// What a run had printed before it was written to.
#[derive(Debug)]
pub struct Before {
    /// How many lines.
    pub lines: u64,
    /// And the one that was open.
    pub prompt: Option<String>,
    /// How many lines what is written makes, where a terminal shows it.
    pub echoed: u64,
}

/// Waits until a run has reacted to what was written: until it has printed more than the echo, and
/// then nothing for a moment, or has ended, or the time is over. Blocks for as long.
pub fn wait_for_reaction(
    routes: &mut Routes<'_, '_>,
    run_id: &str,
    before: &Before,
    seconds: f64,
) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut next = before.lines;
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        let Some(page) = wait_for_line(routes, run_id, next, left.min(PAUSE_SECONDS))? else {
            return Ok(());
        };
        let is_quiet = page.total_lines == next;
        next = page.total_lines;
        let echo_end = before.lines + before.echoed;
        let has_asked = |now: Option<String>| now.is_some() && now != before.prompt;
        let has_reacted = is_quiet
            && (next > echo_end || (next == echo_end && has_asked(prompt(routes, run_id)?)));
        if has_reacted || !page.running || routes.client_gone() {
            return Ok(());
        }
    }
}

/// Waits until there is a line behind this one, or the run has ended, or the time is over.
pub fn wait_for_line(
    routes: &mut Routes<'_, '_>,
    run_id: &str,
    after: u64,
    seconds: f64,
) -> Result<Option<LogsResponse>, Failure> {
    if seconds <= 0.0 {
        return Ok(None);
    }
    let first = behind(after, GLANCE_BYTES).with("limit", Some(1)).with("wait", Some(seconds));
    routes.get(&first.of(&logs_of(run_id))).map(Some)
}

/// How many lines a run has printed.
pub fn lines_total(routes: &mut Routes<'_, '_>, run_id: &str) -> Result<u64, Failure> {
    let last = Parameters::new().with("lines", Some(1)).with("max_bytes", Some(GLANCE_BYTES));
    let page: LogsResponse = routes.get(&last.of(&logs_of(run_id)))?;
    Ok(page.total_lines)
}

/// The state of a run with its last lines: by number, so that one that has not ended is apart.
pub fn glance(routes: &mut Routes<'_, '_>, run_id: &str) -> Result<Told, Failure> {
    let after = lines_total(routes, run_id)?.saturating_sub(GLANCE_LINES);
    report(routes, run_id, behind(after, GLANCE_BYTES))
}

/// The state of a run with the lines that are wanted. The state is looked at first: where that is
/// the end, all of the output is there.
pub fn report(
    routes: &mut Routes<'_, '_>,
    run_id: &str,
    wanted: Parameters,
) -> Result<Told, Failure> {
    let run = state_of(routes, run_id)?;
    report_of(routes, run, wanted)
}

/// The state of a run.
pub fn state_of(routes: &mut Routes<'_, '_>, run_id: &str) -> Result<ProcessStatus, Failure> {
    routes.get(&format!("/runs/{}", segment(run_id)))
}

/// A state that was looked at, with the lines that are wanted.
pub fn report_of(
    routes: &mut Routes<'_, '_>,
    run: ProcessStatus,
    wanted: Parameters,
) -> Result<Told, Failure> {
    let wanted = wanted.with("strip_ansi", Some(true)).of(&logs_of(&run.run_id));
    let output: LogsResponse = routes.get(&wanted)?;
    // There is none where the run was before a restart of the server.
    let last: Option<ProcessStatus> = routes.get("/status").ok();
    let newer = last.as_ref().map(|last| &*last.run_id).filter(|id| *id != run.run_id);
    let text = told::of_run(&run, &output, newer, Reader::Tools);
    Ok(Told { text, data: json!(RunReport { run, output }) })
}

fn logs_of(run_id: &str) -> String {
    format!("/runs/{}/logs", segment(run_id))
}
