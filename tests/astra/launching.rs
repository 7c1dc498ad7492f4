//! What is asked while a run is being launched.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// Its first run leaves something behind that ends only when the test lets it: the next launch
/// takes as long as that.
fn service(color: &str) -> Value {
    let leftover =
        "trap 'until [ -e go ]; do sleep 0.02; done; exit' TERM; while :; do sleep 0.02; done";
    json!({
        "cmd": format!("[ -e left ] || {{ touch left; ({leftover}) & exit 1; }}; echo \"$COLOR\"; exec sleep 60"),
        "autostart": false, "env": {"COLOR": color}, "restart_policy": {"mode": "never"},
        "stop_timeout": 60,
    })
}

fn launching() -> Astra {
    let astra = Astra::start(json!({"web": service("red")}));
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "crashed");
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "starting");
    astra
}

/// Lets the launch go on.
fn let_go(astra: &Astra) {
    astra.touch("go");
}

/// Lets this launch and all that follow go on, and waits for the last word.
fn wait_for_last_line(astra: &Astra, line: &str) {
    let_go(astra);
    eventually(&format!("it ends with {line:?}"), || {
        (astra.lines("web").last()? == line).then_some(())
    });
}

#[test]
fn a_launch_that_takes_long_delays_no_answer() {
    let astra = launching();
    assert_eq!(astra.status("web")["pid"], Value::Null);
    for path in ["/supervisor/status", "/supervisor/logs/web", "/supervisor/health/web", "/health"]
    {
        astra.get(path).expect(200);
    }
    astra.ask("start", "web").problem(409, "conflict");
    wait_for_last_line(&astra, "red");
    astra.wait_for("web", "running");
}

#[test]
fn a_stop_during_a_launch_ends_what_is_launched() {
    let astra = launching();
    assert_eq!(astra.ask("stop", "web").expect(200).json()["status"], "stopping");
    assert_eq!(astra.status("web")["status"], "stopping");
    let_go(&astra);
    astra.wait_for("web", "stopped");
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn the_end_of_the_supervisor_during_a_launch_ends_what_is_launched() {
    let mut astra = launching();
    astra.signal("TERM");
    astra.wait_for_log("web: starting -> stopping");
    let_go(&astra);
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn a_restart_during_a_launch_goes_by_what_it_says() {
    let astra = launching();
    let body = json!({"name": "web", "config": {"env": {"COLOR": "blue"}}});
    astra.post_json("/supervisor/restart", &body).expect(200);
    wait_for_last_line(&astra, "blue");
}

#[test]
fn a_reload_during_a_launch_goes_by_what_the_file_says() {
    let astra = launching();
    astra.write(json!({"web": service("blue")}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    wait_for_last_line(&astra, "blue");
}

#[test]
fn a_launch_that_takes_long_delays_no_other_service() {
    let astra = launching();
    let body = json!({"name": "other", "config": {"cmd": "exec sleep 60", "start_seconds": 0}});
    let answer = astra.post_json("/supervisor/start?wait=3", &body).expect(200).json();
    wait_for_last_line(&astra, "red");
    assert_eq!(answer["status"], "running");
}
