//! The shutdown of the supervisor and its services.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// Writes a line when it is asked to end, and another when it does, some time later.
fn slow_to_end(name: &str, depends_on: &[&str]) -> Value {
    let say = |what: &str| format!("echo {name} {what} >> order");
    let trap = format!("trap '{}; sleep 0.2; {}; exit 0' TERM", say("asked"), say("ended"));
    let cmd = format!("{trap}; echo ready; while :; do sleep 0.02; done");
    json!({"cmd": cmd, "depends_on": depends_on})
}

fn wait_until_ready(astra: &Astra, names: &[&str]) {
    for name in names {
        astra.wait_for_line(name, "ready");
    }
}

#[test]
fn services_stop_before_their_dependencies() {
    let mut astra = Astra::start(json!({
        "db": slow_to_end("db", &[]),
        "api": slow_to_end("api", &["db"]),
        "web": slow_to_end("web", &["api"]),
    }));
    wait_until_ready(&astra, &["web", "api", "db"]);
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    let order = ["web asked", "web ended", "api asked", "api ended", "db asked", "db ended"];
    assert_eq!(astra.written("order"), order);
}

#[test]
fn independent_services_stop_in_parallel() {
    // Each ends only after the other received its signal.
    let waits_for = |own: &str, other: &str| {
        // A child of the trap may be signalled as well, so that only the shell itself writes.
        let wait = format!(": > {own}; while [ ! -e {other} ]; do sleep 0.02; done");
        let trap = format!("trap '{wait}; echo {own} >> order; exit 0' TERM");
        json!({
            "cmd": format!("{trap}; echo ready; while :; do sleep 0.02; done"),
            "depends_on": ["db"],
        })
    };
    let mut astra = Astra::start(json!({
        "db": slow_to_end("db", &[]),
        "one": waits_for("one", "other"),
        "other": waits_for("other", "one"),
    }));
    wait_until_ready(&astra, &["one", "other", "db"]);
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    let mut order = astra.written("order");
    order[..2].sort();
    assert_eq!(order, ["one", "other", "db asked", "db ended"]);
}

#[test]
fn pending_starts_do_not_delay_shutdown() {
    let mut astra = Astra::start(json!({
        "waits": {"cmd": "exec sleep 60", "depends_on": {"db": "completed"}},
        "failed": {
            "cmd": "exit 1", "depends_on": ["db"], "restart_policy": {"backoff_seconds": 600},
        },
        "db": {"cmd": "exec sleep 60"},
    }));
    astra.wait_for("failed", "backoff");
    assert_eq!(astra.status("waits")["status"], "starting");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn each_termination_signal_stops_everything_cleanly() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut astra = Astra::start(json!({
            "api": {
                "cmd": "trap 'echo last words; exit 0' TERM; echo ready; \
                        while :; do sleep 0.02; done",
            },
            "db": {"cmd": "exec sleep 60"},
        }));
        astra.wait_for_line("api", "ready");
        astra.signal(signal);
        assert_eq!(astra.wait().code(), Some(0), "SIG{signal}");
        assert_eq!(astra.living(), Vec::<String>::new(), "SIG{signal}");
        astra.start_again();
        let lines = astra.lines("api");
        assert!(lines.contains(&"last words".to_owned()), "SIG{signal}: {lines:?}");
    }
}

#[test]
fn second_signal_forces_the_shutdown() {
    let stubborn = |depends_on: Value| {
        let cmd = "trap 'echo asked >> order' TERM; echo ready; while :; do sleep 0.02; done";
        json!({"cmd": cmd, "stop_timeout": 3600, "depends_on": depends_on})
    };
    let mut astra =
        Astra::start(json!({"db": stubborn(json!([])), "api": stubborn(json!(["db"]))}));
    wait_until_ready(&astra, &["api", "db"]);
    astra.signal("TERM");
    eventually("api is asked to end", || (astra.written("order").len() == 1).then_some(()));
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn ignored_stop_signal_ends_in_sigkill() {
    let mut astra = Astra::start(json!({"db": {
        "cmd": "trap 'echo asked >> order' USR1; echo ready; while :; do sleep 0.02; done",
        "stop_signal": "USR1", "stop_timeout": 0.2,
    }}));
    astra.wait_for_line("db", "ready");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.written("order"), ["asked"]);
}

#[test]
fn shutdown_ends_leftovers_of_ended_services() {
    let mut astra = Astra::start(json!({
        "exited": {"cmd": "setsid sleep 60 & exit 0"},
        "fatal": {"cmd": "setsid sleep 60 & exit 1", "restart_policy": {"max_restarts": 0}},
    }));
    astra.wait_for("exited", "exited");
    astra.wait_for("fatal", "fatal");
    assert_eq!(astra.living().len(), 2);
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn nothing_starts_during_a_shutdown() {
    let mut astra = Astra::start(json!({
        "db": {
            "cmd": "trap ': > asked; while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM; \
                    echo ready; while :; do sleep 0.02; done",
        },
        "idle": {"cmd": "exec sleep 60", "autostart": false},
    }));
    astra.wait_for_line("db", "ready");
    let mut events = astra.events("/supervisor/events");
    astra.signal("TERM");
    eventually("db is asked", || astra.folder().join("asked").exists().then_some(()));
    // The listener is closed: new clients are either not accepted or refused.
    astra.touch("go");
    assert_eq!(events.event_that(|event| event.name == "end").data, json!({}));
    assert_eq!(astra.wait().code(), Some(0));
    assert!(astra.log().contains("stopped; 0 requests aborted"), "{}", astra.log());
}

#[test]
fn streams_of_logs_end_with_the_supervisor() {
    let mut astra = Astra::start(json!({"web": {
        "cmd": "trap 'echo last; exit 0' TERM; echo ready; while :; do sleep 0.02; done",
    }}));
    let mut plain = astra.stream("/supervisor/logs/web?follow=true");
    assert_eq!(plain.line(), "ready");
    let mut events = astra.events("/supervisor/logs/web?follow=true&after=1");
    astra.signal("TERM");
    let rest = plain.rest();
    assert!(rest.ends_with("last\n"), "{rest}");
    let end = events.event_that(|event| event.name == "end");
    assert_eq!((&end.data["status"], &end.data["exit_code"]), (&json!("stopped"), &json!(0)));
    assert_eq!(astra.wait().code(), Some(0));
}
