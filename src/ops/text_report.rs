//! Text reports of runs for models: a line of state, the output, and a line with the next call.

use crate::printable::printable;
use crate::protocol::{EndedBy, ExecResponse, LogsResponse, ProcessStatus, RunStatus};
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::RangeInclusive;

/// The most of an unfinished line that is shown, from its end, in bytes: a prompt is short.
const PROMPT_BYTES_MAX: usize = 512;

/// The most of a command that a list shows, in bytes.
const COMMAND_BYTES_MAX: usize = 80;

/// The most leftover processes that are named.
const PROCESSES_MAX: usize = 10;

/// The reader of a report, which decides how the next call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A client that sends requests, for example with curl.
    Http,
    /// A client that calls tools.
    Tools,
}

impl Reader {
    /// Returns the call that waits for the end and returns the lines after one.
    fn wait_call(self, after: u64, run_id: &str) -> String {
        match self {
            Self::Http => format!("GET /runs/{run_id}/logs?after={after}&wait=60&until=end"),
            Self::Tools => format!("wait run={run_id} after={after}"),
        }
    }

    /// Returns the call that reads the lines after one.
    fn read_call(self, after: u64, run_id: &str) -> String {
        match self {
            Self::Http => format!("GET /runs/{run_id}/logs?after={after}&max_bytes=32768"),
            Self::Tools => format!("read_logs run={run_id} after={after}"),
        }
    }

    /// Returns the call that lists runs.
    fn list_call(self) -> &'static str {
        match self {
            Self::Http => "GET /runs",
            Self::Tools => "list_runs",
        }
    }

    /// Returns the call that starts a command.
    fn start_call(self) -> &'static str {
        match self {
            Self::Http => "POST /start",
            Self::Tools => "start_command",
        }
    }

    /// Returns the call that writes to a run.
    fn input_call(self, run_id: &str) -> String {
        match self {
            Self::Http => format!("POST /runs/{run_id}/stdin"),
            Self::Tools => format!("send_input run={run_id}"),
        }
    }

    /// Returns the call that interrupts a run.
    fn interrupt_call(self, run_id: &str) -> String {
        match self {
            Self::Http => format!("POST /runs/{run_id}/signal?type=SIGINT"),
            Self::Tools => format!("send_signal run={run_id} type=SIGINT"),
        }
    }

    /// Returns the call that ends a run.
    fn kill_call(self, run_id: &str) -> String {
        match self {
            Self::Http => format!("POST /runs/{run_id}/kill"),
            Self::Tools => format!("kill run={run_id}"),
        }
    }
}

/// The lines around the output in a report. Both end with the same random number, so that no output
/// can contain them; and what is between them has no character that people cannot see.
#[derive(Clone, Copy, Debug)]
pub struct Frame(u32);

/// The Unicode tag characters: models read them, people do not see them.
const TAG_CHARACTERS: RangeInclusive<char> = '\u{e0000}'..='\u{e007f}';

impl Frame {
    /// Creates a frame with a new number.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "any 32 of the random bits will do")]
    pub fn new() -> Self {
        // Seeded by the operating system's randomness.
        Self(RandomState::new().build_hasher().finish() as u32)
    }

    /// Returns a report: a first line, a body, and a last line.
    #[must_use]
    pub fn around(self, first: &str, body: &str, last: &str) -> String {
        let Self(number) = self;
        let body = without_tags(body);
        let end = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
        let plain = |line: &str| line.replace(|c: char| c.is_control(), " ");
        let (first, last) = (plain(first), plain(last));
        format!("[{first} | #{number:08x}]\n{body}{end}[{last} | #{number:08x}]\n")
    }
}

/// Returns a text without Unicode tag characters.
#[must_use]
pub fn without_tags(text: &str) -> String {
    text.chars().filter(|c| !TAG_CHARACTERS.contains(c)).collect()
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the shown part of an unfinished line; empty if there is none.
#[must_use]
pub fn prompt_of(unfinished: Option<&str>) -> &str {
    end_of(unfinished.unwrap_or_default(), PROMPT_BYTES_MAX)
}

/// Returns the shown part of an unfinished line, as a field beside a report.
#[must_use]
pub fn prompt_field(unfinished: &str) -> String {
    without_tags(prompt_of(Some(unfinished)))
}

/// Returns the last bytes of a text, from the start of a character.
#[must_use]
pub fn end_of(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

/// Returns the state of a run, its output and the next call. `notes` are further lines after the
/// output.
#[must_use]
pub fn of_run(
    status: &ProcessStatus,
    output: &LogsResponse,
    notes: &[String],
    reader: Reader,
) -> String {
    let first = format!("{} | {}", state(status), lines(output));
    let mut all = Vec::new();
    if !status.ended_leftovers.is_empty() {
        let ended = status.ended_leftovers.iter().map(|it| format!("{} ({})", it.pid, it.command));
        let ended = listed(&ended.collect::<Vec<_>>());
        all.push(format!("ended processes left by the previous run: {ended}"));
    }
    all.extend_from_slice(notes);
    let body = body_of(output, &all);
    Frame::new().around(&first, &body, &next_call(status, output, reader))
}

/// Returns the state of a run, what its terminal shows, and the next call. `next` is the number of
/// lines that it has printed.
#[must_use]
pub fn of_screen(
    status: &ProcessStatus,
    place: &str,
    screen: &str,
    next: u64,
    reader: Reader,
) -> String {
    let run_id = &*status.run_id;
    let last = if status.status == RunStatus::Running {
        let (input, kill) = (reader.input_call(run_id), reader.kill_call(run_id));
        format!("still running: {input}, {}, or {kill}", reader.wait_call(next, run_id))
    } else {
        format!("ended: {} runs the next command", reader.start_call())
    };
    Frame::new().around(&format!("{} | {place}", state(status)), screen, &last)
}

/// Returns the state of a command in a session, its output and the next call.
#[must_use]
pub fn of_exec(
    session: &str,
    run_id: &str,
    exec: &ExecResponse,
    notes: &[String],
    reader: Reader,
) -> String {
    let ExecResponse { exit_code, cwd, running, session_ended, output, .. } = exec;
    let how = match (running, exit_code) {
        (true, _) => "running".to_owned(),
        (false, Some(code)) => format!("exited | exit code {code}"),
        (false, None) => "ended | exit code unknown".to_owned(),
    };
    let first = format!("session {session}, run {run_id} | {how} | cwd {cwd} | {}", lines(output));
    let next = if *running {
        let prompt = if output.prompt.is_some() {
            format!(
                "its last line is open: {} if that is a question, else ",
                reader.input_call(run_id)
            )
        } else {
            String::new()
        };
        let more = reader.wait_call(output.next, run_id);
        format!("still running: {prompt}{more}, or {}", reader.interrupt_call(run_id))
    } else if *session_ended {
        format!("the session has ended: {} starts another", reader.start_call())
    } else {
        format!(
            "ended: the session takes the next command, {} session={session}",
            reader.start_call()
        )
    };
    Frame::new().around(&first, &body_of(output, notes), &next)
}

/// Returns the output, with an unfinished line, and notes.
fn body_of(output: &LogsResponse, notes: &[String]) -> String {
    let mut body = String::new();
    let prompt = prompt_of(output.prompt.as_deref());
    for part in [&*output.content, prompt].into_iter().filter(|part| !part.is_empty()) {
        body.push_str(part);
        body.push('\n');
    }
    if output.content.is_empty() && prompt.is_empty() {
        body.push_str("(no output)\n");
    }
    for note in notes {
        let _in_memory = writeln!(body, "[{note}]");
    }
    body
}

/// Formats a run in a list: `7 dev | running | 12.3 s | npm run dev`
#[must_use]
pub fn line_of(status: &ProcessStatus) -> String {
    let name = status.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let command = printable(&status.command).replace('\n', " ");
    let end = command.floor_char_boundary(COMMAND_BYTES_MAX);
    let cut = if end < command.len() { "…" } else { "" };
    let ProcessStatus { run_id, uptime, .. } = status;
    format!("{run_id}{name} | {} | {uptime:.1} s | {}{cut}", how(status), &command[..end])
}

/// Formats the state: `run 7 | exited | exit code 1 | 12.3 s`
fn state(status: &ProcessStatus) -> String {
    let ProcessStatus { run_id, uptime, log_dropped_lines: lost, .. } = status;
    let lost = if *lost > 0 { format!(" | {lost} lines lost") } else { String::new() };
    let pending = if status.log_pending { " | its last output is not on disk yet" } else { "" };
    format!("run {run_id} | {} | {uptime:.1} s{lost}{pending}", how(status))
}

/// Formats whether it runs, and how it has ended: `exited | exit code 1`
fn how(status: &ProcessStatus) -> String {
    let how = match (status.status, status.ended_by) {
        (RunStatus::Killed, Some(by)) => format!("killed ({by})"),
        (status, _) => status.to_string(),
    };
    match (&status.signal, status.exit_code) {
        (Some(signal), _) => format!("{how} | {signal}"),
        (None, Some(code)) => format!("{how} | exit code {code}"),
        (None, None) => how,
    }
}

/// Formats the range of lines: `lines 121-180 of 180`
fn lines(output: &LogsResponse) -> String {
    let LogsResponse { lines_returned, next, skipped, .. } = output;
    let skipped = if *skipped > 0 { format!(", {skipped} no longer kept") } else { String::new() };
    let reset = if output.cursor_reset { ", after= was beyond them" } else { "" };
    let lines = match (output.first, output.total_lines) {
        // Lines in between do not match the filter.
        (Some(first), total) if *lines_returned < (next + 1).saturating_sub(first) => {
            format!("{lines_returned} of lines {first}-{next} of {total}")
        }
        (Some(first), total) => format!("lines {first}-{next} of {total}"),
        (None, 0) => "no lines".to_owned(),
        (None, total) => format!("none of {total} lines"),
    };
    lines + &skipped + reset
}

fn next_call(status: &ProcessStatus, output: &LogsResponse, reader: Reader) -> String {
    let run_id = &*status.run_id;
    if status.ended_by == Some(EndedBy::Restart) {
        return format!("ended for a restart: {} shows the next run", reader.list_call());
    }
    let (start, kill) = (reader.start_call(), reader.kill_call(run_id));
    if output.next < output.total_lines && status.status != RunStatus::Running {
        return format!("more lines: {}", reader.read_call(output.next, run_id));
    }
    if status.status != RunStatus::Running {
        let is_ended_whole = status.ended_by.is_some_and(EndedBy::ends_tree);
        return match &status.leftover_pids[..] {
            [] => format!("ended: {start} runs the next command"),
            pids if is_ended_whole => format!("ended, and {} is being ended", pids_of(pids)),
            pids => format!("ended, but left {} running: {kill} ends these", pids_of(pids)),
        };
    }
    let more = reader.wait_call(output.next, run_id);
    match (output.prompt.is_some(), status.stdin_open) {
        (true, true) => format!(
            "still running, its last line is open{}: {} if that is a question, else {more}, or \
             {kill}",
            silence(status),
            reader.input_call(run_id)
        ),
        (true, false) => format!(
            "still running, its last line is open{}, and it has no input: {more}; if that is a \
             question, {kill} and start it with \"pty\": true to answer",
            silence(status)
        ),
        (false, _) => format!("still running: {more}, or {kill}"),
    }
}

/// Formats how long it has printed nothing.
fn silence(status: &ProcessStatus) -> String {
    status.idle.map_or_else(String::new, |idle| format!(" (silent for {idle:.1} s)"))
}

fn pids_of(pids: &[i32]) -> String {
    listed(&pids.iter().map(i32::to_string).collect::<Vec<_>>())
}

/// Lists processes, up to the maximum.
fn listed(processes: &[String]) -> String {
    let shown = &processes[..processes.len().min(PROCESSES_MAX)];
    match processes.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn report(status: Value, output: Value) -> String {
        let mut whole = json!({
            "process_pid": 4242, "command": "make", "status": "running", "created_at": "",
            "stopped_at": null, "exit_code": null, "log_file": "", "signal": null,
            "ended_by": null, "run_id": "7", "uptime": 12.34, "cpu_percent": 0.0,
            "memory_mb": 0.0, "idle": null, "pty": false, "stdin_open": false, "cwd": "/",
            "leftover_pids": [], "log_dropped_lines": 0,
        });
        let mut page = json!({
            "log_file": "", "run_id": "7", "total_lines": 0, "content": "",
            "lines_returned": 0, "first": null, "next": 0, "truncated": false, "running": true,
        });
        for (to, from) in [(&mut whole, status), (&mut page, output)] {
            to.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
        }
        let whole: ProcessStatus = serde_json::from_value(whole).unwrap();
        let text = of_run(&whole, &serde_json::from_value(page).unwrap(), &[], Reader::Http);
        let number = text[..text.find("]\n").unwrap()].rsplit('#').next().unwrap().to_owned();
        assert_eq!((number.len(), text.matches(&format!(" | #{number}]\n")).count()), (8, 2));
        text.replace(&format!(" | #{number}"), "")
    }

    fn ended(by: &str, exit_code: i32, signal: Option<&str>) -> Value {
        let status = if by == "itself" { "exited" } else { "killed" };
        json!({"status": status, "ended_by": by, "exit_code": exit_code, "signal": signal})
    }

    #[test]
    fn state_line_has_the_end() {
        for (status, said) in [
            (json!({}), "[run 7 | running | 12.3 s | no lines]"),
            (ended("itself", 1, None), "exited | exit code 1 |"),
            (ended("timeout", -15, Some("SIGTERM")), "killed (timeout) | SIGTERM |"),
            (ended("kill", 0, None), "killed (kill) | exit code 0 |"),
            (json!({"status": "killed", "ended_by": "lost"}), "| killed (lost) |"),
            (json!({"log_dropped_lines": 3}), "12.3 s | 3 lines lost |"),
        ] {
            let report = report(status, json!({}));
            assert!(report.contains(said), "{said}: {report}");
        }
    }

    #[test]
    fn output_is_between_the_state_and_the_next_call() {
        let page = json!({
            "first": 121, "next": 180, "total_lines": 180, "lines_returned": 60, "content": "a\nb",
        });
        assert_eq!(
            report(json!({}), page),
            "[run 7 | running | 12.3 s | lines 121-180 of 180]\na\nb\n[still running: GET \
             /runs/7/logs?after=180&wait=60&until=end, or POST /runs/7/kill]\n"
        );
        let report = report(ended("itself", 0, None), json!({}));
        assert!(report.ends_with("]\n(no output)\n[ended: POST /start runs the next command]\n"));
    }

    #[test]
    fn cursor_reset_and_skipped_lines_are_reported() {
        let page = json!({
            "first": 1, "next": 2, "total_lines": 2, "lines_returned": 2, "cursor_reset": true,
        });
        let reset = report(json!({}), page);
        assert!(reset.contains("| lines 1-2 of 2, after= was beyond them]"), "{reset}");
        let page = json!({
            "first": 9, "next": 9, "total_lines": 9, "lines_returned": 1, "skipped": 5,
        });
        let skipped = report(json!({}), page);
        assert!(skipped.contains("| lines 9-9 of 9, 5 no longer kept]"), "{skipped}");
    }

    #[test]
    fn report_marks_prompts_and_whether_stdin_is_open() {
        let page = json!({"prompt": "Sure? "});
        let open = report(json!({"stdin_open": true}), page.clone());
        assert!(
            open.contains("\nSure? \n[still running, its last line is open: POST /runs/7/stdin")
        );
        let closed = report(json!({}), page);
        assert!(closed.contains("start it with \"pty\": true to answer"), "{closed}");
    }

    #[test]
    fn leftover_processes_are_named() {
        let mut status = ended("itself", 0, None);
        status["leftover_pids"] = json!([5, 6]);
        let report = report(status, json!({}));
        assert!(report.contains("left 5, 6 running: POST /runs/7/kill ends these"), "{report}");
    }

    #[test]
    fn next_call_waits_while_the_command_is_running() {
        let page = json!({"first": 1, "next": 2, "total_lines": 9, "lines_returned": 2});
        let running = report(json!({}), page.clone());
        assert!(running.ends_with(
            "\n[still running: GET /runs/7/logs?after=2&wait=60&until=end, or POST /runs/7/kill]\n"
        ));
        let over = report(ended("itself", 0, None), page);
        assert!(over.ends_with("[more lines: GET /runs/7/logs?after=2&max_bytes=32768]\n"));
    }
}
