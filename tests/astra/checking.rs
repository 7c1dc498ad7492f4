//! Health checks of supervised services: their schedule and their effects.

use crate::harness::{Astra, Web, eventually};
use serde_json::{Value, json};

/// A check that writes a line per probe and passes while the file `well` exists.
fn noted(more: &Value) -> Value {
    let mut check = json!({"cmd": "echo probe >> probes; test -e well", "interval": 0.1});
    check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    check
}

fn is_healthy(status: &Value) -> bool {
    status["health"] == "healthy"
}

fn is_unhealthy(status: &Value) -> bool {
    status["health"] == "unhealthy"
}

#[test]
fn service_is_starting_until_its_check_passes() {
    let web = Web::start(503);
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60",
        // While it starts, it is probed more often than this.
        "health_check": {"url": web.url("/"), "interval": 600},
    }}));
    astra.wait_until("web", "launched", |it| it["pid"].is_u64());
    let report = astra.status("web");
    assert_eq!((&report["status"], &report["health"]), (&json!("starting"), &json!("unknown")));
    web.answer(200, "");
    let report = astra.wait_for("web", "running");
    assert_eq!((&report["health"], &report["restart_count"]), (&json!("healthy"), &json!(0)));
}

#[test]
fn all_checks_must_pass() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60", "health_checks": {
        "one": {"cmd": ["test", "-e", "one"], "interval": 0.1},
        "other": {"cmd": "echo probe >> probes; test -e other", "interval": 0.1},
    }}}));
    astra.touch("one");
    eventually("it is probed", || (astra.written("probes").len() > 4).then_some(()));
    assert_eq!(astra.status("web")["status"], "starting");
    astra.touch("other");
    assert!(is_healthy(&astra.wait_for("web", "running")));
}

#[test]
fn service_not_healthy_in_time_is_unhealthy_until_it_is() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "start_timeout": 0.3, "health_check": noted(&json!({}))},
        "api": {"cmd": "exec sleep 60", "depends_on": {"web": "healthy"}},
    }));
    let report = astra.wait_for("web", "running");
    assert!(is_unhealthy(&report), "{report}");
    assert!(report["message"].as_str().unwrap().contains("exit code 1"), "{report}");
    assert_eq!(astra.status("api")["status"], "starting", "what needs it healthy waits");
    astra.touch("well");
    astra.wait_until("web", "healthy", is_healthy);
    astra.wait_for("api", "running");
    assert_eq!(astra.status("web")["restart_count"], 0);
}

#[test]
fn retries_make_unhealthy_and_one_success_healthy() {
    let check = noted(&json!({"retries": 4}));
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60", "health_check": check}}));
    astra.touch("well");
    astra.wait_for("web", "running");
    let before = astra.written("probes").len();
    std::fs::remove_file(astra.folder().join("well")).unwrap();
    let report = astra.wait_until("web", "unhealthy", is_unhealthy);
    // The first counted probe may have begun before the file was removed.
    assert!(
        astra.written("probes").len() >= before + 3,
        "{} {before}",
        astra.written("probes").len()
    );
    assert_eq!((&report["status"], &report["restart_count"]), (&json!("running"), &json!(0)));
    assert!(report["message"].as_str().unwrap().contains("exit code 1"), "{report}");
    astra.touch("well");
    astra.wait_until("web", "healthy", is_healthy);
}

#[test]
fn restart_on_failure_restarts_an_unhealthy_service() {
    let check = noted(&json!({"retries": 2, "restart_on_failure": true}));
    let astra = Astra::start(json!({"web": {
        "cmd": "touch well; echo begin; exec sleep 60", "health_check": check,
        "restart_policy": {"mode": "never", "backoff_seconds": 0},
    }}));
    let first = astra.wait_for("web", "running")["pid"].clone();
    let mut events = astra.events("/supervisor/logs/web?follow=true&after=0");
    std::fs::remove_file(astra.folder().join("well")).unwrap();
    let is_again = |it: &Value| it["restart_count"] == 1 && is_healthy(it);
    let report = astra.wait_until("web", "restarted", is_again);
    assert_ne!(report["pid"], first);
    let end = events.event_that(|event| event.data["event"] == "ended");
    assert_eq!(end.data["ended_by"], "health", "{end:?}");
}

#[test]
fn health_restarts_count_as_restarts() {
    let check = json!({
        "cmd": "false", "interval": 0.1, "retries": 1, "restart_on_failure": true,
    });
    let astra = Astra::start(json!({"web": {
        "cmd": "echo begin; exec sleep 60", "start_timeout": 0.1, "health_check": check,
        "restart_policy": {"max_restarts": 2, "backoff_seconds": 0},
    }}));
    let report = astra.wait_for("web", "fatal");
    assert_eq!((&report["restart_count"], &report["pid"]), (&json!(2), &Value::Null));
    assert_eq!(astra.lines("web").len(), 3);
}

#[test]
fn failures_in_the_start_period_do_not_count() {
    let check = noted(&json!({
        "retries": 1, "start_period": 600, "restart_on_failure": true,
    }));
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "start_timeout": 0.1, "health_check": check,
    }}));
    let pid = astra.wait_for("web", "running")["pid"].clone();
    let probes = astra.written("probes").len();
    eventually("it is probed", || (astra.written("probes").len() > probes + 4).then_some(()));
    let report = astra.status("web");
    assert_eq!((&report["pid"], &report["restart_count"]), (&pid, &json!(0)));
}

#[test]
fn first_success_ends_the_start_period() {
    let check = noted(&json!({"start_period": 600, "interval": 600}));
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60", "health_check": check}}));
    astra.touch("well");
    assert!(is_healthy(&astra.wait_for("web", "running")));
}

#[test]
fn checks_end_with_their_service() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "health_check": noted(&json!({}))},
        "clock": {"cmd": "sleep 0.5", "autostart": false},
    }));
    astra.touch("well");
    astra.wait_for("web", "running");
    assert_eq!(astra.settle("stop", "web"), "stopped");
    assert_eq!(astra.status("web")["health"], "unknown");
    let probes = astra.written("probes").len();
    astra.ask("start", "clock").expect(200);
    astra.wait_for("clock", "exited");
    // One may have been in progress.
    assert!(
        astra.written("probes").len() <= probes + 1,
        "{} {probes}",
        astra.written("probes").len()
    );
}

/// A check that takes until the file `go` exists.
const HANGS: &str = "touch hanging; while [ ! -e go ]; do sleep 0.05; done";

#[test]
fn hanging_check_delays_nothing_else() {
    let astra = Astra::start(json!({
        "hangs": {"cmd": "exec sleep 60", "health_checks": {
            "hangs": {"cmd": HANGS, "timeout": 600},
            "probes": {"cmd": "echo probe >> probes", "interval": 0.1},
        }},
        "web": {"cmd": "exec sleep 60", "health_check": {"cmd": "true", "interval": 0.1}},
    }));
    eventually("it hangs", || astra.folder().join("hanging").exists().then_some(()));
    astra.wait_for("web", "running");
    let probes = astra.written("probes").len();
    eventually("its other check probes", || {
        (astra.written("probes").len() > probes + 2).then_some(())
    });
    assert_eq!(astra.settle("restart", "web"), "running");
    assert_eq!(astra.settle("stop", "hangs"), "stopped");
    astra.touch("go");
    eventually("the check ends", || (astra.living().len() == 1).then_some(()));
}

#[test]
fn hanging_check_ends_with_the_supervisor() {
    let mut astra = Astra::start(json!({"hangs": {
        "cmd": "exec sleep 60", "health_check": {"cmd": HANGS, "timeout": 600},
    }}));
    eventually("it hangs", || astra.folder().join("hanging").exists().then_some(()));
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn hanging_check_ends_with_its_service() {
    let astra = Astra::start(json!({"hangs": {
        "cmd": "exec sleep 60", "health_check": {"cmd": HANGS, "timeout": 600},
    }}));
    eventually("it hangs", || astra.folder().join("hanging").exists().then_some(()));
    assert_eq!(astra.settle("stop", "hangs"), "stopped");
    eventually("the check is ended", || astra.living().is_empty().then_some(()));
}

#[test]
fn check_without_answer_in_time_fails() {
    let web = Web::start(200);
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "start_timeout": 0.2,
        "health_check": {"url": web.url("/never"), "timeout": 0.1, "retries": 2, "interval": 0.1},
    }}));
    let says = |it: &Value| it["message"].as_str().unwrap().contains("no answer within 0.1 s");
    astra.wait_until("web", "unhealthy", |it| is_unhealthy(it) && says(it));
}
