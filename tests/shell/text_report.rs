//! Answers as text, written for models.

use crate::harness::{Server, eventually};
use serde_json::json;

const TEXT: &[&str] = &["Accept: text/plain"];

/// Returns the text answer of POST /start with this body.
fn start_as_text(server: &Server, body: &serde_json::Value) -> String {
    let answer = server.request("POST /start", TEXT, body.to_string().as_bytes()).expect(201);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    answer.text()
}

/// Removes the random numbers that the first and the last line end in.
fn without_numbers(text: &str) -> String {
    let number = text.lines().next().unwrap().rsplit(" | #").next().unwrap();
    text.replace(&format!(" | #{number}"), "]")
}

fn status(server: &Server) -> String {
    server.request("GET /status", TEXT, b"").expect(200).text()
}

#[test]
fn waiting_start_reports_state_output_and_next_call() {
    let server = Server::start();
    let text = start_as_text(&server, &json!({"command": "seq 3; exit 7", "wait": 60}));
    let lines: Vec<_> = text.lines().collect();
    let run = server.get("/status").expect(200).json();
    let begin = format!("[run {} | exited | exit code 7 | ", run["run_id"].as_str().unwrap());
    // Both lines end in a number that no output knows, another one in each report.
    let number = &lines[0][lines[0].len() - 13..];
    assert!(number.starts_with(" | #"), "{text}");
    let is_first = lines[0].ends_with(&format!(" s | lines 1-3 of 3{number}"));
    assert!(lines[0].starts_with(&begin) && is_first, "{text}");
    let last = format!("[ended: POST /start runs the next command{number}");
    assert_eq!(lines[1..], ["1", "2", "3", &last]);
    let again = status(&server);
    assert!(again != text && without_numbers(&again) == without_numbers(&text), "{again}");
    let silent = start_as_text(&server, &json!({"command": "exit 0", "wait": 60}));
    let silent = without_numbers(&silent);
    assert!(silent.contains("| no lines]\n(no output)\n["), "{silent}");
}

#[test]
fn running_command_is_reported_with_the_next_call() {
    let server = Server::start();
    let text = start_as_text(&server, &json!({"command": "seq 3; sleep 60", "wait": 0.2}));
    assert!(text.contains(" | running | "), "{text}");
    let run = server.get("/status").expect(200).json()["run_id"].as_str().unwrap().to_owned();
    let next = format!(
        "[still running: GET /runs/{run}/logs?after=3&wait=60&until=end, or POST /runs/{run}/kill]\n"
    );
    assert!(without_numbers(&text).ends_with(&format!("\n3\n{next}")), "{text}");
    server.post("/kill").expect(200);
    assert!(status(&server).contains(" | killed (kill) | SIGTERM | "));
}

#[test]
fn prompt_is_reported_with_how_to_answer() {
    let server = Server::start();
    start_as_text(&server, &json!({"command": "printf 'Sure? '; read x; echo $x", "pty": true}));
    let text = eventually("the prompt is reported", || {
        Some(status(&server)).filter(|text| text.contains("Sure?"))
    });
    assert!(
        text.contains("\nSure? \n[still running, its last line is open (silent for "),
        "{text}"
    );
    server.request("POST /stdin", &[], b"y\n").expect(200);
    server.ended();
    assert!(status(&server).contains("\nSure? y\ny\n[ended"), "{}", status(&server));
    let deaf =
        start_as_text(&server, &json!({"command": "printf 'Sure? '; sleep 60", "wait": 0.3}));
    assert!(deaf.contains("and it has no input") && deaf.contains("\"pty\": true"), "{deaf}");
    server.post("/kill").expect(200);
}

#[test]
fn truncated_text_names_the_call_for_the_rest() {
    let server = Server::start();
    let text = start_as_text(&server, &json!({"command": "seq 100000", "wait": 60}));
    assert!((30_000..34_000).contains(&text.len()), "{}", text.len());
    assert!(
        text.starts_with("[run ")
            && text.contains("]\n1\n2\n")
            && text.contains("left out: GET /runs/"),
        "{}",
        &text[..200]
    );
    assert!(text.contains("\n100000\n[ended"));
    let brief = status(&server);
    assert!((3_000..5_000).contains(&brief.len()), "{}", brief.len());
    let body = json!({"command": "seq 1000", "wait": 60, "max_bytes": 300});
    assert!(start_as_text(&server, &body).len() < 500);
}

#[test]
fn leftovers_are_reported() {
    let server = Server::start();
    let text = start_as_text(&server, &json!({"command": "sleep 60 & echo gone", "wait": 60}));
    assert!(text.contains("[ended, but left ") && text.contains("/kill ends these"), "{text}");
    server.post("/kill").expect(200);
}

#[test]
fn client_accepting_json_gets_json() {
    let server = Server::start();
    server.run_to_end("echo hello");
    for accept in [
        "application/json, text/plain, */*",
        "*/*",
        "text/html",
        "text/plain;q=0.1, application/json",
    ] {
        let headers = &[&*format!("Accept: {accept}")];
        for path in ["GET /status", "GET /logs"] {
            assert!(server.request(path, headers, b"").expect(200).json().is_object(), "{accept}");
        }
    }
}

#[test]
fn report_of_a_restarted_run_says_so() {
    let server = Server::start();
    let old = server.run("sleep 60")["run_id"].clone();
    std::thread::scope(|threads| {
        let waits =
            threads.spawn(|| server.request("GET /status?wait=60", TEXT, b"").expect(200).text());
        let waiting = || server.get("/metrics").expect(200).text().contains("_streams 1\n");
        eventually("it waits", || waiting().then_some(()));
        let new = server.post("/restart").expect(200).json()["run_id"].clone();
        server.post("/kill").expect(200);
        let text = waits.join().unwrap();
        assert!(text.contains(old.as_str().unwrap()), "{text}");
        assert!(!text.contains(new.as_str().unwrap()), "{text}");
        assert!(text.contains("[ended for a restart: GET /runs shows the next run |"), "{text}");
    });
}

#[test]
fn escape_sequences_are_removed_from_text() {
    let server = Server::start();
    let body = json!({"command": "printf '\\033[31mred\\033[0m\\n'", "wait": 60});
    assert!(start_as_text(&server, &body).contains("]\nred\n["));
}

#[test]
fn processes_being_killed_are_not_leftovers() {
    let server = Server::start();
    for _ in 0..10 {
        server.run("sleep 60 & sleep 60; echo never");
        std::thread::scope(|threads| {
            let waits = threads
                .spawn(|| server.request("GET /status?wait=60", TEXT, b"").expect(200).text());
            server.post("/kill").expect(200);
            let text = waits.join().unwrap();
            assert!(!text.contains("but left"), "{text}");
        });
    }
}

#[test]
fn report_names_leftovers_and_what_ends_them() {
    let server = Server::start();
    let left = json!({"command": "sleep 300 >/dev/null &", "wait": 60});
    let text = start_as_text(&server, &left);
    assert!(text.contains("/kill ends these"), "{text}");
    let text = start_as_text(&server, &json!({"command": "true", "wait": 60}));
    assert!(text.contains("\n[ended processes left by the previous run: "), "{text}");
    let text = without_numbers(&text);
    assert!(text.contains(" (sleep 300)]\n[ended: POST /start runs the next command]\n"), "{text}");
}
