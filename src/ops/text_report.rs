//! Text reports of runs for models: a line of state, the output, and a line with the next call.

use crate::protocol::{EndedBy, LogsResponse, ProcessStatus, RunStatus};
use std::fmt::Write;

/// The most of an unfinished line that is shown, from its end, in bytes: a prompt is short.
const PROMPT_BYTES_MAX: usize = 512;

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
    /// Returns the call that waits for more output.
    fn wait_call(self, after: u64) -> String {
        match self {
            Self::Http => format!("GET /logs?after={after}&wait=30 waits for more"),
            Self::Tools => format!("wait after={after}"),
        }
    }

    /// Returns the call that reads the lines after one.
    fn read_call(self, after: u64, run_id: &str) -> String {
        match self {
            Self::Http => format!("GET /runs/{run_id}/logs?after={after}&max_bytes=32768"),
            Self::Tools => format!("read_logs run_id={run_id} after={after}"),
        }
    }

    /// Returns the call that reports the last run.
    fn status_call(self) -> &'static str {
        match self {
            Self::Http => "GET /status",
            Self::Tools => "get_status",
        }
    }

    /// Returns the calls that start a command, write to it, and end it.
    fn command_calls(self) -> [&'static str; 3] {
        match self {
            Self::Http => ["POST /start", "POST /stdin", "POST /kill"],
            Self::Tools => ["start_command", "send_input", "kill"],
        }
    }
}

/// Returns the shown part of an unfinished line; empty if there is none.
#[must_use]
pub fn prompt_of(unfinished: Option<&str>) -> &str {
    end_of(unfinished.unwrap_or_default(), PROMPT_BYTES_MAX)
}

/// Returns the last bytes of a text, from the start of a character.
#[must_use]
pub fn end_of(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

/// Returns the state of a run, its output and the next call; `newer` is the last run if this is not
/// it.
#[must_use]
pub fn of_run(
    status: &ProcessStatus,
    output: &LogsResponse,
    newer: Option<&str>,
    reader: Reader,
) -> String {
    let mut text = format!("[{} | {}]\n", state(status), lines(output));
    let prompt = prompt_of(output.prompt.as_deref());
    for part in [&*output.content, prompt].into_iter().filter(|part| !part.is_empty()) {
        text.push_str(part);
        text.push('\n');
    }
    if output.content.is_empty() && prompt.is_empty() {
        text.push_str("(no output)\n");
    }
    if !status.ended_leftovers.is_empty() {
        let ended = status.ended_leftovers.iter().map(|it| format!("{} ({})", it.pid, it.command));
        let ended = listed(&ended.collect::<Vec<_>>());
        let _in_memory = writeln!(text, "[ended processes left by the previous run: {ended}]");
    }
    let _in_memory = writeln!(text, "[{}]", next_call(status, output, newer, reader));
    text
}

/// Formats the state: `run 7 | exited, exit code 1 | pid 4242 | 12.3 s`
fn state(status: &ProcessStatus) -> String {
    let how = match (status.status, status.ended_by) {
        (RunStatus::Killed, Some(by)) => format!("killed ({by})"),
        (status, _) => status.to_string(),
    };
    let with = match (&status.signal, status.exit_code) {
        (Some(signal), _) => format!(", {signal}"),
        (None, Some(code)) => format!(", exit code {code}"),
        (None, None) => String::new(),
    };
    let ProcessStatus { run_id, process_pid: pid, uptime, log_dropped_lines: lost, .. } = status;
    let lost = if *lost > 0 { format!(" | {lost} lines lost") } else { String::new() };
    let pending = if status.log_pending { " | its last output is not on disk yet" } else { "" };
    format!("run {run_id} | {how}{with} | pid {pid} | {uptime:.1} s{lost}{pending}")
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

fn next_call(
    status: &ProcessStatus,
    output: &LogsResponse,
    newer: Option<&str>,
    reader: Reader,
) -> String {
    if let Some(newer) = newer {
        return format!("run {newer} is newer: {} shows it", reader.status_call());
    }
    if status.ended_by == Some(EndedBy::Restart) {
        return format!("ended for a restart: {} shows the next run", reader.status_call());
    }
    let [start, answer, kill] = reader.command_calls();
    if output.next < output.total_lines && status.status != RunStatus::Running {
        return format!("more lines: {}", reader.read_call(output.next, &status.run_id));
    }
    if status.status != RunStatus::Running {
        let is_ended_whole = status.ended_by.is_some_and(EndedBy::ends_tree);
        return match &status.leftover_pids[..] {
            [] => format!("ended: {start} runs the next command"),
            pids if is_ended_whole => format!("ended, and {} is being ended", pids_of(pids)),
            pids => format!(
                "ended, but left {} running: {kill} ends these processes, as does the next {start}",
                pids_of(pids)
            ),
        };
    }
    let more = reader.wait_call(output.next);
    match (output.prompt.is_some(), status.stdin_open) {
        (true, true) => format!(
            "still running, its last line is open{}: {answer} if that is a question, else {more}, \
             or {kill}",
            silence(status)
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
        of_run(&whole, &serde_json::from_value(page).unwrap(), None, Reader::Http)
    }

    fn ended(by: &str, exit_code: i32, signal: Option<&str>) -> Value {
        let status = if by == "itself" { "exited" } else { "killed" };
        json!({"status": status, "ended_by": by, "exit_code": exit_code, "signal": signal})
    }

    #[test]
    fn state_line_has_the_end() {
        for (status, said) in [
            (json!({}), "[run 7 | running | pid 4242 | 12.3 s | no lines]"),
            (ended("itself", 1, None), "exited, exit code 1 |"),
            (ended("timeout", -15, Some("SIGTERM")), "killed (timeout), SIGTERM |"),
            (ended("kill", 0, None), "killed (kill), exit code 0 |"),
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
            "[run 7 | running | pid 4242 | 12.3 s | lines 121-180 of 180]\na\nb\n[still running: \
             GET /logs?after=180&wait=30 waits for more, or POST /kill]\n"
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
        assert!(open.contains("\nSure? \n[still running, its last line is open: POST /stdin if"));
        let closed = report(json!({}), page);
        assert!(closed.contains("start it with \"pty\": true to answer"), "{closed}");
    }

    #[test]
    fn leftover_processes_are_named() {
        let mut status = ended("itself", 0, None);
        status["leftover_pids"] = json!([5, 6]);
        let report = report(status, json!({}));
        assert!(report.contains("left 5, 6 running: POST /kill ends these processes"), "{report}");
        assert!(report.contains(", as does the next POST /start"), "{report}");
    }

    #[test]
    fn next_call_waits_while_the_command_is_running() {
        let page = json!({"first": 1, "next": 2, "total_lines": 9, "lines_returned": 2});
        let running = report(json!({}), page.clone());
        assert!(running.ends_with(
            "\n[still running: GET /logs?after=2&wait=30 waits for more, or POST /kill]\n"
        ));
        let over = report(ended("itself", 0, None), page);
        assert!(over.ends_with("[more lines: GET /runs/7/logs?after=2&max_bytes=32768]\n"));
    }
}
