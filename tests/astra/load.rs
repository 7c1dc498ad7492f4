//! Load: concurrent restarts, kills of all services, and one slow service among others.

use crate::harness::{Astra, eventually, kill};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn twenty_restarts_at_once_leave_one_instance() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    std::thread::scope(|scope| {
        for index in 0..20 {
            let wait = if index % 2 == 0 { "?wait=60" } else { "" };
            let path = format!("/supervisor/restart{wait}");
            let astra = &astra;
            scope.spawn(move || astra.post_json(&path, &json!({"name": "web"})).expect(200));
        }
    });
    astra.wait_for("web", "running");
    let living = astra.living();
    let pid = astra.pid_of("web");
    assert_eq!(living.len(), 1, "{living:?}");
    assert!(living[0].starts_with(&format!("{pid} ")), "{living:?}");
}

#[test]
fn of_twenty_starts_at_once_one_succeeds() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60", "autostart": false}}));
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..20).map(|_| scope.spawn(|| astra.ask("start", "web"))).collect();
        starts.into_iter().map(|start| start.join().unwrap().status).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 19, "{answers:?}");
    astra.wait_for("web", "running");
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
}

#[test]
fn maximum_streams_do_not_delay_short_requests() {
    let astra = Astra::start(json!({"web": {"cmd": "echo one; exec sleep 60"}}));
    astra.wait_for_line("web", "one");
    let mut streams: Vec<_> =
        (0..64).map(|_| astra.stream("/supervisor/logs/web?follow=true")).collect();
    for stream in &mut streams {
        assert_eq!(stream.line(), "one");
    }
    astra.get("/supervisor/events").problem(503, "unavailable");
    for path in ["/supervisor/status", "/supervisor/logs/web", "/supervisor/metrics", "/health"] {
        astra.get(path).expect(200);
    }
    astra.ask("restart", "web").expect(200);
    for stream in &mut streams {
        assert_eq!(stream.line(), "one", "of the next run");
    }
}

#[test]
fn concurrent_operations_leave_at_most_one_instance() {
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "restart_policy": {"backoff_seconds": 0, "max_restarts": 1000},
    }}));
    std::thread::scope(|scope| {
        for verb in ["start", "stop", "restart", "reload"] {
            for _ in 0..4 {
                let astra = &astra;
                scope.spawn(move || {
                    for _ in 0..10 {
                        let answer = astra.ask(verb, "web");
                        assert!([200, 409].contains(&answer.status), "{verb}: {answer:?}");
                    }
                });
            }
        }
    });
    assert_eq!(astra.settle("restart", "web"), "running");
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
    assert_eq!(astra.settle("stop", "web"), "stopped");
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn stop_of_a_slow_service_delays_no_other() {
    let stubborn = "trap '' TERM; echo ready; while [ ! -e go ]; do sleep 0.05; done";
    let mut services = json!({"slow": {"cmd": stubborn, "stop_timeout": 600}});
    for index in 0..5 {
        services[format!("s{index}")] = json!({"cmd": "exec sleep 60"});
    }
    let astra = Astra::start(services);
    astra.wait_for_line("slow", "ready");
    astra.ask("stop", "slow").expect(200);
    astra.wait_for("slow", "stopping");
    for index in 0..5 {
        let name = format!("s{index}");
        for (verb, state) in [("restart", "running"), ("stop", "stopped"), ("start", "running")] {
            assert_eq!(astra.settle(verb, &name), state);
        }
    }
    assert_eq!(astra.status("slow")["status"], "stopping", "all of that while it was being ended");
    astra.get("/supervisor/logs/slow").expect(200);
    astra.get("/supervisor/health/slow").expect(200);
    astra.touch("go");
    astra.wait_for("slow", "stopped");
}

/// Returns a reproducible pseudo-random number.
fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap()
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn check_status(report: &Value) {
    let services = report["services"].as_object().unwrap();
    assert_eq!(services.len(), NAMES.len(), "none is lost: {report}");
    let mut pids: Vec<_> = services.values().filter_map(|it| it["pid"].as_u64()).collect();
    pids.sort_unstable();
    pids.dedup();
    let up = services.values().filter(|it| it["pid"].is_u64()).count();
    assert_eq!(pids.len(), up, "no process is reported twice: {report}");
}

#[test]
fn random_kills_lose_and_duplicate_no_service() {
    let policy = json!({"max_restarts": 1000, "backoff_seconds": 0});
    let service = json!({"cmd": "exec sleep 60", "restart_policy": policy});
    let astra =
        Astra::start(NAMES.iter().map(|name| ((*name).to_owned(), service.clone())).collect());
    for name in NAMES {
        astra.wait_for(name, "running");
    }
    let (mut kills, mut seed) = (BTreeMap::new(), 42);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut requests = 0;
            while !is_over.load(Ordering::SeqCst) {
                check_status(&astra.get("/supervisor/status").expect(200).json());
                requests += 1;
            }
            requests
        });
        for _ in 0..200 {
            let name = NAMES[next(&mut seed) % NAMES.len()];
            let restarts: u64 = kills.get(name).copied().unwrap_or_default();
            let is_back = |it: &Value| it["restart_count"] == restarts && it["pid"].is_u64();
            let report = astra.wait_until(name, "there again", is_back);
            kill("KILL", u32::try_from(report["pid"].as_u64().unwrap()).unwrap());
            kills.insert(name, restarts + 1);
        }
        is_over.store(true, Ordering::SeqCst);
        assert!(watch.join().unwrap() > 0);
    });
    for name in NAMES {
        let restarts = kills.get(name).copied().unwrap_or_default();
        let is_back = |it: &Value| it["restart_count"] == restarts && it["status"] == "running";
        astra.wait_until(name, "running", is_back);
    }
    let living = astra.living();
    assert_eq!(living.len(), NAMES.len(), "{living:?}");
    for name in NAMES {
        let pid = format!("{} ", astra.pid_of(name));
        assert!(living.iter().any(|line| line.starts_with(&pid)), "{name}: {living:?}");
    }
}

#[test]
fn many_services_start_and_end_at_once() {
    let service = json!({"cmd": "echo ready; exec sleep 60"});
    let names: Vec<String> = (0..60).map(|index| format!("s{index}")).collect();
    let astra = Astra::start(names.iter().map(|name| (name.clone(), service.clone())).collect());
    eventually("all are up", || {
        let report = astra.get("/supervisor/status").expect(200).json();
        (report["system"]["running_services"] == names.len()).then_some(())
    });
    assert_eq!(astra.living().len(), names.len());
    let body = json!({"action": "stop", "services": names});
    let answer = astra.post_json("/supervisor/bulk?wait=60", &body).expect(200).json();
    let operations = answer["operations"].as_array().unwrap();
    assert!(operations.iter().all(|it| it["status"] == "stopped"), "{answer}");
    assert_eq!(astra.living(), Vec::<String>::new());
}
