//! Dependencies of services.

use crate::harness::Astra;
use serde_json::{Value, json};

/// A service that is healthy once this file exists.
fn healthy_by(file: &str) -> Value {
    json!({
        "cmd": "exec sleep 60",
        "health_check": {"cmd": ["test", "-e", file], "interval": 0.1},
    })
}

fn started_at(astra: &Astra, name: &str) -> String {
    astra.wait_for(name, "running")["started_at"].as_str().unwrap().to_owned()
}

#[test]
fn services_start_after_their_dependencies() {
    let astra = Astra::start(json!({
        "a": {"cmd": "exec sleep 60", "depends_on": ["b", "c"]},
        "b": {"cmd": "exec sleep 60", "depends_on": {"d": "started"}},
        "c": {"cmd": "exec sleep 60", "depends_on": {"d": "healthy"}},
        "d": {"cmd": "exec sleep 60"},
    }));
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| started_at(&astra, name));
    assert!(d < b && d < c && b < a && c < a, "{d} {c} {b} {a}");
}

#[test]
fn service_waits_for_a_healthy_dependency() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}},
        "db": healthy_by("ready"),
    }));
    astra.wait_until("db", "launched", |it| it["pid"].is_u64());
    let waiting = astra.wait_for("api", "starting");
    assert_eq!((&waiting["pid"], &waiting["started_at"]), (&Value::Null, &Value::Null));
    astra.touch("ready");
    assert!(started_at(&astra, "db") < started_at(&astra, "api"));
    assert_eq!(astra.status("db")["health"], "healthy");
}

#[test]
fn waiting_service_names_its_dependency() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy", "web": "completed"}},
        "db": healthy_by("ready"),
        "web": {"cmd": "exec sleep 60"},
    }));
    let says = |it: &Value, what: &str| it["message"].as_str().unwrap().contains(what);
    astra.wait_until("api", "waiting for both", |it| {
        says(it, "db to be healthy") && says(it, "web to be completed")
    });
    astra.touch("ready");
    astra.wait_until("api", "waiting for web alone", |it| says(it, "web") && !says(it, "db"));
    astra.settle("stop", "api");
}

#[test]
fn waiting_service_reports_it_from_the_beginning() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}},
        "db": healthy_by("ready"),
    }));
    astra.wait_until("db", "launched", |it| it["pid"].is_u64());
    let message = astra.status("api")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("db to be healthy"), "{message}");
    astra.touch("ready");
    astra.wait_for("api", "running");
}

#[test]
fn started_dependency_does_not_wait_for_health() {
    let astra = Astra::start(json!({
        "list": {"cmd": "exec sleep 60", "depends_on": ["db"]},
        "word": {"cmd": "exec sleep 60", "depends_on": {"db": "started"}},
        "db": healthy_by("never"),
    }));
    astra.wait_for("list", "running");
    astra.wait_for("word", "running");
    assert_eq!(astra.status("db")["status"], "starting");
}

#[test]
fn started_dependency_does_not_wait_for_start_seconds() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "started"}},
        "db": {"cmd": "exec sleep 60", "start_seconds": 600},
    }));
    astra.wait_for("api", "running");
    assert_eq!(astra.status("db")["status"], "starting");
}

#[test]
fn healthy_without_a_check_is_running() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}},
        "db": {"cmd": "exec sleep 60", "start_seconds": 0.3},
    }));
    astra.wait_for("api", "running");
    assert_eq!(astra.status("db")["status"], "running");
}

#[test]
fn completed_is_an_end_with_exit_code_0() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"migrate": "completed"}},
        "migrate": {
            "cmd": "while [ ! -e go ]; do sleep 0.02; done; exit $(cat go)",
            "restart_policy": {"mode": "never"},
        },
    }));
    astra.wait_for("migrate", "running");
    assert_eq!(astra.status("api")["status"], "starting");
    std::fs::write(astra.folder().join("go"), "1").unwrap();
    astra.wait_for("migrate", "crashed");
    let message = astra.status("api")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("migrate") && message.contains("completed"), "{message}");
    assert_eq!(astra.status("api")["pid"], Value::Null);
    std::fs::write(astra.folder().join("go"), "0").unwrap();
    astra.ask("restart", "migrate").expect(200);
    astra.wait_for("api", "running");
    // A completed service does not run again.
    astra.settle("restart", "api");
    assert_eq!(astra.status("migrate")["restart_count"], 1);
}

#[test]
fn manual_start_starts_dependencies_that_are_down() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "depends_on": ["api"], "autostart": false},
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}, "autostart": false},
        "db": {"cmd": "exec sleep 60", "autostart": false},
        "other": {"cmd": "exec sleep 60", "autostart": false},
    }));
    assert_eq!(astra.settle("start", "web"), "running");
    let [web, api, db] = ["web", "api", "db"].map(|name| started_at(&astra, name));
    assert!(db < api && api < web, "{db} {api} {web}");
    assert_eq!(astra.status("other")["status"], "stopped");
}

#[test]
fn waiting_service_can_be_stopped() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}},
        "late": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}},
        "db": healthy_by("ready"),
    }));
    astra.wait_for("api", "starting");
    assert_eq!(astra.settle("stop", "api"), "stopped");
    astra.touch("ready");
    astra.wait_for("late", "running");
    let api = astra.status("api");
    assert_eq!((&api["status"], &api["started_at"]), (&json!("stopped"), &Value::Null));
}

#[test]
fn end_of_a_dependency_does_not_stop_the_service() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": ["db"]},
        "db": {"cmd": "exec sleep 60"},
    }));
    astra.wait_for("api", "running");
    let pid = astra.pid_of("api");
    for verb in ["restart", "stop"] {
        astra.settle(verb, "db");
        assert_eq!(astra.pid_of("api"), pid);
    }
}

#[test]
fn started_dependency_may_have_ended_already() {
    let astra = Astra::start(json!({
        "api": {"cmd": "exec sleep 60", "depends_on": {"once": "started"}},
        "once": {"cmd": "true", "start_seconds": 60},
    }));
    astra.wait_for("once", "exited");
    astra.wait_for("api", "running");
}

#[test]
fn dependents_accept_a_service_whose_checks_were_removed() {
    let services = |db: &Value| {
        let api =
            json!({"cmd": "exec sleep 60", "start_seconds": 0, "depends_on": {"db": "healthy"}});
        json!({"api": api, "db": db})
    };
    let db = json!({"cmd": "exec sleep 60", "start_seconds": 0, "start_timeout": 0});
    let checked_by = |command: &str| {
        let mut db = db.clone();
        db["health_check"] = json!({"cmd": command, "timeout": 60});
        db
    };
    let astra = Astra::start(services(&checked_by("exec sleep 60")));
    astra.wait_for("db", "running");
    astra.wait_for("api", "starting");
    // First without a known health, then without checks: its state does not change.
    for (db, health) in [(checked_by("exec sleep 61"), "unknown"), (db.clone(), "unknown")] {
        astra.write(services(&db));
        astra.post_json("/supervisor/reload", &json!({})).expect(200);
        astra.wait_until("db", health, |it| it["health"] == health);
    }
    astra.wait_for("api", "running");
}

#[test]
fn dependent_of_a_failed_service_reports_it() {
    for (policy, state) in
        [(json!({"max_restarts": 0}), "fatal"), (json!({"mode": "never"}), "crashed")]
    {
        let db = json!({"cmd": "[ -e well ] && exec sleep 60; exit 1", "restart_policy": policy,
                        "start_seconds": 0.1});
        let astra = Astra::start(json!({
            "db": db,
            "api": {"cmd": "exec sleep 60", "depends_on": {"db": "healthy"}},
            "web": {"cmd": "exec sleep 60", "depends_on": ["api"]},
        }));
        astra.wait_for("db", state);
        let expected = format!("db to be healthy, but it is {state}");
        for name in ["api", "web"] {
            // The wait ends long before its timeout.
            let body = json!({ "name": name });
            let answer = astra.post_json("/supervisor/restart?wait=60", &body).expect(200).json();
            let message = answer["message"].as_str().unwrap();
            assert_eq!(answer["status"], "starting");
            assert!(message.contains(&expected), "{name}: {message}");
        }
        astra.touch("well");
        assert_eq!(astra.settle("start", "db"), "running");
        astra.wait_for("web", "running");
    }
}

#[test]
fn stop_names_running_dependents() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "depends_on": ["db"]},
        "api": {"cmd": "exec sleep 60", "depends_on": ["db"]},
        "once": {"cmd": "exec sleep 60", "depends_on": ["db"], "autostart": false},
        "db": {"cmd": "exec sleep 60"},
    }));
    astra.wait_for("web", "running");
    astra.wait_for("api", "running");
    let answer = astra.ask("stop", "db").expect(200).json();
    let message = answer["message"].as_str().unwrap();
    assert!(message.ends_with("Still running and depending on it: api, web."), "{message}");
    let answer = astra.ask("stop", "web").expect(200).json();
    assert!(!answer["message"].as_str().unwrap().contains("depending"), "{answer}");
}

#[test]
fn an_added_service_can_outlive_its_dependency() {
    let astra = Astra::start(json!({"db": {"cmd": "exec sleep 60"}}));
    let config = json!({"cmd": "exec sleep 60", "depends_on": ["db"], "start_seconds": 0});
    let body = json!({"name": "added", "config": config});
    astra.post_json("/supervisor/start?wait=60", &body).expect(200);
    astra.write(json!({}));
    astra.post_json("/supervisor/reload?wait=60", &json!({})).expect(200);
    astra.get("/supervisor/status/db").expect(404);
    assert_eq!(astra.settle("restart", "added"), "running");
    assert_eq!(astra.settle("stop", "added"), "stopped");
    assert_eq!(astra.settle("start", "added"), "running");
}
