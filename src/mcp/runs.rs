//! What the tools of the LLM Shell have in common: waiting for a run, and telling of it.

use super::routes::Routes;
use super::tool::{Failure, OUTPUT_BYTES_DEFAULT, Told};
use crate::api::told::{self, Reader};
use crate::api::{LogsResponse, ProcessStatus};
use crate::client::{Parameters, segment};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// How often an open last line is looked for, in seconds.
const PROMPT_LOOK_SECONDS: f64 = 0.3;

/// How long what ends with an open line must say nothing to be taken for a question, in seconds.
const QUIET_SECONDS: f64 = 0.5;

/// How long the next line of a reaction may take, in seconds.
const PAUSE_SECONDS: f64 = 0.2;

/// How many lines are shown where it is the state that is asked for.
const GLANCE_LINES: u64 = 10;

/// How large these may be, in bytes.
const GLANCE_BYTES: u64 = 4 * 1024;

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
/// written to, its last line is open, and it has said nothing for a while. Blocks for as long.
pub fn wait_for_end(
    routes: &mut Routes<'_, '_>,
    run: &ProcessStatus,
    seconds: f64,
) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        // An open line wakes nobody, so that it is looked for now and then.
        let slice = if run.stdin_open { left.min(PROMPT_LOOK_SECONDS) } else { left };
        if slice <= 0.0 {
            return Ok(());
        }
        let waited = Parameters::new().with("wait", Some(slice)).of("/status");
        let status: ProcessStatus = routes.get(&waited)?;
        let is_over = status.status != "running" || status.run_id != run.run_id;
        if is_over || routes.client_gone() || seems_to_ask(routes, &status)? {
            return Ok(());
        }
    }
}

fn seems_to_ask(routes: &mut Routes<'_, '_>, run: &ProcessStatus) -> Result<bool, Failure> {
    if !run.stdin_open || run.idle.is_none_or(|idle| idle < QUIET_SECONDS) {
        return Ok(false);
    }
    let total = lines_total(routes, &run.run_id)?;
    let page: LogsResponse = routes.get(&behind(total, GLANCE_BYTES).of(&logs_of(&run.run_id)))?;
    Ok(page.prompt.is_some())
}

/// Waits until a run has reacted to something: until it has printed lines behind this one and then
/// nothing for a moment, or has ended, or the time is over. Blocks for as long.
pub fn wait_for_reaction(
    routes: &mut Routes<'_, '_>,
    run_id: &str,
    after: u64,
    seconds: f64,
) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let (mut next, mut slice) = (after, seconds);
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        let page = wait_for_line(routes, run_id, next, slice.min(left))?;
        match page {
            Some(page) if page.running && page.total_lines > next && !routes.client_gone() => {
                next = page.total_lines;
            }
            _ => return Ok(()),
        }
        slice = PAUSE_SECONDS;
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
    let run: ProcessStatus = routes.get(&format!("/runs/{}", segment(run_id)))?;
    let wanted = wanted.with("strip_ansi", Some(true)).of(&logs_of(run_id));
    let mut output: LogsResponse = routes.get(&wanted)?;
    if output.truncated {
        output.content = with_calls(&output.content);
    }
    let text = told::of_run(&run, &output, Reader::Tools);
    Ok(Told { text, data: json!(RunReport { run, output }) })
}

fn logs_of(run_id: &str) -> String {
    format!("/runs/{}/logs", segment(run_id))
}

/// A content whose line about what was left out names the call for it, in the place of a request.
fn with_calls(content: &str) -> String {
    let lines = content.split('\n').map(|line| with_call(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

fn with_call(line: &str) -> Option<String> {
    let (said, request) = line.strip_suffix(" ...]")?.split_once(" left out: GET ")?;
    let query = request.split_once('?')?.1.as_bytes();
    let number = |name: &str| {
        form_urlencoded::parse(query).find(|(given, _)| given == name).map(|(_, value)| value)
    };
    let (after, limit) = (number("after")?, number("limit")?);
    Some(format!("{said} left out: read_logs after={after} limit={limit} ...]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_asked_for_by_a_call() {
        let line = "[... 8 lines, 94 bytes left out: GET /runs/7/logs?after=4&limit=8&grep=x ...]";
        assert_eq!(
            with_calls(&format!("a\n{line}\nb")),
            "a\n[... 8 lines, 94 bytes left out: read_logs after=4 limit=8 ...]\nb"
        );
        for line in ["[... 8 lines, 94 bytes left out ...]", "left out: GET /", ""] {
            assert_eq!(with_calls(line), line);
        }
    }
}
