//! Requests during a launch.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// A service whose first run leaves a process that runs until the file `go` exists, so that the
/// launch of the second takes until then.
const LEAVES: &str = "[ -e up ] && echo \"$COLOR\" && exec sleep 60; \
    setsid sh -c 'trap \"\" TERM; : > up; while [ ! -e go ]; do sleep 0.02; done' & \
    while [ ! -e up ]; do sleep 0.02; done; exit 0";

fn service(color: &str) -> Value {
    json!({
        "cmd": LEAVES, "autostart": false, "env": {"COLOR": color}, "stop_timeout": 600,
    })
}

/// Starts a service whose second run is being launched.
fn launching() -> Astra {
    let astra = Astra::start(json!({"web": service("red")}));
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "exited");
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "starting");
    astra
}

/// Lets the launch continue and waits for the only line.
fn wait_for_only_line(astra: &Astra, line: &str) {
    astra.touch("go");
    eventually(&format!("it prints {line:?}"), || {
        (astra.lines("web").last()? == line).then_some(())
    });
    astra.wait_for("web", "running");
}

#[test]
fn slow_launch_delays_no_answer_and_no_service() {
    let astra = launching();
    assert_eq!(astra.status("web")["pid"], Value::Null);
    for path in ["/supervisor/status", "/supervisor/logs/web", "/supervisor/health/web", "/health"]
    {
        astra.get(path).expect(200);
    }
    astra.ask("start", "web").problem(409, "conflict");
    let body = json!({"name": "other", "config": {"cmd": "exec sleep 60", "start_seconds": 0}});
    let other = astra.post_json("/supervisor/start?wait=60", &body).expect(200).json();
    assert_eq!(other["status"], "running");
    assert_eq!(astra.status("web")["status"], "starting");
    wait_for_only_line(&astra, "red");
}

#[test]
fn stop_during_a_launch_ends_it() {
    let astra = launching();
    assert_eq!(astra.ask("stop", "web").expect(200).json()["status"], "stopping");
    astra.touch("go");
    astra.wait_for("web", "stopped");
    eventually("nothing lives", || astra.living().is_empty().then_some(()));
    assert_eq!(astra.lines("web"), Vec::<String>::new());
}

#[test]
fn shutdown_during_a_launch_ends_it() {
    let mut astra = launching();
    astra.signal("TERM");
    astra.wait_for_log("shutting down");
    astra.touch("go");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn restart_during_a_launch_uses_its_overrides() {
    let astra = launching();
    let body = json!({"name": "web", "config": {"env": {"COLOR": "blue"}}});
    let answer = astra.post_json("/supervisor/restart", &body).expect(200).json();
    assert_eq!(answer["status"], "restarting");
    wait_for_only_line(&astra, "blue");
}

#[test]
fn reload_during_a_launch_uses_the_new_file() {
    let astra = launching();
    astra.write(json!({"web": service("blue")}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    wait_for_only_line(&astra, "blue");
}
