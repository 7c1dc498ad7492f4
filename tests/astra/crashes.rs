//! Kills of the supervisor: leftovers are ended, and nothing is duplicated.

use crate::harness::{Astra, eventually, fixture, kill};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Returns the pids of the processes below the server's folder.
fn numbers(astra: &Astra) -> BTreeSet<String> {
    let living = astra.living();
    living.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn kill_and_start_again(astra: &mut Astra) {
    kill("KILL", astra.pid());
    astra.wait();
    astra.start_again();
}

#[test]
fn start_after_a_crash_reports_lost_runs_and_no_doubles() {
    let daemon = format!("python3 {}", fixture("daemon.py"));
    let mut astra = Astra::start(json!({
        "tree": {"cmd": format!("echo mine; {daemon} keep; setsid sleep 60 & exec sleep 60")},
        "deaf": {
            "cmd": "trap '' TERM; echo mine; while :; do sleep 0.02; done", "stop_timeout": 0.2,
        },
        "done": {"cmd": "echo mine"},
    }));
    for name in ["tree", "deaf", "done"] {
        astra.wait_for_line(name, "mine");
    }
    astra.wait_for_line("tree", "ready");
    astra.wait_for("done", "exited");
    eventually("the tree is there", || (astra.living().len() >= 4).then_some(()));
    let before = numbers(&astra);
    kill_and_start_again(&mut astra);
    for name in ["tree", "deaf"] {
        astra.wait_for(name, "running");
    }
    let after = eventually("nothing of before is left", || {
        let after = numbers(&astra);
        after.is_disjoint(&before).then_some(after)
    });
    assert!(after.contains(&astra.pid_of("tree").to_string()), "{after:?}");
    for (name, by) in [("tree", "lost"), ("deaf", "lost"), ("done", "itself")] {
        let mut stream = astra.events(&format!("/supervisor/logs/{name}?follow=true&after=0"));
        let end = stream.event_that(|event| event.data["event"] == "ended");
        assert_eq!(end.data["ended_by"], by, "{name}");
    }
    astra.wait_for_log("2 runs lost");
}

#[test]
fn logs_continue_after_a_killed_supervisor() {
    let mut astra = Astra::start(json!({"web": {"cmd": "seq 5; echo $RUN_ID; exec sleep 60"}}));
    eventually("it has begun", || (astra.lines("web").len() == 6).then_some(()));
    kill_and_start_again(&mut astra);
    eventually("it has begun again", || (astra.lines("web").len() == 12).then_some(()));
    let lines = astra.lines("web");
    assert_eq!(lines[..5], lines[6..11]);
    assert_ne!(lines[5], lines[11]);
    let page = astra.get("/supervisor/logs/web?after=5&limit=2").expect(200).json();
    assert_eq!(
        (&page["first"], &page["next"], &page["total_lines"]),
        (&json!(6), &json!(7), &json!(12))
    );
}

#[test]
fn kill_during_stop_or_start_leaves_no_doubles() {
    let service = |cmd: &str| json!({"cmd": cmd, "stop_timeout": 0.3});
    let mut astra = Astra::start(json!({
        "slow": service("trap '' TERM; while :; do sleep 0.02; done"),
        "quick": service("exec sleep 60"),
        "crashes": {
            "cmd": "exit 1", "restart_policy": {"max_restarts": 1000, "backoff_seconds": 0},
        },
    }));
    for round in 0..4 {
        astra.wait_for("slow", "running");
        astra.wait_for("quick", "running");
        astra.ask(if round % 2 == 0 { "restart" } else { "stop" }, "slow").expect(200);
        astra.ask("restart", "quick").expect(200);
        kill_and_start_again(&mut astra);
    }
    astra.settle("stop", "crashes");
    astra.wait_for("slow", "running");
    astra.wait_for("quick", "running");
    let pids = ["slow", "quick"].map(|name| astra.pid_of(name).to_string());
    eventually("each is there once", || {
        let living = astra.living();
        // One shell starts helpers.
        let others = living.iter().filter(|line| !line.ends_with(" sleep 0.02 "));
        let others: Vec<_> = others.map(|line| line.split(' ').next().unwrap()).collect();
        (others.len() == 2 && pids.iter().all(|pid| others.contains(&pid.as_str()))).then_some(())
    });
}

/// A process being launched at the moment of the kill holds the lock until it executes.
#[test]
fn supervisor_starts_after_a_kill_at_any_moment() {
    let policy = json!({"max_restarts": 100_000, "backoff_seconds": 0});
    let service = json!({"cmd": "exit 1", "restart_policy": policy});
    let mut astra = Astra::start(json!({"a": service, "b": service, "c": service}));
    for _ in 0..40 {
        astra.wait_until("a", "restarted", |status| status["restart_count"] != 0);
        kill_and_start_again(&mut astra);
    }
}

#[test]
fn service_added_by_the_api_ends_with_the_supervisor() {
    let mut astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let body = json!({"name": "added", "config": {"cmd": "exec sleep 61", "start_seconds": 0}});
    astra.post_json("/supervisor/start?wait=60", &body).expect(200);
    kill_and_start_again(&mut astra);
    eventually("it is ended", || {
        (!astra.living().iter().any(|line| line.contains("sleep 61"))).then_some(())
    });
    astra.get("/supervisor/status/added").problem(404, "not_found");
    assert_ne!(astra.wait_for("web", "running")["pid"], Value::Null);
}

#[test]
fn removed_service_is_ended_by_the_next_supervisor() {
    let mut astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60"}, "gone": {"cmd": "exec sleep 61"},
    }));
    astra.wait_for("gone", "running");
    astra.wait_for("web", "running");
    astra.write(json!({"web": {"cmd": "exec sleep 60"}}));
    kill_and_start_again(&mut astra);
    eventually("it is ended", || {
        (!astra.living().iter().any(|line| line.contains("sleep 61"))).then_some(())
    });
}
