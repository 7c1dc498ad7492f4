//! Stopping a service: its signal, its timeout, its last output.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// Prints the signals it receives, and ends only on `ends_by`.
fn listens(ends_by: &str, more: &Value) -> Value {
    let cmd = format!(
        "for s in INT QUIT USR1 TERM; do trap \"echo $s\" $s; done; \
         trap 'echo {ends_by}; exit 5' {ends_by}; echo ready; while :; do sleep 0.02; done"
    );
    let mut service = json!({ "cmd": cmd });
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service
}

/// Returns the lines of a service without messages of its shell about ended helpers.
fn lines_of(astra: &Astra, name: &str) -> Vec<String> {
    let mut lines = astra.lines(name);
    let words = ["ready", "INT", "QUIT", "USR1", "TERM"];
    lines.retain(|line| words.contains(&line.as_str()));
    lines
}

#[test]
fn service_is_stopped_with_its_own_signal() {
    let signals = ["INT", "SIGQUIT", "USR1", "SIGTERM"];
    let services = signals.iter().map(|signal| {
        let word = signal.trim_start_matches("SIG");
        (word.to_owned(), listens(word, &json!({"stop_signal": signal})))
    });
    let astra = Astra::start(services.collect());
    for name in ["INT", "QUIT", "USR1", "TERM"] {
        astra.wait_for_line(name, "ready");
        assert_eq!(astra.settle("restart", name), "running");
        eventually("it is ready again", || (lines_of(&astra, name).len() == 3).then_some(()));
        assert_eq!(astra.settle("stop", name), "stopped");
        assert_eq!(lines_of(&astra, name), ["ready", name, "ready", name]);
        let report = astra.status(name);
        assert_eq!(
            (&report["exit_code"], &report["signal"]),
            (&json!(5), &Value::Null),
            "{report}"
        );
    }
}

#[test]
fn service_is_killed_after_its_stop_timeout() {
    let deaf = listens("USR1", &json!({"stop_timeout": 0.2}));
    let astra = Astra::start(json!({"stops": deaf, "restarts": deaf, "reloads": deaf}));
    for name in ["stops", "restarts", "reloads"] {
        astra.wait_for_line(name, "ready");
    }
    assert_eq!(astra.settle("stop", "stops"), "stopped");
    let report = astra.status("stops");
    assert_eq!(
        (&report["exit_code"], &report["signal"]),
        (&json!(-9), &json!("SIGKILL")),
        "{report}"
    );
    assert_eq!(lines_of(&astra, "stops"), ["ready", "TERM"]);
    assert_eq!(astra.settle("restart", "restarts"), "running");
    let body = json!({"name": "reloads", "type": "code"});
    astra.post_json("/supervisor/reload?wait=60", &body).expect(200);
    for name in ["restarts", "reloads"] {
        eventually("it is ready again", || (lines_of(&astra, name).len() == 3).then_some(()));
        assert_eq!(lines_of(&astra, name), ["ready", "TERM", "ready"]);
    }
}

#[test]
fn output_is_complete_when_the_end_is_reported() {
    let flood = "i=0; while [ $i -lt 9000 ]; do i=$((i + 1)); echo $i; done; echo last; exit 0";
    let cmd = format!("trap '{flood}' TERM; echo ready; while :; do sleep 0.02; done");
    let astra = Astra::start(json!({"web": {"cmd": cmd}}));
    for _ in 0..3 {
        astra.wait_until("web", "ready", |_| {
            astra.lines("web").last().is_some_and(|line| line == "ready")
        });
        assert_eq!(astra.settle("stop", "web"), "stopped");
        assert_eq!(astra.lines("web").last().unwrap(), "last");
        assert_eq!(astra.settle("start", "web"), "running");
    }
}
