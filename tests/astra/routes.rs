//! Rules for all routes: prefixes, names, methods, errors.

use crate::harness::Astra;
use serde_json::{Value, json};

const PREFIXES: [&str; 2] = ["/supervisor", "/api/supervisor"];

/// Each route with a valid method and its allowed methods.
const ROUTES: [(&str, &str); 15] = [
    ("/status", "GET, HEAD"),
    ("/status/web", "GET, HEAD"),
    ("/services/web", "GET, HEAD, DELETE"),
    ("/start", "POST"),
    ("/stop", "POST"),
    ("/restart", "POST"),
    ("/reload", "POST"),
    ("/bulk", "POST"),
    ("/logs/web", "GET, HEAD"),
    ("/health", "GET, HEAD"),
    ("/health/web", "GET, HEAD"),
    ("/metrics", "GET, HEAD"),
    ("/events", "GET, HEAD"),
    ("/signal/web", "POST"),
    ("/stdin/web", "POST"),
];

fn two_services() -> Astra {
    Astra::start(json!({"web": {"cmd": "exec sleep 60"}, "db": {"cmd": "exec sleep 60"}}))
}

#[test]
fn every_route_works_under_both_prefixes() {
    let astra = two_services();
    for prefix in PREFIXES {
        for path in ["/status", "/status/web", "/logs/web", "/health", "/health/web", "/metrics"] {
            let answer = astra.get(&format!("{prefix}{path}")).expect(200);
            assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        }
        let first = astra.events(&format!("{prefix}/events")).line();
        assert!(first.starts_with(':'), "a comment says that it is open: {first}");
        for (verb, settled) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
            let path = format!("{prefix}/{verb}?wait=60");
            let answer = astra.post_json(&path, &json!({"name": "web"})).expect(200).json();
            assert_eq!((&answer["status"], &answer["service"]), (&json!(settled), &json!("web")));
            assert!(answer["message"].is_string(), "{answer}");
        }
        for body in [json!({"name": "web", "type": "config"}), json!({})] {
            let answer = astra.post_json(&format!("{prefix}/reload"), &body).expect(200).json();
            assert_eq!(answer["status"], "reloading", "{answer}");
        }
        let body = json!({"action": "restart", "services": ["web"]});
        let answer = astra.post_json(&format!("{prefix}/bulk?wait=60"), &body).expect(200).json();
        let operations = json!([{"service": "web", "status": "running"}]);
        assert_eq!(answer, json!({"status": "completed", "operations": operations}));
        let report = astra.post(&format!("{prefix}/signal/web?type=CONT")).expect(200).json();
        assert_eq!(report["status"], "running", "{report}");
    }
}

#[test]
fn operations_are_answered_at_once_with_their_status() {
    let astra = two_services();
    for (verb, status) in [("restart", "restarting"), ("stop", "stopping"), ("start", "starting")] {
        astra.wait_until("web", "settled", |status| {
            status["status"] == "running" || status["status"] == "stopped"
        });
        let answer = astra.ask(verb, "web").expect(200).json();
        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!((&answer["status"], &answer["service"]), (&json!(status), &json!("web")));
        assert!(message.contains("web") && message.ends_with('.'), "{answer}");
        let fields: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["message", "service", "status"]);
    }
}

#[test]
fn wrong_method_lists_the_allowed_ones() {
    let astra = two_services();
    for prefix in PREFIXES {
        for (path, allowed) in ROUTES {
            let answer = astra.request(&format!("PUT {prefix}{path}"), &[], b"").expect(405);
            assert_eq!(answer.header("allow"), Some(allowed), "{path}");
            answer.problem(405, "method_not_allowed");
            let other = if allowed == "POST" { "GET" } else { "POST" };
            astra.request(&format!("{other} {prefix}{path}"), &[], b"").expect(405);
        }
    }
}

#[test]
fn unknown_service_is_404_and_lists_the_known_ones() {
    let astra = two_services();
    for prefix in PREFIXES {
        for path in ["/status/nope", "/services/nope", "/logs/nope", "/health/nope"] {
            let detail = astra.get(&format!("{prefix}{path}")).problem(404, "not_found");
            assert!(detail.contains("nope") && detail.contains("db, web"), "{path}: {detail}");
        }
        for verb in ["start", "stop", "restart", "reload"] {
            let answer = astra.post_json(&format!("{prefix}/{verb}"), &json!({"name": "nope"}));
            let detail = answer.problem(404, "not_found");
            assert!(detail.contains("nope") && detail.contains("db, web"), "{verb}: {detail}");
        }
        for path in ["/signal/nope?type=TERM", "/stdin/nope"] {
            let detail = astra.post(&format!("{prefix}{path}")).problem(404, "not_found");
            assert!(detail.contains("nope") && detail.contains("db, web"), "{path}: {detail}");
        }
    }
    for path in ["/supervisor/logs/..%2F..%2Fetc%2Fpasswd", "/supervisor/status/%00"] {
        astra.get(path).problem(404, "not_found");
    }
}

#[test]
fn an_unknown_path_is_not_found() {
    let astra = two_services();
    for path in ["/supervisor/nope", "/supervisor", "/api/status", "/status", "/start"] {
        astra.get(path).problem(404, "not_found");
    }
}

#[test]
fn unknown_fields_and_parameters_are_refused() {
    let astra = two_services();
    let pid = astra.pid_of("web");
    for (path, body) in [
        ("start", json!({"name": "web", "confg": {}})),
        ("restart", json!({"name": "web", "confg": {}})),
        ("stop", json!({"name": "web", "confg": {}})),
        ("reload", json!({"name": "web", "confg": {}})),
        ("bulk", json!({"action": "stop", "services": ["web"], "confg": {}})),
    ] {
        let answer = astra.post_json(&format!("/supervisor/{path}"), &body);
        let detail = answer.problem(400, "bad_request");
        assert!(detail.contains("confg"), "{path}: {detail}");
        let answer = astra.post_json(&format!("/supervisor/{path}?wiat=1"), &body);
        assert!(answer.problem(400, "bad_request").contains("wiat"), "{path}");
    }
    for (path, _) in ROUTES.iter().filter(|(_, allowed)| *allowed != "POST") {
        let detail = astra.get(&format!("/supervisor{path}?wiat=1")).problem(400, "bad_request");
        assert!(detail.contains("wiat"), "{path}: {detail}");
    }
    astra.post("/supervisor/signal/web?typ=TERM").problem(400, "bad_request");
    assert_eq!(astra.pid_of("web"), pid);
}

#[test]
fn invalid_body_is_reported_with_its_position() {
    let astra = two_services();
    let pid = astra.pid_of("web");
    for verb in ["start", "stop", "restart", "reload", "bulk"] {
        for (body, expected) in [
            ("{\n", "line 2 column 0"),
            (
                "{\"name\":5}",
                if verb == "bulk" { "`name`" } else { "\"name\" must be a string, got a number" },
            ),
            ("[\"web\"]", "array"),
        ] {
            let answer = astra.request(&format!("POST /supervisor/{verb}"), &[], body.as_bytes());
            let detail = answer.problem(400, "bad_request");
            assert!(detail.contains(expected), "{verb} {body}: {detail}");
        }
    }
    for (verb, body) in [
        ("start", json!({})),
        ("stop", json!({})),
        ("restart", json!({})),
        ("reload", json!({"name": "web", "type": "all"})),
        ("bulk", json!({"action": "stop"})),
        ("bulk", json!({"services": ["web"]})),
        ("bulk", json!({"action": "kill", "services": ["web"]})),
        ("bulk", json!({"action": "stop", "services": "web"})),
        ("bulk", json!({"action": "stop", "services": ["web"], "parallel": "no"})),
    ] {
        let detail = astra.post_json(&format!("/supervisor/{verb}"), &body);
        detail.problem(400, "bad_request");
    }
    assert_eq!(astra.pid_of("web"), pid);
}

#[test]
fn head_works_like_get_and_trailing_slashes_are_ignored() {
    let astra = two_services();
    for path in ["/supervisor/status", "/supervisor/logs/web", "/supervisor/health", "/metrics"] {
        let head = astra.request(&format!("HEAD {path}"), &[], b"").expect(200);
        assert!(head.body.is_empty(), "{path}");
        astra.get(&format!("{path}/")).expect(200);
    }
    // Streams would not end.
    for path in ["/supervisor/events", "/supervisor/logs/web?follow=true"] {
        let head = astra.request(&format!("HEAD {path}"), &[], b"").expect(200);
        assert!(head.body.is_empty(), "{path}");
    }
    let answer = astra.post_json("/supervisor/restart/?wait=60", &json!({"name": "web"}));
    assert_eq!(answer.expect(200).json()["status"], "running");
}

#[test]
fn only_local_front_ends_are_allowed() {
    let astra = two_services();
    let ask = |origin: &str| {
        let body = json!({"name": "web"}).to_string();
        let route = "POST /supervisor/restart?wait=60";
        astra.request(route, &[&format!("Origin: {origin}")], body.as_bytes())
    };
    for origin in ["http://localhost:3000", "http://127.0.0.1:3000"] {
        let answer = ask(origin).expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    let before: Value = astra.status("web")["restart_count"].clone();
    ask("http://localhost:3001").problem(403, "forbidden");
    assert_eq!(astra.status("web")["restart_count"], before);
}
