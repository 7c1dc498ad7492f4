//! The configuration of a service, and the ends of its last runs.

use crate::harness::Astra;
use serde_json::json;

#[test]
fn detail_has_the_fields_of_the_file() {
    let astra = Astra::start(json!({
        "db": {"cmd": ["sleep", "60"]},
        "web": {
            "cmd": "exec sleep 60", "cwd": "/", "port": 8080, "optional": true,
            "depends_on": {"db": "healthy"}, "stop_signal": "INT", "pty": true,
            "health_checks": {"page": {"url": "http://ann:word@localhost:1/x", "interval": 7},
                "port": {"tcp": "[::1]:80"}, "tool": {"cmd": ["check", "--token", "t0psecret"]}},
            "restart_policy": {"mode": "always", "max_restarts": 9}, "log": {"keep": 3},
        },
    }));
    let report = astra.get("/supervisor/services/web").expect(200).json();
    assert_eq!((&report["service"], &report["source"]), (&json!("web"), &json!("file")));
    let config = &report["config"];
    for (field, value) in [
        ("cmd", json!("exec sleep 60")),
        ("cwd", json!("/")),
        ("env", json!({})),
        ("env_file", json!(null)),
        ("optional", json!(true)),
        ("autostart", json!(true)),
        ("port", json!(8080)),
        ("depends_on", json!({"db": "healthy"})),
        ("start_seconds", json!(0.0)),
        ("start_timeout", json!(60.0)),
        ("stop_signal", json!("SIGINT")),
        ("stop_timeout", json!(10.0)),
        ("reload_signal", json!(null)),
        ("pty", json!(true)),
        ("log", json!({"max_bytes": null, "keep": 3})),
    ] {
        assert_eq!(config[field], value, "{field}");
    }
    let policy = &config["restart_policy"];
    assert_eq!((&policy["mode"], &policy["max_restarts"]), (&json!("always"), &json!(9)));
    let checks = &config["health_checks"];
    assert_eq!(checks["page"]["url"], "http://***@localhost:1/x");
    assert_eq!(checks["page"]["interval"], 7.0);
    assert_eq!(checks["port"]["tcp"], "[::1]:80");
    assert_eq!(checks["tool"]["cmd"], json!(["check", "--token", "***"]));
    let other = astra.get("/api/supervisor/services/db").expect(200).json();
    assert_eq!(other["config"]["cmd"], json!(["sleep", "60"]));
}

#[test]
fn detail_masks_secrets() {
    let env = json!({
        "API_TOKEN": "hunter2-token", "DB_PASSWORD": "hunter2-word", "MODE": "plain",
        "DATABASE_URL": "postgres://ann:hunter2@db/x", "GONE_SECRET": null,
    });
    let cmd = "exec sleep 60 # --key=hunter2-key hunter2-token http://a:hunter2@b/";
    let astra = Astra::start(json!({"web": {"cmd": cmd, "env": env}}));
    let answer = astra.get("/supervisor/services/web").expect(200);
    assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    let env = &answer.json()["config"]["env"];
    let expected = json!({
        "API_TOKEN": "***", "DB_PASSWORD": "***", "MODE": "plain",
        "DATABASE_URL": "postgres://***@db/x", "GONE_SECRET": null,
    });
    assert_eq!(*env, expected);
}

#[test]
fn detail_lists_the_last_ten_exits_newest_first() {
    let astra = Astra::start(json!({
        "job": {"cmd": "exit 3", "restart_policy": {"mode": "never"}, "start_seconds": 5},
        "web": {"cmd": "exec sleep 60"},
    }));
    assert_eq!(astra.get("/supervisor/services/web").expect(200).json()["exits"], json!([]));
    astra.wait_for("job", "crashed");
    for _ in 0..11 {
        astra.settle("start", "job");
    }
    let report = astra.get("/supervisor/services/job").expect(200).json();
    let exits = report["exits"].as_array().unwrap();
    assert_eq!(exits.len(), 10);
    for exit in exits {
        assert_eq!((&exit["exit_code"], &exit["signal"]), (&json!(3), &json!(null)));
        assert_eq!(exit["ended_by"], "itself");
        assert!(exit["uptime"].is_f64() && exit["run_id"].is_string(), "{exit}");
    }
    let times: Vec<_> = exits.iter().map(|exit| exit["stopped_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    astra.settle("stop", "web");
    let report = astra.get("/supervisor/services/web").expect(200).json();
    let exit = &report["exits"][0];
    assert_eq!((&exit["signal"], &exit["ended_by"]), (&json!("SIGTERM"), &json!("kill")));
}

#[test]
fn added_service_has_source_api_until_the_file_has_it() {
    let astra = Astra::start(json!({"db": {"cmd": "exec sleep 60"}}));
    let body = json!({"name": "web", "config": {"cmd": "exec sleep 61", "start_seconds": 0}});
    astra.post_json("/supervisor/start?wait=60", &body).expect(200);
    let source = || astra.get("/supervisor/services/web").expect(200).json()["source"].clone();
    assert_eq!(source(), "api");
    let web = json!({"cmd": "exec sleep 61"});
    astra.write(json!({"db": {"cmd": "exec sleep 60"}, "web": web}));
    astra.post_json("/supervisor/reload?wait=60", &json!({})).expect(200);
    assert_eq!(source(), "file");
}

#[test]
fn detail_shows_the_configuration_of_the_run() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60", "env": {"MODE": "file"}}}));
    let body = json!({"name": "web", "config": {"env": {"MODE": "run"}}});
    astra.post_json("/supervisor/restart?wait=60", &body).expect(200);
    let report = astra.get("/supervisor/services/web").expect(200).json();
    assert_eq!(report["config"]["env"]["MODE"], "run");
}
