//! GET /health of the supervisor, and `--exit-on-fatal`.

use crate::harness::{Astra, binary, eventually};
use serde_json::{Value, json};

const PATHS: [&str; 3] = ["/health", "/supervisor/health", "/api/supervisor/health"];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A service that fails and then has this state.
fn failing(state: &str) -> Value {
    let policy = match state {
        "fatal" => json!({"max_restarts": 0}),
        "backoff" => json!({"backoff_seconds": 600}),
        _ => json!({"mode": "never"}),
    };
    json!({"cmd": "[ -e well ] && exec sleep 60; exit 1", "restart_policy": policy})
}

#[test]
fn supervisor_is_healthy_while_required_services_are() {
    let mut optional = failing("fatal");
    optional["optional"] = json!(true);
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60"}, "done": {"cmd": "true"}, "optional": optional,
        "idle": {"cmd": "exec sleep 60", "autostart": false},
        "new": {"cmd": "exec sleep 60", "start_seconds": 600},
    }));
    astra.wait_for("done", "exited");
    astra.wait_for("optional", "fatal");
    for path in PATHS {
        let report = astra.get(path).expect(200).json();
        assert_eq!(keys(&report), ["status", "uptime", "version"]);
        assert_eq!(report["status"], "healthy");
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        assert!(report["uptime"].is_u64(), "whole seconds: {report}");
    }
}

#[test]
fn failed_required_service_degrades_the_supervisor() {
    let states = ["fatal", "crashed", "backoff"];
    let mut services = json!({"web": {"cmd": "exec sleep 60"}});
    for state in states {
        services[state] = failing(state);
    }
    let astra = Astra::start(services);
    for state in states {
        astra.wait_for(state, state);
    }
    for path in PATHS {
        let report = astra.get(path).expect(503).json();
        let named = json!({"fatal": "fatal", "crashed": "crashed", "backoff": "backoff"});
        assert_eq!((&report["status"], &report["services"]), (&json!("degraded"), &named));
    }
    astra.touch("well");
    for (index, state) in states.into_iter().enumerate() {
        assert_eq!(astra.settle("start", state), "running");
        let expected = if index == 2 { 200 } else { 503 };
        astra.get("/health").expect(expected);
    }
    assert_eq!(astra.get("/health").expect(200).json()["status"], "healthy");
}

#[test]
fn only_health_needs_no_credentials() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let astra = Astra::start_command(command, json!({"web": {"cmd": "exec sleep 60"}}));
    for path in PATHS {
        astra.get(path).expect(200);
    }
    for path in ["/supervisor/status", "/supervisor/health/web", "/metrics", "/supervisor/events"] {
        let refused = astra.get(path);
        assert!(refused.header("www-authenticate").is_some(), "{path}");
        refused.problem(401, "unauthorized");
    }
    let body = json!({"name": "web"});
    astra.post_json("/supervisor/stop", &body).problem(401, "unauthorized");
    let token = ["Authorization: Bearer secret-of-16-chars"];
    astra.request("GET /supervisor/status", &token, b"").expect(200);
}

#[test]
fn exit_on_fatal_stops_in_order_and_exits_with_1() {
    let ends = |name: &str, depends_on: Value| {
        let trap = format!("trap 'echo {name} >> order; exit 0' TERM");
        json!({
            "cmd": format!("{trap}; echo ready; while :; do sleep 0.02; done"),
            "depends_on": depends_on,
        })
    };
    let mut astra = astra_that_exits(json!({
        "api": ends("api", json!(["db"])),
        "db": ends("db", json!([])),
        "bad": {
            "cmd": "while [ ! -e go ]; do sleep 0.02; done; exit 1",
            "restart_policy": {"max_restarts": 1, "backoff_seconds": 0},
        },
    }));
    astra.wait_for_line("api", "ready");
    astra.wait_for_line("db", "ready");
    astra.touch("go");
    assert_eq!(astra.wait().code(), Some(1));
    assert_eq!(astra.written("order"), ["api", "db"]);
    assert_eq!(astra.living(), Vec::<String>::new());
    assert!(astra.log().contains("bad"), "{}", astra.log());
}

/// Starts Astra with `--exit-on-fatal`.
fn astra_that_exits(services: Value) -> Astra {
    Astra::start_with(&["--exit-on-fatal"], services)
}

#[test]
fn exit_on_fatal_ignores_optional_services() {
    let mut optional = failing("fatal");
    optional["optional"] = json!(true);
    let mut astra = astra_that_exits(json!({
        "optional": optional, "backoff": failing("backoff"),
    }));
    astra.wait_for("optional", "fatal");
    astra.wait_for("backoff", "backoff");
    astra.get("/health").expect(503);
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0), "an end that was asked for is a good one");
}

#[test]
fn exit_on_fatal_applies_to_crashes_without_restart() {
    let mut astra = astra_that_exits(json!({
        "crashed": {
            "cmd": "until [ -e go ]; do sleep 0.02; done; exit 1",
            "restart_policy": {"mode": "never"},
        },
        "web": {"cmd": "exec sleep 60"},
    }));
    astra.wait_for("web", "running");
    astra.touch("go");
    assert_eq!(astra.wait().code(), Some(1));
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn without_exit_on_fatal_other_services_continue() {
    let astra = Astra::start(json!({"bad": failing("fatal"), "web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("bad", "fatal");
    eventually("the other is up", || (astra.status("web")["status"] == "running").then_some(()));
    assert_eq!(astra.settle("restart", "web"), "running");
}

#[test]
fn unhealthy_required_service_degrades_the_supervisor() {
    let ill = json!({
        "cmd": "exec sleep 60", "start_timeout": 0.2,
        "health_check": {"cmd": ["test", "-e", "well"], "interval": 0.1, "retries": 1},
    });
    let astra = Astra::start(json!({"ill": ill}));
    let starting = eventually("the failing check is named", || {
        let status = astra.get("/supervisor/status/ill").expect(200).json();
        let message = status["message"].as_str().unwrap().to_owned();
        (status["status"] != "starting" || message.contains("fails")).then_some(message)
    });
    assert!(starting.contains("exit code 1"), "{starting}");
    let health = eventually("it is unhealthy", || {
        let answer = astra.get("/health");
        (answer.status == 503).then(|| answer.json())
    });
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["services"], json!({"ill": "unhealthy"}));
    std::fs::write(astra.folder().join("well"), "").unwrap();
    eventually("it is well again", || (astra.get("/health").status == 200).then_some(()));
}
