//! POST /signal/{service}: sends a signal to the whole tree without waiting.

use crate::harness::{Astra, eventually};
use serde_json::json;

/// Counts in each of two processes how often it gets USR1.
const COUNTS: &str = "trap 'echo parent' USR1; sh -c 'trap \"echo child\" USR1; echo ready; \
                      while :; do sleep 0.02; done' & while :; do sleep 0.02; done";

fn send(astra: &Astra, kind: &str) -> crate::harness::Answer {
    astra.post(&format!("/supervisor/signal/web?type={kind}"))
}

#[test]
fn signal_reaches_the_tree_by_name_or_number() {
    let astra = Astra::start(json!({"web": {"cmd": COUNTS}}));
    astra.wait_for_line("web", "ready");
    let pid = astra.pid_of("web");
    for (times, kind) in [(1, "SIGUSR1"), (2, "USR1"), (3, "10")] {
        let report = send(&astra, kind).expect(200).json();
        assert_eq!((&report["status"], &report["pid"]), (&json!("running"), &json!(pid)));
        // The shells' helpers are killed by it and are started again.
        eventually("both have got it", || {
            let lines = astra.lines("web");
            let count = |who: &str| lines.iter().filter(|line| *line == who).count();
            (count("parent") == times && count("child") == times).then_some(())
        });
    }
}

#[test]
fn signalled_service_is_restarted_by_its_policy() {
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "restart_policy": {"backoff_seconds": 0},
    }}));
    let first = astra.wait_for("web", "running")["pid"].clone();
    send(&astra, "TERM").expect(200);
    let is_again = |it: &serde_json::Value| it["restart_count"] == 1 && it["pid"].is_u64();
    assert_ne!(astra.wait_until("web", "restarted", is_again)["pid"], first);
    let mut stream = astra.events("/supervisor/logs/web?follow=true&after=0");
    let end = stream.event_that(|event| event.data["event"] == "ended");
    assert_eq!((&end.data["signal"], &end.data["ended_by"]), (&json!("SIGTERM"), &json!("signal")));
}

#[test]
fn invalid_signal_is_refused() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let pid = astra.pid_of("web");
    for kind in ["NOPE", "-9", "0x9", "999", ""] {
        let detail = send(&astra, kind).problem(400, "bad_request");
        assert!(detail.contains("type"), "{kind}: {detail}");
    }
    astra.post("/supervisor/signal/web").problem(400, "bad_request");
    assert_eq!(astra.pid_of("web"), pid);
}

#[test]
fn signal_without_a_run_is_refused() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exit 1", "restart_policy": {"backoff_seconds": 600}},
        "idle": {"cmd": "exec sleep 60", "autostart": false},
    }));
    astra.wait_for("web", "backoff");
    let detail = send(&astra, "TERM").problem(409, "conflict");
    assert!(detail.contains("backoff"), "{detail}");
    astra.post("/supervisor/signal/idle?type=TERM").problem(409, "conflict");
    astra.settle("stop", "web");
}

#[test]
fn service_stopped_by_sigstop_can_be_ended() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    send(&astra, "STOP").expect(200);
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", astra.pid_of("web"))).unwrap();
    eventually("it is stopped", || stat().contains(") T ").then_some(()));
    send(&astra, "CONT").expect(200);
    eventually("it goes on", || stat().contains(") S ").then_some(()));
    send(&astra, "STOP").expect(200);
    eventually("it is stopped", || stat().contains(") T ").then_some(()));
    assert_eq!(astra.settle("stop", "web"), "stopped");
    assert_eq!(astra.status("web")["signal"], "SIGTERM");
}
