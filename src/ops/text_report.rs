//! What a model reads of a run: a line of state, what was printed, and a line of what to call next.

use crate::protocol::{EndedBy, LogsResponse, ProcessStatus, RunStatus};
use std::fmt::Write;

/// How much of a line that has not ended is told, from its end, in bytes: a prompt is short.
const PROMPT_BYTES_MAX: usize = 512;

/// How many processes that were left behind are named.
const PROCESSES_MAX: usize = 10;

/// Who reads it, and with that how the next call is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Whoever sends requests, with curl say.
    Http,
    /// Whoever calls tools.
    Tools,
}

impl Reader {
    /// How more output is waited for.
    fn more(self, after: u64) -> String {
        match self {
            Self::Http => format!("GET /logs?after={after}&wait=30 waits for more"),
            Self::Tools => format!("wait after={after}"),
        }
    }

    /// How the lines behind one are read.
    fn rest(self, after: u64, run_id: &str) -> String {
        match self {
            Self::Http => format!("GET /runs/{run_id}/logs?after={after}&max_bytes=32768"),
            Self::Tools => format!("read_logs run_id={run_id} after={after}"),
        }
    }

    /// What tells of the last run.
    fn look(self) -> &'static str {
        match self {
            Self::Http => "GET /status",
            Self::Tools => "get_status",
        }
    }

    /// What starts a command, what writes to one, and what ends one.
    fn calls(self) -> [&'static str; 3] {
        match self {
            Self::Http => ["POST /start", "POST /stdin", "POST /kill"],
            Self::Tools => ["start_command", "send_input", "kill"],
        }
    }
}

/// As much as is told of a line that has not ended; empty where there is none.
#[must_use]
pub fn prompt_of(unfinished: Option<&str>) -> &str {
    end_of(unfinished.unwrap_or_default(), PROMPT_BYTES_MAX)
}

/// The last bytes of a text, from a character on.
#[must_use]
pub fn end_of(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

/// The state of a run, its output and what to call next; `newer` is the last run, where this is
/// not.
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
        let _in_memory = writeln!(text, "[ended, as left running by the run before: {ended}]");
    }
    let _in_memory = writeln!(text, "[{}]", next_call(status, output, newer, reader));
    text
}

/// `run 7 | exited, exit code 1 | pid 4242 | 12.3 s`
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

/// `lines 121-180 of 180`
fn lines(output: &LogsResponse) -> String {
    let LogsResponse { lines_returned, next, skipped, .. } = output;
    let skipped = if *skipped > 0 { format!(", {skipped} no longer kept") } else { String::new() };
    let reset = if output.cursor_reset { ", after= was beyond them" } else { "" };
    let lines = match (output.first, output.total_lines) {
        // Some between them do not match what was looked for.
        (Some(first), total) if *lines_returned < (next + 1).saturating_sub(first) => {
            format!("{lines_returned} of the lines {first}-{next} of {total}")
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
        return format!("run {newer} came later: {} tells of it", reader.look());
    }
    if status.ended_by == Some(EndedBy::Restart) {
        return format!("ended to be started again: {} tells of the next run", reader.look());
    }
    let [start, answer, kill] = reader.calls();
    if output.next < output.total_lines && status.status != RunStatus::Running {
        return format!("more lines: {}", reader.rest(output.next, &status.run_id));
    }
    if status.status != RunStatus::Running {
        let is_ended_whole = status.ended_by.is_some_and(EndedBy::ends_tree);
        return match &status.leftover_pids[..] {
            [] => format!("ended: {start} runs the next command"),
            pids if is_ended_whole => format!("ended, and {} is being ended", pids_of(pids)),
            pids => format!(
                "ended, but left {} running: {kill} ends what it left, and the next {start} does \
                 before it runs anything",
                pids_of(pids)
            ),
        };
    }
    let more = reader.more(output.next);
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

/// For how long it has said nothing.
fn silence(status: &ProcessStatus) -> String {
    status.idle.map_or_else(String::new, |idle| format!(" (silent for {idle:.1} s)"))
}

fn pids_of(pids: &[i32]) -> String {
    listed(&pids.iter().map(i32::to_string).collect::<Vec<_>>())
}

/// Processes in a row, as far as that helps.
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

    fn told(status: Value, output: Value) -> String {
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
    fn the_state_says_how_it_ended() {
        for (status, said) in [
            (json!({}), "[run 7 | running | pid 4242 | 12.3 s | no lines]"),
            (ended("itself", 1, None), "exited, exit code 1 |"),
            (ended("timeout", -15, Some("SIGTERM")), "killed (timeout), SIGTERM |"),
            (ended("kill", 0, None), "killed (kill), exit code 0 |"),
            (json!({"status": "killed", "ended_by": "lost"}), "| killed (lost) |"),
            (json!({"log_dropped_lines": 3}), "12.3 s | 3 lines lost |"),
        ] {
            let told = told(status, json!({}));
            assert!(told.contains(said), "{said}: {told}");
        }
    }

    #[test]
    fn output_stands_between_the_state_and_what_to_call_next() {
        let page = json!({
            "first": 121, "next": 180, "total_lines": 180, "lines_returned": 60, "content": "a\nb",
        });
        assert_eq!(
            told(json!({}), page),
            "[run 7 | running | pid 4242 | 12.3 s | lines 121-180 of 180]\na\nb\n[still running: \
             GET /logs?after=180&wait=30 waits for more, or POST /kill]\n"
        );
        let told = told(ended("itself", 0, None), json!({}));
        assert!(told.ends_with("]\n(no output)\n[ended: POST /start runs the next command]\n"));
    }

    #[test]
    fn lines_that_were_not_asked_for_are_told_why() {
        let page = json!({
            "first": 1, "next": 2, "total_lines": 2, "lines_returned": 2, "cursor_reset": true,
        });
        let reset = told(json!({}), page);
        assert!(reset.contains("| lines 1-2 of 2, after= was beyond them]"), "{reset}");
        let page = json!({
            "first": 9, "next": 9, "total_lines": 9, "lines_returned": 1, "skipped": 5,
        });
        let skipped = told(json!({}), page);
        assert!(skipped.contains("| lines 9-9 of 9, 5 no longer kept]"), "{skipped}");
    }

    #[test]
    fn report_marks_prompts_and_whether_stdin_is_open() {
        let page = json!({"prompt": "Sure? "});
        let open = told(json!({"stdin_open": true}), page.clone());
        assert!(open.contains("\nSure? \n[still running, its last line is open: POST /stdin if"));
        let closed = told(json!({}), page);
        assert!(closed.contains("start it with \"pty\": true to answer"), "{closed}");
    }

    #[test]
    fn what_was_left_behind_is_named() {
        let mut status = ended("itself", 0, None);
        status["leftover_pids"] = json!([5, 6]);
        let told = told(status, json!({}));
        assert!(told.contains("left 5, 6 running: POST /kill ends what it left"), "{told}");
        assert!(told.contains("and the next POST /start does"), "{told}");
    }

    #[test]
    fn while_it_runs_the_next_call_waits_and_pages_through_nothing() {
        let page = json!({"first": 1, "next": 2, "total_lines": 9, "lines_returned": 2});
        let running = told(json!({}), page.clone());
        assert!(running.ends_with(
            "\n[still running: GET /logs?after=2&wait=30 waits for more, or POST /kill]\n"
        ));
        let over = told(ended("itself", 0, None), page);
        assert!(over.ends_with("[more lines: GET /runs/7/logs?after=2&max_bytes=32768]\n"));
    }
}
