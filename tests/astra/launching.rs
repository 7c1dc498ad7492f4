//! What is asked while a run is being launched.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// The environment of `web`: a pipe, so that a launch takes until the test writes into it.
const FILE: &str = "web.env";

fn service(color: &str) -> Value {
    json!({
        "cmd": "echo \"$COLOR\"; exec sleep 60", "autostart": false, "env": {"COLOR": color},
        "env_file": FILE,
    })
}

fn launching() -> Astra {
    let astra = Astra::start(json!({"web": service("red")}));
    nix::unistd::mkfifo(&astra.folder().join(FILE), nix::sys::stat::Mode::S_IRWXU).unwrap();
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "starting");
    astra
}

/// Lets the launch go on.
fn let_go(astra: &Astra) {
    std::fs::write(astra.folder().join(FILE), "").unwrap();
}

/// Lets this launch and all that follow go on, and waits for the last word.
fn wait_for_last_line(astra: &Astra, line: &str) {
    let_go(astra);
    std::fs::remove_file(astra.folder().join(FILE)).unwrap();
    astra.touch(FILE);
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
#[ignore = "a restart during a launch does not change what is launched"]
fn a_restart_during_a_launch_goes_by_what_it_says() {
    let astra = launching();
    let body = json!({"name": "web", "config": {"env": {"COLOR": "blue"}}});
    astra.post_json("/supervisor/restart", &body).expect(200);
    wait_for_last_line(&astra, "blue");
}

#[test]
#[ignore = "a reload during a launch does not change what is launched"]
fn a_reload_during_a_launch_goes_by_what_the_file_says() {
    let astra = launching();
    astra.write(json!({"web": service("blue")}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    wait_for_last_line(&astra, "blue");
}

#[test]
#[ignore = "one launch that blocks holds up all others"]
fn a_launch_that_takes_long_delays_no_other_service() {
    let astra = launching();
    let body = json!({"name": "other", "config": {"cmd": "exec sleep 60", "start_seconds": 0}});
    let answer = astra.post_json("/supervisor/start?wait=3", &body).expect(200).json();
    wait_for_last_line(&astra, "red");
    assert_eq!(answer["status"], "running");
}
