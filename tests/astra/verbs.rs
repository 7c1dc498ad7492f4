//! The table of operations and states, row by row.

use crate::harness::{Astra, eventually};
use serde_json::{Map, Value, json};

const VERBS: [&str; 3] = ["start", "stop", "restart"];

/// Ends when the file `go` exists, and ignores signals.
const STUBBORN: &str = "trap '' TERM; echo begin; while [ ! -e go ]; do sleep 0.05; done";

/// Returns the definition of a service that reaches this state.
fn service(state: &str) -> Value {
    let never = json!({"mode": "never"});
    match state {
        "stopped" => json!({"cmd": "echo begin; exec sleep 60", "autostart": false}),
        "exited" => json!({"cmd": "echo begin"}),
        "crashed" => json!({"cmd": "echo begin; exit 1", "restart_policy": never}),
        "fatal" => {
            json!({"cmd": "echo begin; kill -KILL $$", "restart_policy": {"max_restarts": 0}})
        }
        "starting" => json!({"cmd": "echo begin; exec sleep 60", "start_seconds": 600}),
        "running" => json!({"cmd": "echo begin; exec sleep 60"}),
        "backoff" => {
            json!({"cmd": "echo begin; exit 1", "restart_policy": {"backoff_seconds": 600}})
        }
        _ => json!({"cmd": STUBBORN, "stop_timeout": 600}),
    }
}

/// Returns a service for each operation in each of these states.
fn in_states(states: &[&str]) -> Astra {
    let mut services = Map::new();
    for state in states {
        services.extend(VERBS.iter().map(|verb| (format!("{state}-{verb}"), service(state))));
    }
    let astra = Astra::start(Value::Object(services));
    for state in states {
        for verb in VERBS {
            let name = format!("{state}-{verb}");
            match *state {
                "stopping" | "restarting" => {
                    astra.wait_for_line(&name, "begin");
                    astra.ask(if *state == "stopping" { "stop" } else { "restart" }, &name);
                    astra.wait_for(&name, state)
                }
                "starting" => {
                    astra.wait_for_line(&name, "begin");
                    astra.wait_for(&name, state)
                }
                _ => astra.wait_for(&name, state),
            };
        }
    }
    astra
}

/// Waits until a service has started this often.
fn begun(astra: &Astra, name: &str, times: usize) {
    eventually(&format!("{name} has begun {times} times"), || {
        (astra.lines(name).len() == times).then_some(())
    });
}

#[test]
fn stopped_service_can_start_and_restart_only() {
    let astra = in_states(&["stopped", "exited", "crashed", "fatal"]);
    for state in ["stopped", "exited", "crashed", "fatal"] {
        let runs = usize::from(state != "stopped");
        let detail = astra.ask("stop", &format!("{state}-stop")).problem(409, "conflict");
        assert!(detail.contains(&format!("{state}-stop is {state}")), "{detail}");
        assert_eq!(astra.status(&format!("{state}-stop"))["status"], state);
        for (verb, answer) in [("start", "starting"), ("restart", "restarting")] {
            let name = format!("{state}-{verb}");
            assert_eq!(astra.ask(verb, &name).expect(200).json()["status"], answer, "{name}");
            begun(&astra, &name, runs + 1);
        }
    }
}

#[test]
fn running_service_can_stop_and_restart_only() {
    let astra = in_states(&["starting", "running"]);
    for state in ["starting", "running"] {
        let pid = |verb: &str| astra.pid_of(&format!("{state}-{verb}"));
        let (started, restarted) = (pid("start"), pid("restart"));
        let detail = astra.ask("start", &format!("{state}-start")).problem(409, "conflict");
        assert!(detail.contains(&format!("{state}-start is {state}")), "{detail}");
        assert_eq!(pid("start"), started);
        let stopped = astra.ask("stop", &format!("{state}-stop")).expect(200).json();
        assert_eq!(stopped["status"], "stopping");
        let report = astra.wait_for(&format!("{state}-stop"), "stopped");
        assert_eq!((&report["pid"], &report["signal"]), (&json!(null), &json!("SIGTERM")));
        let name = format!("{state}-restart");
        assert_eq!(astra.ask("restart", &name).expect(200).json()["status"], "restarting");
        begun(&astra, &name, 2);
        assert_ne!(astra.wait_for(&name, state)["pid"], restarted);
    }
}

#[test]
fn backoff_ends_with_a_start_or_a_stop() {
    let astra = in_states(&["backoff"]);
    assert_eq!(astra.ask("stop", "backoff-stop").expect(200).json()["status"], "stopping");
    let stopped = astra.wait_for("backoff-stop", "stopped");
    assert_eq!(stopped["next_restart_at"], json!(null));
    for verb in ["start", "restart"] {
        astra.ask(verb, &format!("backoff-{verb}")).expect(200);
        begun(&astra, &format!("backoff-{verb}"), 2);
        astra.wait_for(&format!("backoff-{verb}"), "backoff");
    }
    assert_eq!(astra.lines("backoff-stop").len(), 1);
}

#[test]
fn last_request_wins_while_a_service_is_stopping() {
    let astra = in_states(&["stopping", "restarting"]);
    for state in ["stopping", "restarting"] {
        let detail = astra.ask("start", &format!("{state}-start")).problem(409, "conflict");
        assert!(detail.contains(&format!("{state}-start is {state}")), "{detail}");
        for verb in ["stop", "restart"] {
            astra.ask(verb, &format!("{state}-{verb}")).expect(200);
        }
    }
    astra.touch("go");
    for name in ["stopping-start", "stopping-stop", "restarting-stop"] {
        astra.wait_for(name, "stopped");
        assert_eq!(astra.lines(name).len(), 1, "{name}");
    }
    for name in ["stopping-restart", "restarting-start", "restarting-restart"] {
        // Nothing is left to wait for, so that the second run ends at once.
        astra.wait_for(name, "exited");
        assert_eq!(astra.lines(name).len(), 2, "{name}");
    }
}
