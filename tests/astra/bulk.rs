//! POST /bulk: an action on several services.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// Requests a bulk operation and returns the outcome for each service.
fn bulk(astra: &Astra, query: &str, body: &Value) -> Vec<Value> {
    let answer = astra.post_json(&format!("/supervisor/bulk{query}"), body).expect(200).json();
    let status = answer["status"].as_str().unwrap();
    let is_waited_for = query.contains("wait=") && status != "processing";
    assert!(is_waited_for == ["completed", "failed"].contains(&status), "{answer}");
    answer["operations"].as_array().expect("operations").clone()
}

fn body(action: &str, services: &[&str], is_parallel: bool) -> Value {
    json!({"action": action, "services": services, "parallel": is_parallel})
}

fn statuses(operations: &[Value]) -> Vec<(&str, &str)> {
    let each = operations.iter();
    each.map(|it| (it["service"].as_str().unwrap(), it["status"].as_str().unwrap())).collect()
}

/// Services of which `a` depends on `b`, which depends on `c`; `d` is independent.
fn chain(more: &Value) -> Value {
    let service = |depends_on: Value| {
        let mut service = json!({
            "cmd": "echo begin; exec sleep 60", "depends_on": depends_on, "autostart": false,
        });
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service
    };
    json!({
        "a": service(json!(["b"])), "b": service(json!(["c"])),
        "c": service(json!([])), "d": service(json!([])),
    })
}

const ALL: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn bulk_reports_each_operation_at_once() {
    let astra = Astra::start(chain(&json!({})));
    for (action, word, state, runs) in [
        ("start", "starting", "running", 1),
        ("restart", "restarting", "running", 2),
        ("reload", "reloading", "running", 2),
        ("stop", "stopping", "stopped", 2),
    ] {
        // Parallel is the default.
        let operations = bulk(&astra, "", &json!({"action": action, "services": ALL}));
        assert_eq!(statuses(&operations), ALL.map(|name| (name, word)));
        for name in ALL {
            eventually(&format!("{action}: {name} is {state}"), || {
                (astra.lines(name).len() == runs && astra.status(name)["status"] == state)
                    .then_some(())
            });
        }
    }
}

#[test]
fn bulk_with_wait_reports_the_final_states() {
    let astra = Astra::start(chain(&json!({"start_seconds": 0.1})));
    for is_parallel in [true, false] {
        for (action, state) in [
            ("start", "running"),
            ("restart", "running"),
            ("reload", "running"),
            ("stop", "stopped"),
        ] {
            let operations = bulk(&astra, "?wait=60", &body(action, &ALL, is_parallel));
            assert_eq!(statuses(&operations), ALL.map(|name| (name, state)), "{action}");
        }
    }
}

#[test]
fn bulk_reports_each_refusal_and_continues() {
    let astra = Astra::start(json!({
        "up": {"cmd": "exec sleep 60"}, "down": {"cmd": "exec sleep 60", "autostart": false},
        "bad": {
            "cmd": "exit 1", "restart_policy": {"max_restarts": 0}, "autostart": false,
            "start_seconds": 60,
        },
    }));
    astra.wait_for("up", "running");
    for is_parallel in [true, false] {
        let names = ["nope", "up", "bad", "down"];
        let operations = bulk(&astra, "?wait=60", &body("start", &names, is_parallel));
        let expected = [("nope", "error"), ("up", "error"), ("bad", "fatal"), ("down", "running")];
        assert_eq!(statuses(&operations), expected);
        let detail = |index: usize| operations[index]["detail"].as_str().unwrap_or_default();
        assert!(detail(0).contains("nope") && detail(0).contains("up"), "{operations:?}");
        assert!(detail(1).contains("up is running"), "{operations:?}");
        assert_eq!(operations[3].get("detail"), None);
        let operations = bulk(&astra, "?wait=60", &body("stop", &["bad", "down"], is_parallel));
        assert_eq!(statuses(&operations), [("bad", "error"), ("down", "stopped")]);
    }
    assert_eq!(astra.status("up")["restart_count"], 0);
}

#[test]
fn bulk_without_services_succeeds() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    assert_eq!(bulk(&astra, "?wait=60", &body("stop", &[], true)), Vec::<Value>::new());
}

#[test]
fn independent_services_are_processed_in_parallel() {
    // Each is up only once the other was started as well.
    let needs = |own: &str, other: &str| {
        json!({
            "cmd": format!("touch {own}; exec sleep 60"), "autostart": false,
            "health_check": {"cmd": ["test", "-e", other], "interval": 0.1},
        })
    };
    let astra = Astra::start(json!({"one": needs("1", "2"), "other": needs("2", "1")}));
    let operations = bulk(&astra, "?wait=60", &body("start", &["one", "other"], true));
    assert_eq!(statuses(&operations), [("one", "running"), ("other", "running")]);
}

fn started_at(astra: &Astra, name: &str) -> chrono::DateTime<chrono::Utc> {
    astra.status(name)["started_at"].as_str().unwrap().parse().unwrap()
}

#[test]
fn sequential_bulk_waits_for_each_start() {
    let service = json!({"cmd": "exec sleep 60", "autostart": false, "start_seconds": 0.2});
    let astra = Astra::start(json!({"a": service, "b": service, "c": service}));
    for action in ["start", "restart"] {
        bulk(&astra, "?wait=60", &body(action, &["c", "a", "b"], false));
        let mut starts = ["a", "b", "c"].map(|name| started_at(&astra, name));
        starts.sort();
        for pair in starts.windows(2) {
            assert!((pair[1] - pair[0]).num_milliseconds() >= 199, "{action}: {starts:?}");
        }
    }
}

#[test]
fn sequential_bulk_waits_for_each_stop() {
    let slow = |name: &str| {
        let trap = format!("echo {name} >> order; sleep 0.1; echo {name} >> order; exit 0");
        json!({"cmd": format!("trap '{trap}' TERM; echo begin; while :; do sleep 0.02; done")})
    };
    let astra = Astra::start(json!({"a": slow("a"), "b": slow("b"), "c": slow("c")}));
    for name in ["a", "b", "c"] {
        astra.wait_for_line(name, "begin");
    }
    bulk(&astra, "?wait=60", &body("stop", &["a", "b", "c"], false));
    let order = astra.written("order");
    assert_eq!(order.len(), 6);
    assert!(order.chunks(2).all(|pair| pair[0] == pair[1]), "{order:?}");
}

/// Writes its name into `order` when it is asked to end, and again when it ends.
fn noted(more: &Value) -> Value {
    let end = "echo $NAME >> order; sleep 0.1; echo $NAME >> order; exit 0";
    let cmd = format!("trap '{end}' TERM; echo begin; while :; do sleep 0.02; done");
    let mut services = chain(&json!({ "cmd": cmd }));
    for (name, service) in services.as_object_mut().unwrap() {
        service["env"] = json!({ "NAME": name });
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    services
}

/// Waits until each has started this often.
fn wait_until_begun(astra: &Astra, names: &[&str], times: usize) {
    let begun = |name: &&str| astra.lines(name).iter().filter(|it| *it == "begin").count();
    for name in names {
        eventually(&format!("{name} has begun {times} times"), || {
            (begun(name) == times).then_some(())
        });
    }
}

#[test]
fn bulk_follows_the_order_of_dependencies() {
    let astra = Astra::start(noted(&json!({"start_seconds": 0.05})));
    let names = ["a", "c", "b"];
    for (round, is_parallel) in [(1, true), (2, false)] {
        for (action, times) in [("start", 2 * round - 1), ("restart", 2 * round)] {
            bulk(&astra, "?wait=60", &body(action, &names, is_parallel));
            let starts = ["c", "b", "a"].map(|name| started_at(&astra, name));
            assert!(starts.is_sorted(), "{action}: {starts:?}");
            wait_until_begun(&astra, &names, times);
        }
        std::fs::write(astra.folder().join("order"), "").unwrap();
        bulk(&astra, "?wait=60", &body("stop", &names, is_parallel));
        assert_eq!(astra.written("order"), ["a", "a", "b", "b", "c", "c"]);
    }
}

#[test]
fn bulk_order_respects_unnamed_services() {
    let astra = Astra::start(noted(&json!({"autostart": true})));
    wait_until_begun(&astra, &ALL, 1);
    // `a` depends on `c` through `b`.
    bulk(&astra, "?wait=60", &body("stop", &["c", "a"], true));
    assert_eq!(astra.written("order"), ["a", "a", "c", "c"]);
}

#[test]
fn bulk_reload_uses_the_current_file() {
    let astra = Astra::start(chain(&json!({"autostart": true})));
    for name in ALL {
        astra.wait_for(name, "running");
    }
    let pids = ALL.map(|name| astra.pid_of(name));
    let mut file = chain(&json!({"autostart": true}));
    file["a"]["cmd"] = json!("echo other; exec sleep 60");
    file["d"]["cmd"] = json!("echo other; exec sleep 60");
    astra.write(file);
    let operations = bulk(&astra, "?wait=60", &body("reload", &["a", "b", "c"], true));
    assert_eq!(statuses(&operations), ["a", "b", "c"].map(|name| (name, "running")));
    let now = ALL.map(|name| astra.pid_of(name));
    assert_eq!([1, 2, 3].map(|index| now[index] == pids[index]), [true; 3]);
    assert_ne!(now[0], pids[0]);
    astra.wait_for_line("a", "other");
}

#[test]
fn slow_bulk_does_not_delay_other_requests() {
    let stubborn = "trap '' TERM; echo begin; while [ ! -e go ]; do sleep 0.05; done";
    let astra = Astra::start(json!({
        "slow": {"cmd": stubborn, "stop_timeout": 600}, "web": {"cmd": "exec sleep 60"},
    }));
    astra.wait_for_line("slow", "begin");
    let operations = bulk(&astra, "?wait=0.1", &body("restart", &["slow"], true));
    assert_eq!(statuses(&operations), [("slow", "restarting")]);
    assert_eq!(astra.settle("restart", "web"), "running");
    let operations = bulk(&astra, "?wait=60", &body("restart", &["web"], true));
    assert_eq!(statuses(&operations), [("web", "running")]);
    astra.touch("go");
    astra.wait_for("slow", "exited");
}

#[test]
fn bulk_with_wait_reports_failures() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60"},
        "broken": {"cmd": "exit 3", "autostart": false, "restart_policy": {"mode": "never"},
                   "start_seconds": 5},
    }));
    let bulk = |action: &str, services: &[&str]| {
        let body = json!({"action": action, "services": services});
        astra.post_json("/supervisor/bulk?wait=20", &body).expect(200).json()
    };
    let done = bulk("restart", &["web"]);
    assert_eq!(done["status"], "completed");
    assert_eq!(done["operations"], json!([{"service": "web", "status": "running"}]));
    let failed = bulk("start", &["broken"]);
    assert_eq!(
        (&failed["status"], &failed["operations"][0]["status"]),
        (&json!("failed"), &json!("crashed"))
    );
    let body = json!({"action": "stop", "services": ["web"]});
    let begun = astra.post_json("/supervisor/bulk", &body).expect(200).json();
    assert_eq!(begun["status"], "processing");
}
