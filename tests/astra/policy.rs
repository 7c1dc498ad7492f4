//! The restart policy of services that end by themselves.

use crate::harness::{Astra, eventually, kill};
use serde_json::{Value, json};

/// A service that prints a line per run and ends with this command.
fn ends_with(end: &str, policy: &Value) -> Value {
    json!({"cmd": format!("echo begin; {end}"), "restart_policy": policy})
}

fn runs(astra: &Astra, name: &str) -> usize {
    astra.lines(name).len()
}

#[test]
fn mode_decides_which_ends_cause_a_restart() {
    let mut services = serde_json::Map::new();
    let expected = [
        ("always", ["fatal", "fatal", "fatal"]),
        ("on-failure", ["exited", "fatal", "fatal"]),
        ("never", ["exited", "crashed", "crashed"]),
    ];
    let ends = ["exit 0", "exit 3", "kill -TERM $$"];
    for (mode, _) in expected {
        let policy = json!({"mode": mode, "max_restarts": 2, "backoff_seconds": 0});
        for (index, end) in ends.iter().enumerate() {
            services.insert(format!("{mode}-{index}"), ends_with(end, &policy));
        }
    }
    let astra = Astra::start(Value::Object(services));
    for (mode, states) in expected {
        for (index, state) in states.into_iter().enumerate() {
            let name = format!("{mode}-{index}");
            let report = astra.wait_for(&name, state);
            let restarts = if state == "fatal" { 2 } else { 0 };
            assert_eq!(report["restart_count"], restarts, "{name}");
            assert_eq!(runs(&astra, &name), restarts + 1, "{name}");
        }
    }
}

#[test]
fn default_policy_restarts_failures() {
    let astra = Astra::start(json!({"web": {"cmd": "exit 1"}, "job": {"cmd": "exit 0"}}));
    let report = astra.wait_for("web", "backoff");
    let message = report["message"].as_str().unwrap();
    assert!(message.contains("Restart 1 of 3 in 5 s"), "{message}");
    astra.wait_for("job", "exited");
    astra.settle("stop", "web");
}

fn instant(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn backoff_grows_up_to_its_limit() {
    let policy = json!({
        "max_restarts": 4, "backoff_seconds": 0.1, "backoff_multiplier": 3,
        "max_backoff_seconds": 0.5,
    });
    // Measured by its own clock: its output precedes its end, and so the backoff.
    let web = json!({"cmd": "date +%s%3N; exit 1", "restart_policy": policy});
    let astra = Astra::start(json!({ "web": web }));
    astra.wait_for("web", "fatal");
    let begun: Vec<i64> =
        astra.lines("web").iter().map(|line| line.parse().expect("a time")).collect();
    let waits: Vec<_> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 4, "{waits:?}");
    for (wait, least) in waits.iter().zip([99, 299, 499, 499]) {
        assert!(*wait >= least, "{waits:?}");
    }
}

#[test]
fn backoff_reports_the_time_of_the_restart() {
    let astra = Astra::start(json!({"web": ends_with("exit 1", &json!({"backoff_seconds": 600}))}));
    let report = astra.wait_for("web", "backoff");
    let wait = instant(&report["next_restart_at"]) - instant(&report["stopped_at"]);
    assert!((590..=620).contains(&wait.num_seconds()), "{report}");
    assert_eq!((&report["exit_code"], &report["pid"]), (&json!(1), &Value::Null));
    astra.settle("stop", "web");
    assert_eq!(astra.status("web")["next_restart_at"], Value::Null);
}

#[test]
fn service_is_given_up_after_too_many_failures() {
    let policy = json!({"max_restarts": 2, "backoff_seconds": 0});
    let astra = Astra::start(json!({"web": ends_with("exit 4", &policy)}));
    let report = astra.wait_for("web", "fatal");
    let message = report["message"].as_str().unwrap();
    assert!(
        message.contains("exit code 4")
            && message.contains("; gave up after 2 restarts in a row (max_restarts)"),
        "{message}"
    );
    assert_eq!((&report["restart_count"], &report["next_restart_at"]), (&json!(2), &Value::Null));
    assert_eq!(runs(&astra, "web"), 3);
}

#[test]
fn manual_start_or_restart_resets_the_count() {
    let policy = json!({"max_restarts": 1, "backoff_seconds": 0});
    let astra = Astra::start(json!({"web": ends_with("exit 1", &policy)}));
    astra.wait_for("web", "fatal");
    for (times, verb) in [(2, "start"), (3, "restart"), (4, "start")] {
        astra.ask(verb, "web").expect(200);
        eventually("it is given up again", || {
            (runs(&astra, "web") == 2 * times && astra.status("web")["status"] == "fatal")
                .then_some(())
        });
    }
    // Four automatic restarts, and a manual one.
    assert_eq!(astra.status("web")["restart_count"], 5);
}

#[test]
fn manual_restarts_do_not_count() {
    let policy = json!({"max_restarts": 1, "backoff_seconds": 0});
    let astra = Astra::start(json!({"web": ends_with("exec sleep 60", &policy)}));
    astra.wait_for("web", "running");
    for _ in 0..4 {
        assert_eq!(astra.settle("restart", "web"), "running");
    }
    kill("KILL", astra.pid_of("web"));
    let is_again = |it: &Value| it["restart_count"] == 5 && it["status"] == "running";
    astra.wait_until("web", "restarted", is_again);
    kill("KILL", astra.pid_of("web"));
    astra.wait_for("web", "fatal");
}

#[test]
fn long_run_resets_the_count() {
    let policy = |seconds: f64| {
        let mut policy = json!({"max_restarts": 1, "backoff_seconds": 0});
        policy["reset_after_seconds"] = json!(seconds);
        policy
    };
    let astra = Astra::start(json!({
        "lasts": ends_with("sleep 0.2; exit 1", &policy(0.1)),
        "fails": ends_with("sleep 0.2; exit 1", &policy(60.0)),
    }));
    eventually("it is restarted again and again", || (runs(&astra, "lasts") > 4).then_some(()));
    astra.wait_for("fails", "fatal");
    assert_eq!(runs(&astra, "fails"), 2);
    astra.settle("stop", "lasts");
}

#[test]
fn stop_cancels_a_backoff() {
    let astra = Astra::start(json!({
        "web": ends_with("exit 1", &json!({"backoff_seconds": 0.5})),
        "clock": {"cmd": "sleep 0.7", "autostart": false},
    }));
    astra.wait_for("web", "backoff");
    assert_eq!(astra.settle("stop", "web"), "stopped");
    // The restart would have happened by then.
    astra.ask("start", "clock").expect(200);
    astra.wait_for("clock", "exited");
    assert_eq!((runs(&astra, "web"), &astra.status("web")["status"]), (1, &json!("stopped")));
}

#[test]
fn failed_launches_count_as_restarts_and_say_why() {
    let policy = json!({"max_restarts": 1, "backoff_seconds": 0});
    let astra = Astra::start(json!({
        "program": {"cmd": ["/no/such/program"], "restart_policy": policy},
        "directory": {"cmd": "true", "cwd": "no/such", "restart_policy": policy},
        "file": {"cmd": "true", "env_file": "no.env", "restart_policy": policy},
    }));
    for (name, expected) in
        [("program", "/no/such/program"), ("directory", "no/such"), ("file", "no.env")]
    {
        let report = astra.wait_for(name, "fatal");
        let message = report["message"].as_str().unwrap();
        assert!(
            message.contains("Could not be started") && message.contains(expected),
            "{message}"
        );
        assert_eq!((&report["restart_count"], &report["pid"]), (&json!(1), &Value::Null), "{name}");
    }
}

/// Leaves a process behind, unless the file `last` exists.
const LEAVES: &str = "[ -e last ] && exit 1; \
                      setsid sh -c 'touch up; while :; do sleep 0.02; done' & \
                      while [ ! -e up ]; do sleep 0.01; done; rm up; exit 1";

#[test]
fn leftovers_are_ended_before_the_next_run() {
    let policy = json!({"max_restarts": 3, "backoff_seconds": 0});
    let astra = Astra::start(json!({"web": ends_with(LEAVES, &policy)}));
    astra.wait_for("web", "fatal");
    assert_eq!(runs(&astra, "web"), 4);
    let left = || astra.living().iter().filter(|line| line.contains("touch up")).count();
    eventually("only the last run's is left", || (left() == 1).then_some(()));
    astra.touch("last");
    astra.ask("restart", "web").expect(200);
    eventually("nothing is left", || astra.living().is_empty().then_some(()));
    astra.wait_for("web", "fatal");
}

#[test]
fn young_leftovers_are_ended_too() {
    let policy = json!({"max_restarts": 60, "backoff_seconds": 0});
    let mut web = ends_with("[ -e last ] || setsid sleep 60 > /dev/null 2>&1 & exit 1", &policy);
    web["stop_timeout"] = json!(0.2);
    let astra = Astra::start(json!({ "web": web }));
    astra.wait_for("web", "fatal");
    assert_eq!(runs(&astra, "web"), 61);
    astra.touch("last");
    astra.ask("restart", "web").expect(200);
    eventually("nothing is left", || astra.living().is_empty().then_some(()));
    astra.wait_for("web", "fatal");
}
