//! `wait=`: answers that wait until the service has settled.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;

/// Ends when the file `go` exists, and ignores signals.
const STUBBORN: &str = "trap '' TERM; echo ready; while [ ! -e go ]; do sleep 0.05; done";

fn ask(astra: &Astra, verb: &str, wait: &str) -> Value {
    let path = format!("/supervisor/{verb}?wait={wait}");
    astra.post_json(&path, &json!({"name": "web"})).expect(200).json()
}

#[test]
fn wait_returns_the_reached_state() {
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "start_seconds": 0.2, "autostart": false,
    }}));
    for (verb, state) in [("start", "running"), ("restart", "running"), ("stop", "stopped")] {
        let answer = ask(&astra, verb, "60");
        assert_eq!(answer["status"], state, "{verb}: {answer}");
        assert!(answer["message"].as_str().unwrap().ends_with('.'), "{answer}");
        assert_eq!(astra.status("web")["status"], state);
    }
}

#[test]
fn expired_wait_returns_the_current_state() {
    let astra = Astra::start(json!({"web": {"cmd": STUBBORN, "stop_timeout": 600}}));
    astra.wait_for_line("web", "ready");
    for (wait, verb, state) in
        [("0", "stop", "stopping"), ("0.1", "stop", "stopping"), ("0.1", "restart", "restarting")]
    {
        assert_eq!(ask(&astra, verb, wait)["status"], state);
    }
    astra.touch("go");
    assert_eq!(ask(&astra, "stop", "60")["status"], "stopped");
}

#[test]
fn wait_for_a_failing_start_ends_with_fatal() {
    let astra = Astra::start(json!({"web": {
        "cmd": "sleep 0.05; exit 3", "autostart": false, "start_seconds": 60,
        "restart_policy": {"max_restarts": 2, "backoff_seconds": 0},
    }}));
    let answer = ask(&astra, "start", "60");
    assert_eq!(answer["status"], "fatal");
    assert!(answer["message"].as_str().unwrap().contains("exit code 3"), "{answer}");
    assert_eq!(astra.status("web")["restart_count"], 2);
}

#[test]
fn wait_limit_is_named() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let pid = astra.pid_of("web");
    for wait in ["601", "-1", "x", "NaN", ""] {
        for verb in ["restart", "stop", "start", "reload", "bulk"] {
            let path = format!("/supervisor/{verb}?wait={wait}");
            let answer = astra.post_json(&path, &json!({"name": "web"}));
            let detail = answer.problem(400, "bad_request");
            assert!(detail.contains("wait"), "{detail}");
            assert!(wait != "601" || detail.contains("600"), "{detail}");
        }
    }
    assert_eq!(astra.pid_of("web"), pid);
}

#[test]
fn waits_are_limited_and_the_next_is_refused() {
    let astra = Astra::start_with(
        &["--max-streams", "1"],
        json!({
            "web": {"cmd": STUBBORN, "stop_timeout": 600},
            "db": {"cmd": "exec sleep 60"},
        }),
    );
    astra.wait_for_line("web", "ready");
    let pid = astra.pid_of("db");
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| ask(&astra, "stop", "600"));
        astra.wait_for("web", "stopping");
        let refused = astra.post_json("/supervisor/restart?wait=1", &json!({"name": "db"}));
        assert_eq!(refused.header("retry-after"), Some("1"));
        refused.problem(503, "unavailable");
        assert_eq!(astra.pid_of("db"), pid, "it was refused before it had any effect");
        assert_eq!(astra.ask("restart", "db").expect(200).json()["status"], "restarting");
        astra.touch("go");
        assert_eq!(stopped.join().unwrap()["status"], "stopped");
    });
}

#[test]
fn disconnect_ends_the_wait_not_the_operation() {
    let astra = Astra::start_with(
        &["--max-streams", "1"],
        json!({"web": {"cmd": STUBBORN, "stop_timeout": 600}}),
    );
    astra.wait_for_line("web", "ready");
    let body = json!({"name": "web"}).to_string();
    let mut client = TcpStream::connect(astra.address()).unwrap();
    let head = "POST /supervisor/restart?wait=600 HTTP/1.1\r\nHost: localhost\r\n";
    write!(client, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    astra.wait_for("web", "restarting");
    drop(client);
    eventually("the slot is free", || {
        let path = "/supervisor/logs/web?after=1&wait=0.01";
        (astra.get(path).status == 200).then_some(())
    });
    assert_eq!(astra.status("web")["status"], "restarting");
    astra.touch("go");
    eventually("it is started again", || (astra.lines("web").len() == 2).then_some(()));
}

#[test]
fn shutdown_ends_waits_with_the_current_state() {
    let mut astra = Astra::start(json!({"web": {"cmd": STUBBORN, "stop_timeout": 0.3}}));
    astra.wait_for_line("web", "ready");
    let answer = std::thread::scope(|scope| {
        let stopped = scope.spawn(|| ask(&astra, "stop", "600"));
        astra.wait_for("web", "stopping");
        astra.signal("TERM");
        stopped.join().unwrap()
    });
    assert!(["stopped", "stopping"].contains(&answer["status"].as_str().unwrap()), "{answer}");
    assert_eq!(astra.wait().code(), Some(0));
}

#[test]
fn shutdown_ends_waits_for_pending_services() {
    let mut astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "start_seconds": 600, "autostart": false,
    }}));
    let answer = std::thread::scope(|scope| {
        let started = scope.spawn(|| ask(&astra, "start", "600"));
        astra.wait_until("web", "launched", |it| it["pid"].is_u64());
        astra.signal("TERM");
        started.join().unwrap()
    });
    assert_eq!(answer["status"], "stopped", "{answer}");
    assert_eq!(astra.wait().code(), Some(0));
}
