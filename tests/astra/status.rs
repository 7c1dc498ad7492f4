//! GET /status: the states of services and of the system.

use crate::harness::Astra;
use serde_json::{Value, json};

const SERVICE_FIELDS: [&str; 18] = [
    "cpu_percent",
    "depends_on",
    "exit_code",
    "health",
    "last_restart",
    "log_dropped_lines",
    "memory_mb",
    "message",
    "next_restart_at",
    "optional",
    "pid",
    "port",
    "restart_count",
    "signal",
    "started_at",
    "status",
    "stopped_at",
    "uptime",
];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn is_instant(value: &Value) -> bool {
    // 2026-01-02T03:04:05.678901Z
    value.as_str().is_some_and(|text| text.len() == 27 && text.ends_with('Z'))
}

#[test]
fn status_has_all_fields_of_every_service() {
    let astra = Astra::start(json!({
        "web": {"cmd": ["sleep", "60"], "port": 8080, "depends_on": ["db"], "optional": true},
        "db": {"cmd": "exec sleep 60"},
        "later": {"cmd": "serve --port 9000", "autostart": false},
    }));
    astra.wait_for("web", "running");
    let all = astra.get("/supervisor/status").expect(200).json();
    assert_eq!(keys(&all), ["services", "system"]);
    assert_eq!(keys(&all["services"]), ["db", "later", "web"]);
    for service in all["services"].as_object().unwrap().values() {
        assert_eq!(keys(service), SERVICE_FIELDS);
        assert!(service["message"].as_str().unwrap().ends_with('.'), "{service}");
    }
    let web = &all["services"]["web"];
    for (field, value) in [
        ("status", json!("running")),
        ("port", json!(8080)),
        ("depends_on", json!(["db"])),
        ("optional", json!(true)),
        ("restart_count", json!(0)),
        ("health", json!("unknown")),
        ("last_restart", Value::Null),
        ("exit_code", Value::Null),
        ("signal", Value::Null),
        ("stopped_at", Value::Null),
        ("next_restart_at", Value::Null),
    ] {
        assert_eq!(web[field], value, "{field}");
    }
    assert!(web["pid"].is_u64() && is_instant(&web["started_at"]), "{web}");
    assert!(web["uptime"].as_f64().unwrap() > 0.0, "{web}");
    let later = &all["services"]["later"];
    for (field, value) in [
        ("status", json!("stopped")),
        ("pid", Value::Null),
        ("started_at", Value::Null),
        ("port", json!(9000)),
        ("memory_mb", json!(0.0)),
        ("uptime", json!(0.0)),
    ] {
        assert_eq!(later[field], value, "{field}");
    }
}

#[test]
fn system_status_sums_up_the_services() {
    let astra = Astra::start(json!({
        "a": {"cmd": "sleep 60 & sleep 60 & wait"},
        "b": {"cmd": "exec sleep 60"},
        "c": {"cmd": "exec sleep 60", "autostart": false},
    }));
    // All trees are sampled together, at most once a second, so a new one appears later.
    for name in ["a", "b"] {
        astra.wait_for(name, "running");
        astra.wait_until(name, "sampled", |it| it["memory_mb"].as_f64() > Some(0.0));
    }
    let all = astra.get("/supervisor/status").expect(200).json();
    let (services, system) = (&all["services"], &all["system"]);
    let fields = ["running_services", "total_cpu_percent", "total_memory_mb", "total_services"];
    assert_eq!(keys(system), fields);
    assert_eq!((&system["total_services"], &system["running_services"]), (&json!(3), &json!(2)));
    let memory = |name: &str| services[name]["memory_mb"].as_f64().unwrap();
    let total = system["total_memory_mb"].as_f64().unwrap();
    assert!((total - memory("a") - memory("b")).abs() < 0.11, "{all}");
    assert!(memory("b") > 0.0, "{all}");
}

#[test]
fn usage_is_that_of_the_whole_tree() {
    let astra = Astra::start(json!({
        "tree": {"cmd": "sh -c 'while :; do :; done' & wait"},
        "alone": {"cmd": "exec sleep 60"},
    }));
    // Its own process sleeps; its child is busy.
    astra.wait_until("tree", "busy", |it| it["cpu_percent"].as_f64().unwrap() > 5.0);
    let alone = astra.status("alone");
    assert!(alone["cpu_percent"].as_f64().unwrap() < 5.0, "{alone}");
    let memory = |name: &str| astra.status(name)["memory_mb"].as_f64().unwrap();
    assert!(memory("tree") > memory("alone"), "two shells are more than one sleep");
}

#[test]
fn status_reports_how_a_service_ended() {
    let never = json!({"mode": "never"});
    let astra = Astra::start(json!({
        "well": {"cmd": "true"},
        "badly": {"cmd": "exit 7", "restart_policy": never},
        "killed": {"cmd": "kill -KILL $$", "restart_policy": never},
    }));
    for (name, state, exit_code, signal) in [
        ("well", "exited", 0, Value::Null),
        ("badly", "crashed", 7, Value::Null),
        ("killed", "crashed", -9, json!("SIGKILL")),
    ] {
        let report = astra.wait_for(name, state);
        assert_eq!(
            (&report["exit_code"], &report["signal"]),
            (&json!(exit_code), &signal),
            "{report}"
        );
        assert_eq!((&report["pid"], &report["uptime"]), (&Value::Null, &json!(0.0)), "{report}");
        assert!(is_instant(&report["started_at"]) && is_instant(&report["stopped_at"]), "{report}");
        assert!(report["stopped_at"].as_str() >= report["started_at"].as_str(), "{report}");
    }
    let message = astra.status("badly")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("exit code 7"), "{message}");
}

#[test]
fn manual_and_automatic_restarts_are_counted() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "restart_policy": {"backoff_seconds": 0}},
        "db": {"cmd": "exec sleep 60", "autostart": false},
    }));
    astra.wait_for("web", "running");
    assert_eq!(astra.settle("restart", "web"), "running");
    let by_hand = astra.status("web");
    assert_eq!(by_hand["restart_count"], 1);
    assert!(is_instant(&by_hand["last_restart"]), "{by_hand}");
    crate::harness::kill("KILL", astra.pid_of("web"));
    let is_again = |it: &Value| it["restart_count"] == 2 && it["status"] == "running";
    let by_policy = astra.wait_until("web", "restarted", is_again);
    assert!(by_policy["last_restart"].as_str() > by_hand["last_restart"].as_str());
    // A stop and a start do not count as a restart; a restart of a stopped service does.
    astra.settle("stop", "web");
    astra.settle("start", "web");
    assert_eq!(astra.status("web")["restart_count"], 2);
    astra.settle("restart", "db");
    let db = astra.status("db");
    assert_eq!(db["restart_count"], 1);
    assert!(is_instant(&db["last_restart"]), "{db}");
}

#[test]
fn single_status_equals_its_entry_in_the_list() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let (one, all) = (astra.status("web"), astra.get("/supervisor/status").expect(200).json());
    let among = &all["services"]["web"];
    assert_eq!((keys(&one), &one["pid"]), (keys(among), &among["pid"]));
}
