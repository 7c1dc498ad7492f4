//! POST /stdin/{service}: input for services on a terminal.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

const JSON: &[&str] = &["Content-Type: application/json"];

/// Asks for a name and greets, again and again, until its input ends.
fn service() -> Value {
    let cmd = "stty -echo; while printf 'name? ' && read name; do echo \"hello $name\"; done; \
               echo; echo end";
    json!({"cmd": cmd, "pty": true})
}

fn wait_for_prompt(astra: &Astra) {
    eventually("it asks", || {
        let page = astra.get("/supervisor/logs/web?after=0").expect(200).json();
        (page["prompt"] == "name? ").then_some(())
    });
}

#[test]
fn service_on_a_terminal_reads_input() {
    let astra = Astra::start(json!({ "web": service() }));
    wait_for_prompt(&astra);
    let written = astra.request("POST /supervisor/stdin/web", &[], b"Ann\n").expect(200).json();
    assert_eq!(written, json!({"written": 4}));
    astra.wait_for_line("web", "name? hello Ann");
    wait_for_prompt(&astra);
    let body = json!({"data": "Bob\n"}).to_string();
    let path = "POST /api/supervisor/stdin/web";
    assert_eq!(astra.request(path, JSON, body.as_bytes()).expect(200).json()["written"], 4);
    astra.wait_for_line("web", "name? hello Bob");
    wait_for_prompt(&astra);
    let body = json!({"eof": true}).to_string();
    astra.request("POST /supervisor/stdin/web", JSON, body.as_bytes()).expect(200);
    astra.wait_for_line("web", "end");
    assert_eq!(astra.wait_for("web", "exited")["exit_code"], 0);
}

#[test]
fn terminal_serves_the_tree_and_ends_with_it() {
    let astra = Astra::start(json!({"web": {
        "cmd": "tty; test -t 0 && test -t 1 && test -t 2 && echo \"all $TERM\"; exec sleep 60",
        "pty": true,
    }}));
    eventually("it has printed", || (astra.lines("web").len() == 2).then_some(()));
    let lines = astra.lines("web");
    assert!(lines[0].starts_with("/dev/pts/"), "{lines:?}");
    assert!(lines[1].starts_with("all ") && lines[1].len() > 4, "a TERM is set: {lines:?}");
    assert_eq!(astra.settle("restart", "web"), "running");
    assert_eq!(astra.settle("stop", "web"), "stopped");
}

#[test]
fn a_service_without_a_terminal_reads_nothing() {
    let astra = Astra::start(json!({"web": {"cmd": "cat; exec sleep 60"}}));
    astra.wait_for("web", "running");
    let detail = astra.request("POST /supervisor/stdin/web", &[], b"x").problem(409, "conflict");
    assert!(detail.contains("\"pty\": true"), "{detail}");
    astra.settle("stop", "web");
    astra.request("POST /supervisor/stdin/web", &[], b"x").problem(409, "conflict");
}

#[test]
fn invalid_input_is_refused() {
    let astra = Astra::start(json!({ "web": service() }));
    wait_for_prompt(&astra);
    for body in [json!({"dta": "x"}), json!({"data": 5}), json!({"data": "x", "eof": "no"})] {
        let body = body.to_string();
        let answer = astra.request("POST /supervisor/stdin/web", JSON, body.as_bytes());
        answer.problem(400, "bad_request");
    }
    astra.request("POST /supervisor/stdin/web?eof=true", &[], b"x").problem(400, "bad_request");
    astra.settle("stop", "web");
    assert!(!astra.lines("web").iter().any(|line| line.contains("hello")));
}

#[test]
fn service_without_a_run_has_no_open_input() {
    let astra = Astra::start(json!({
        "web": {"cmd": "cat", "pty": true, "autostart": false},
    }));
    let detail = astra.request("POST /supervisor/stdin/web", &[], b"x").problem(409, "conflict");
    assert!(detail.contains("web"), "{detail}");
}

#[test]
fn stdin_without_a_terminal_explains_pty() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let detail = astra.request("POST /supervisor/stdin/web", &[], b"x").problem(409, "conflict");
    assert!(!detail.contains("\"stdin\""), "a services file has no such field: {detail}");
}
