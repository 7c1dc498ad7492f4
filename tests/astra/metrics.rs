//! GET /metrics: resource usage of services, as JSON and for Prometheus.

use crate::harness::{Astra, Web, eventually};
use serde_json::{Value, json};

fn services() -> Astra {
    let astra = Astra::start(json!({
        "up": {"cmd": "sleep 60 & wait"}, "done": {"cmd": "true"},
        "idle": {"cmd": "exec sleep 60", "autostart": false, "optional": true},
    }));
    astra.wait_for("up", "running");
    astra.wait_for("done", "exited");
    astra
}

#[test]
fn metrics_have_usage_or_the_state_of_each_service() {
    let astra = services();
    // All trees are sampled together, at most once a second, so a new one appears later.
    let report = eventually("both of its processes are sampled", || {
        let report = astra.get("/supervisor/metrics").expect(200).json();
        (report["services"]["up"]["threads"] == 2).then_some(report)
    });
    assert!(report["timestamp"].as_str().unwrap().ends_with('Z'), "{report}");
    let services = &report["services"];
    assert_eq!(services["done"], json!({"status": "exited"}));
    assert_eq!(services["idle"], json!({"status": "stopped"}));
    let up = services["up"].as_object().unwrap();
    let fields: Vec<_> = up.keys().map(String::as_str).collect();
    assert_eq!(fields, ["connections", "cpu_percent", "memory_mb", "threads", "uptime"]);
    assert_eq!(up["connections"], 0);
    assert!(up["memory_mb"].as_f64().unwrap() > 0.0, "{report}");
    assert!(up["uptime"].as_f64().unwrap() > 0.0, "{report}");
}

#[test]
fn connections_are_those_of_the_whole_tree() {
    let web = Web::start(200);
    let connect = format!(
        "import socket, time\ns = socket.create_connection(('127.0.0.1', {}))\nprint('ready', \
         flush=True)\ntime.sleep(60)",
        web.port()
    );
    let astra = Astra::start(json!({"web": {
        "cmd": "python3 -c \"$CODE\" & wait", "env": {"CODE": connect},
    }}));
    astra.wait_for_line("web", "ready");
    eventually("its child's connection is counted", || {
        let report = astra.get("/supervisor/metrics").expect(200).json();
        (report["services"]["web"]["connections"] == 1).then_some(())
    });
}

/// Returns the value of a metric of a service.
fn value(text: &str, name: &str, labels: &str) -> Option<f64> {
    let start = format!("{name}{{{labels}}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).map(|value| value.parse().unwrap())
}

#[test]
fn prometheus_metrics_match_the_json() {
    let astra = services();
    astra.settle("restart", "up");
    // All trees are sampled together, at most once a second, so a new one appears later.
    let text = eventually("the new run is sampled", || {
        let answer = astra.get("/metrics").expect(200);
        let content_type = answer.header("content-type").unwrap();
        assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
        let text = answer.text();
        let memory = value(&text, "astra_service_memory_bytes", "service=\"up\"");
        (memory > Some(0.0)).then_some(text)
    });
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (name, service, expected) in [
        ("astra_service_up", "up", 1.0),
        ("astra_service_required", "done", 1.0),
        ("astra_service_required", "idle", 0.0),
        ("astra_service_up", "done", 0.0),
        ("astra_service_up", "idle", 0.0),
        ("astra_service_restarts_total", "up", 1.0),
        ("astra_service_restarts_total", "done", 0.0),
        ("astra_service_log_lines_total", "done", 0.0),
        ("astra_service_log_dropped_lines_total", "up", 0.0),
    ] {
        let found = value(&text, name, &format!("service=\"{service}\""));
        assert_eq!(found, Some(expected), "{name} {service}\n{text}");
    }
    for name in ["astra_service_memory_bytes", "astra_service_uptime_seconds"] {
        assert!(value(&text, name, "service=\"up\"") > Some(0.0), "{name}\n{text}");
        assert_eq!(value(&text, name, "service=\"idle\""), None, "{name}\n{text}");
    }
    let state = |service: &str, state: &str| {
        let labels = format!("service=\"{service}\",state=\"{state}\"");
        value(&text, "astra_service_state", &labels)
    };
    assert_eq!(state("up", "running"), Some(1.0));
    assert_eq!(state("done", "exited"), Some(1.0));
    assert_eq!(state("idle", "stopped"), Some(1.0));
    let unknown = value(&text, "astra_service_health", "service=\"up\",health=\"unknown\"");
    assert_eq!(unknown, Some(1.0), "{text}");
}

#[test]
fn metrics_lines_are_comments_or_samples() {
    let astra = services();
    let text = astra.get("/metrics").expect(200).text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (labels, value) = line.rsplit_once(' ').unwrap();
        let is_of_service = labels.starts_with("astra_service_") && labels.contains("service=\"");
        let is_of_server =
            ["astra_streams", "astra_requests_total{", "astra_audit_lost_lines_total"]
                .iter()
                .any(|name| labels.starts_with(name));
        assert!(is_of_service || is_of_server, "{line}");
        value.parse::<f64>().unwrap();
    }
    let described = |name: &str| text.contains(&format!("# HELP {name} "));
    assert!(described("astra_service_up") && described("astra_service_restarts"), "{text}");
}

#[test]
fn printed_lines_are_counted_across_runs() {
    let astra = Astra::start(json!({"job": {"cmd": "seq 5", "autostart": false}}));
    for lines in [5, 10] {
        astra.ask("start", "job").expect(200);
        astra.wait_until("job", "done", |it| {
            it["status"] == "exited" && astra.lines("job").len() == lines
        });
    }
    let text = astra.get("/metrics").expect(200).text();
    let lines = value(&text, "astra_service_log_lines_total", "service=\"job\"");
    assert_eq!(lines, Some(10.0), "{text}");
    let report: Value = astra.get("/supervisor/metrics").expect(200).json();
    assert_eq!(report["services"]["job"], json!({"status": "exited"}));
}

#[test]
fn stream_metrics_count_open_streams_and_the_limit() {
    let astra = Astra::start_with(&["--max-streams", "3"], json!({"up": {"cmd": "exec sleep 60"}}));
    let count = |expected: &str| {
        eventually(expected, || {
            let text = astra.get("/metrics").expect(200).text();
            assert!(text.contains("\nastra_streams_max 3\n"), "{text}");
            text.contains(&format!("\nastra_streams {expected}\n")).then_some(())
        });
    };
    count("0");
    let stream = astra.stream("/supervisor/logs/up?follow=true");
    count("1");
    drop(stream);
    count("0");
}
