//! GET /health/{service}: the checks of a service, now.

use crate::harness::{Astra, Web, eventually};
use serde_json::{Value, json};

fn check(astra: &Astra, name: &str) -> Value {
    astra.get(&format!("/supervisor/health/{name}")).expect(200).json()
}

/// Starts a service whose check first runs when it is requested.
fn checked(check: &Value) -> Value {
    json!({"cmd": "exec sleep 60", "health_check": check})
}

#[test]
fn single_check_is_named_http_endpoint() {
    let web = Web::start(204);
    let astra = Astra::start(json!({"web": checked(&json!({"url": web.url("/")}))}));
    astra.wait_for("web", "running");
    let report = check(&astra, "web");
    assert_eq!((&report["service"], &report["status"]), (&json!("web"), &json!("healthy")));
    assert_eq!(report["checks"], json!({"http_endpoint": "ok"}));
    assert!(report["response_time"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report.get("error"), None);
    web.answer(500, "");
    let report = check(&astra, "web");
    assert_eq!((&report["status"], &report["error"]), (&json!("unhealthy"), &json!("HTTP 500")));
    assert_eq!(report["checks"], json!({"http_endpoint": "HTTP 500"}));
    assert_eq!(astra.status("web")["port"], web.port());
}

#[test]
fn only_2xx_is_healthy_and_redirects_are_followed() {
    let web = Web::start(200);
    let astra = Astra::start(json!({"web": checked(&json!({"url": web.url("/")}))}));
    astra.wait_for("web", "running");
    for (status, headers, error) in [
        (200, "", None),
        (299, "", None),
        (302, "Location: /ok\r\n", None),
        (302, "Location: /round\r\n", Some("redirects")),
        (304, "", Some("HTTP 304")),
        (400, "", Some("HTTP 400")),
        (404, "", Some("HTTP 404")),
        (503, "", Some("HTTP 503")),
    ] {
        web.answer(status, headers);
        let report = check(&astra, "web");
        match error {
            None => assert_eq!(report["status"], "healthy", "{status}: {report}"),
            Some(error) => {
                assert_eq!(report["status"], "unhealthy", "{status}: {report}");
                assert!(report["error"].as_str().unwrap().contains(error), "{status}: {report}");
            }
        }
    }
}

#[test]
fn service_can_have_many_checks_of_each_kind() {
    let web = Web::start(200);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let checks = json!({
        "page": {"url": web.url("/")},
        "port": {"tcp": format!("127.0.0.1:{}", web.port())},
        "closed": {"tcp": format!("127.0.0.1:{closed}")},
        "command": {"cmd": ["test", "-d", "logs"]},
        "shell": {"cmd": "echo it is broken; exit 3"},
        "slow": {"url": web.url("/never"), "timeout": 0.2},
    });
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "start_timeout": 0, "health_checks": checks,
    }}));
    astra.wait_until("web", "launched", |it| it["pid"].is_u64());
    let report = check(&astra, "web");
    let checks = json!({
        "page": "ok",
        "port": "ok",
        "closed": "connection refused",
        "command": "ok",
        "shell": "exit code 3: it is broken",
        "slow": "no answer within 0.2 s",
    });
    assert_eq!((&report["checks"], &report["status"]), (&checks, &json!("unhealthy")));
    assert!(report["response_time"].as_f64().unwrap() >= 200.0, "that of the slowest: {report}");
    assert!(report["error"].is_string(), "{report}");
}

#[test]
fn health_is_unknown_without_checks_or_while_down() {
    let ok = json!({"cmd": "true"});
    let with = |cmd: &str, policy: Value| {
        let mut service = json!({"cmd": cmd, "restart_policy": policy});
        service["health_check"] = ok.clone();
        service
    };
    let astra = Astra::start(json!({
        "none": {"cmd": "exec sleep 60"},
        "stopped": {"cmd": "exec sleep 60", "health_check": ok, "autostart": false},
        "exited": with("exit 0", json!({})),
        "fatal": with("exit 1", json!({"max_restarts": 0})),
    }));
    for (name, state) in
        [("none", "running"), ("stopped", "stopped"), ("exited", "exited"), ("fatal", "fatal")]
    {
        astra.wait_for(name, state);
        let unknown =
            json!({"service": name, "status": "unknown", "checks": {}, "response_time": null});
        assert_eq!(check(&astra, name), unknown);
    }
}

#[test]
fn health_is_unknown_during_backoff() {
    let astra = Astra::start(json!({"web": {
        "cmd": "exit 1", "health_check": {"cmd": "true"},
        "restart_policy": {"backoff_seconds": 600},
    }}));
    astra.wait_for("web", "backoff");
    let report = check(&astra, "web");
    assert_eq!((&report["status"], &report["response_time"]), (&json!("unknown"), &Value::Null));
}

#[test]
fn command_check_runs_in_the_service_directory() {
    let cmd = "test \"$PLACE $(basename \"$PWD\")\" = 'here below' && test -n \"$RUN_ID\" && \
               test \"$RUN_ID\" = \"$(cat run)\"";
    let astra = Astra::start(json!({"web": {
        "cmd": "mkdir below; cd below; echo $RUN_ID > run; exec sleep 60",
        "env": {"PLACE": "here"}, "start_timeout": 0,
        "health_check": {"cmd": format!("cd below; {cmd}"), "interval": 0.1},
    }}));
    astra.wait_until("web", "healthy", |it| it["health"] == "healthy");
}

#[test]
fn slow_check_does_not_delay_other_requests() {
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "start_timeout": 0,
        "health_check": {
            "cmd": "echo >> probes; while [ ! -e go ]; do sleep 0.02; done", "timeout": 600,
        },
    }}));
    astra.wait_until("web", "launched", |it| it["pid"].is_u64());
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| check(&astra, "web"));
        eventually("both its own probe and the requested one run", || {
            (astra.written("probes").len() == 2).then_some(())
        });
        let restarts = astra.settle("restart", "web");
        assert_eq!(restarts, "running");
        astra.touch("go");
        assert!(
            ["healthy", "unhealthy"].contains(&slow.join().unwrap()["status"].as_str().unwrap())
        );
    });
    eventually("its own checks are done as well", || (astra.living().len() == 1).then_some(()));
}
