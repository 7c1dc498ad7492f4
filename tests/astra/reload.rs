//! POST /reload: the file is read again, and only changes are applied.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints a line for each run.
fn service(more: &Value) -> Value {
    let mut service = json!({"cmd": "echo begin; exec sleep 60"});
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service
}

/// Reloads, waits until the changes are done, and returns the answer.
fn reload(astra: &Astra, body: &Value) -> Value {
    astra.post_json("/supervisor/reload?wait=60", body).expect(200).json()
}

fn message_of(answer: &Value) -> &str {
    answer["message"].as_str().unwrap()
}

#[test]
fn reload_of_an_unchanged_file_restarts_nothing() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    astra.wait_for("web", "running");
    let pid = astra.pid_of("web");
    for body in [json!({}), json!({"type": "config"}), json!({"name": "web"})] {
        let answer = astra.post_json("/supervisor/reload", &body).expect(200).json();
        assert_eq!((&answer["status"], &answer["service"]), (&json!("reloading"), &body["name"]));
        assert!(message_of(&answer).contains("nothing was restarted"), "{answer}");
    }
    let report = astra.status("web");
    assert_eq!((&report["pid"], &report["restart_count"]), (&json!(pid), &json!(0)));
}

#[test]
fn reload_applies_the_changed_file() {
    let astra = Astra::start(json!({
        "same": service(&json!({})), "changed": service(&json!({})), "gone": service(&json!({})),
    }));
    let pids = ["same", "changed"].map(|name| astra.wait_for(name, "running")["pid"].clone());
    astra.wait_for("gone", "running");
    astra.write(json!({
        "same": service(&json!({})), "changed": service(&json!({"env": {"A": "1"}})),
        "new": service(&json!({})), "later": service(&json!({"autostart": false})),
    }));
    let answer = reload(&astra, &json!({}));
    for part in ["started: ", "new", "stopped: gone", "restarted: changed"] {
        assert!(message_of(&answer).contains(part), "{answer}");
    }
    assert_eq!(astra.status("same")["pid"], pids[0]);
    assert_eq!(astra.status("new")["status"], "running");
    assert_eq!(astra.status("later")["status"], "stopped");
    let changed = astra.status("changed");
    assert_eq!((&changed["status"], &changed["restart_count"]), (&json!("running"), &json!(1)));
    assert_ne!(changed["pid"], pids[1]);
    astra.get("/supervisor/status/gone").problem(404, "not_found");
    eventually("only three live", || (astra.living().len() == 3).then_some(()));
}

#[test]
fn single_service_is_reloaded_by_name() {
    let astra = Astra::start(json!({"one": service(&json!({})), "other": service(&json!({}))}));
    let [one, other] = ["one", "other"].map(|name| astra.wait_for(name, "running")["pid"].clone());
    let changed = service(&json!({"env": {"A": "1"}}));
    astra.write(json!({"one": changed, "other": changed, "new": changed}));
    let answer = reload(&astra, &json!({"name": "one", "type": "config"}));
    assert_eq!((&answer["status"], &answer["service"]), (&json!("running"), &json!("one")));
    assert_ne!(astra.status("one")["pid"], one);
    assert_eq!(astra.status("other")["pid"], other);
    astra.get("/supervisor/status/new").problem(404, "not_found");
}

#[test]
fn changed_policy_or_checks_apply_without_a_restart() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    let pid = astra.wait_for("web", "running")["pid"].clone();
    astra.write(json!({"web": service(&json!({
        "optional": true, "port": 77, "restart_policy": {"max_restarts": 0},
        "health_check": {"cmd": "true", "interval": 0.1}, "stop_signal": "INT",
    }))}));
    let answer = reload(&astra, &json!({"name": "web"}));
    assert!(message_of(&answer).contains("nothing was restarted"), "{answer}");
    let report = astra.wait_until("web", "healthy", |it| it["health"] == "healthy");
    assert_eq!(
        (&report["pid"], &report["port"], &report["optional"]),
        (&pid, &json!(77), &json!(true))
    );
    crate::harness::kill("KILL", astra.pid_of("web"));
    let report = astra.wait_for("web", "fatal");
    assert_eq!(report["restart_count"], 0);
}

#[test]
fn reload_reports_no_restart_of_a_stopped_service() {
    let astra = Astra::start(json!({"web": service(&json!({})), "job": service(&json!({}))}));
    astra.settle("stop", "job");
    let changed = |number: u32| service(&json!({"env": {"NUMBER": number.to_string()}}));
    astra.write(json!({"web": changed(1), "job": changed(1)}));
    let answer = reload(&astra, &json!({}));
    assert_eq!(
        message_of(&answer),
        "The file has changed; restarted: web; changed without a restart: job."
    );
    astra.write(json!({"web": changed(1), "job": changed(2)}));
    let answer = reload(&astra, &json!({"name": "job"}));
    assert!(message_of(&answer).contains("nothing was restarted"), "{answer}");
    assert_eq!(astra.status("job")["status"], "stopped");
}

#[test]
fn stopped_service_stays_down_and_uses_the_new_file() {
    let astra = Astra::start(json!({"web": service(&json!({"autostart": false}))}));
    astra.write(json!({"web": {"cmd": "echo other; exec sleep 60", "autostart": false}}));
    reload(&astra, &json!({}));
    assert_eq!(astra.status("web")["status"], "stopped");
    astra.settle("start", "web");
    astra.wait_for_line("web", "other");
}

#[test]
fn reload_signal_is_sent_instead_of_a_restart() {
    let with = |size: &str| {
        service(&json!({
            "cmd": "trap 'echo reloaded' HUP; echo begin; while :; do sleep 0.02; done",
            "reload_signal": "HUP", "env": {"SIZE": size},
        }))
    };
    let astra = Astra::start(json!({"web": with("1")}));
    astra.wait_for_line("web", "begin");
    let pid = astra.pid_of("web");
    for (size, body) in [("2", json!({})), ("3", json!({"name": "web"}))] {
        let lines = astra.lines("web").len();
        astra.write(json!({"web": with(size)}));
        reload(&astra, &body);
        eventually("it handles the signal", || (astra.lines("web").len() > lines).then_some(()));
        assert_eq!(astra.lines("web").last().unwrap(), "reloaded");
    }
    let report = astra.status("web");
    assert_eq!((&report["pid"], &report["restart_count"]), (&json!(pid), &json!(0)));
    // The next run uses the new values.
    astra.settle("restart", "web");
    let environ = format!("/proc/{}/environ", astra.pid_of("web"));
    // Empty for a moment after the exec, until the kernel has placed it.
    let environment = eventually("its environment can be read", || {
        std::fs::read(&environ).ok().filter(|text| !text.is_empty())
    });
    assert!(String::from_utf8_lossy(&environment).contains("SIZE=3"));
}

#[test]
fn reload_of_type_code_restarts_without_reading_the_file() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    let pid = astra.wait_for("web", "running")["pid"].clone();
    astra.wait_for_line("web", "begin");
    astra.write(json!({"web": {"cmd": "echo other; exec sleep 60"}}));
    let body = json!({"name": "web", "type": "code"});
    let answer = astra.post_json("/supervisor/reload", &body).expect(200).json();
    assert_eq!((&answer["status"], &answer["service"]), (&json!("reloading"), &json!("web")));
    let report = astra
        .wait_until("web", "restarted", |it| it["restart_count"] == 1 && it["status"] == "running");
    assert_ne!(report["pid"], pid);
    eventually("it has begun again", || (astra.lines("web").len() == 2).then_some(()));
    assert_eq!(astra.lines("web"), ["begin", "begin"], "the file was not read");
    let detail = astra.post_json("/supervisor/reload", &json!({"type": "code"}));
    assert!(detail.problem(400, "bad_request").contains("name"));
}

#[test]
fn sighup_reloads_the_file_and_ends_nothing() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    let pid = astra.wait_for("web", "running")["pid"].clone();
    astra.write(json!({"web": service(&json!({})), "new": service(&json!({}))}));
    astra.signal("HUP");
    eventually("the new one is there", || {
        (astra.get("/supervisor/status/new").status == 200).then_some(())
    });
    astra.wait_for("new", "running");
    astra.write_text("{");
    astra.signal("HUP");
    astra.wait_for_log("reload failed, nothing changed");
    assert_eq!(astra.status("web")["pid"], pid);
}

#[test]
fn reload_of_a_service_not_in_the_file_is_refused() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    let body = json!({"name": "added", "config": {"cmd": "exec sleep 60", "start_seconds": 0}});
    astra.post_json("/supervisor/start?wait=60", &body).expect(200);
    let detail = astra.ask("reload", "added").problem(404, "not_found");
    assert!(detail.contains("added") && detail.contains("code"), "{detail}");
    astra.write(json!({"other": service(&json!({}))}));
    astra.ask("reload", "web").problem(404, "not_found");
    assert_eq!(astra.status("web")["status"], "running");
}

#[test]
fn service_returning_while_stopping_is_back() {
    let slow = service(&json!({
        "cmd": "trap ': > asked; while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM; \
                echo begin; while :; do sleep 0.02; done",
        "stop_timeout": 600,
    }));
    let both = json!({"slow": slow, "web": service(&json!({}))});
    let astra = Astra::start(both.clone());
    astra.wait_for_line("slow", "begin");
    astra.write(json!({"web": service(&json!({}))}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    eventually("it is asked to end", || astra.folder().join("asked").exists().then_some(()));
    astra.write(both);
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    astra.touch("go");
    eventually("it is up again", || {
        let report = astra.get("/supervisor/status/slow");
        (report.status == 200 && report.json()["status"] == "running").then_some(())
    });
}

#[test]
fn file_takes_over_a_service_added_by_the_api() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    let body = json!({
        "name": "added", "config": {"cmd": "echo api; exec sleep 60", "start_seconds": 0},
    });
    astra.post_json("/supervisor/start?wait=60", &body).expect(200);
    let file = json!({"web": service(&json!({})), "added": {"cmd": "echo file; exec sleep 60"}});
    astra.write(file);
    reload(&astra, &json!({}));
    astra.wait_for_line("added", "file");
    // It is in the file now, and is removed with it.
    astra.write(json!({"web": service(&json!({}))}));
    reload(&astra, &json!({}));
    astra.get("/supervisor/status/added").problem(404, "not_found");
}

#[test]
fn reload_with_wait_returns_after_removals() {
    let with = json!({"web": service(&json!({})), "db": service(&json!({}))});
    let astra = Astra::start(with.clone());
    let is_over = AtomicBool::new(false);
    let poll = || {
        while !is_over.load(Ordering::SeqCst) {
            astra.get("/supervisor/status").expect(200);
        }
    };
    std::thread::scope(|scope| {
        // More requests meanwhile make a race more likely.
        for _ in 0..4 {
            scope.spawn(poll);
        }
        let early = (0..20).filter(|_| {
            astra.write(json!({"db": service(&json!({}))}));
            reload(&astra, &json!({}));
            let is_there = astra.get("/supervisor/status/web").status == 200;
            astra.write(with.clone());
            reload(&astra, &json!({}));
            is_there
        });
        let early = early.count();
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(early, 0, "of 20 answers");
    });
}

#[test]
fn overrides_survive_a_reload_of_other_fields() {
    let astra = Astra::start(json!({"web": service(&json!({}))}));
    let body = json!({"name": "web", "config": {"env": {"A": "2"}, "start_seconds": 0}});
    astra.post_json("/supervisor/restart?wait=20", &body).expect(200);
    let pid = astra.pid_of("web");
    astra.write(json!({"web": service(&json!({
        "optional": true, "restart_policy": {"mode": "never"}, "start_seconds": 600,
        "health_check": {"cmd": "test $A = 2", "interval": 0.1},
    }))}));
    let answer = reload(&astra, &json!({"name": "web"}));
    assert!(message_of(&answer).contains("except to fields that its start overrides"), "{answer}");
    let report = astra.wait_until("web", "checked", |it| it["health"] != "unknown");
    assert_eq!((astra.pid_of("web"), &report["optional"]), (pid, &json!(true)));
    let config = astra.get("/supervisor/services/web").expect(200).json()["config"].clone();
    assert_eq!((&config["env"]["A"], &config["start_seconds"]), (&json!("2"), &json!(0.0)));
    crate::harness::kill("KILL", pid);
    astra.wait_for("web", "crashed");
}

#[test]
fn reload_waits_for_a_service_returning_while_stopping() {
    let file = json!({"web": {
        // It receives the signal while it is being ended.
        "cmd": "trap 'trap \"\" TERM; sleep 0.5; exit 0' TERM; echo begin; \
                while :; do sleep 0.05; done",
    }});
    let astra = Astra::start(file.clone());
    for body in [json!({}), json!({"name": "web"})] {
        astra.wait_for_line("web", "begin");
        let pid = astra.wait_for("web", "running")["pid"].clone();
        astra.write(json!({}));
        astra.post_json("/supervisor/reload", &json!({})).expect(200);
        astra.write(file.clone());
        let answer = reload(&astra, &body);
        assert!(message_of(&answer).to_lowercase().contains("restart"), "{answer}");
        assert!(!message_of(&answer).contains("nothing"), "{answer}");
        let report = astra.status("web");
        assert!(report["status"] == "running" && report["pid"] != pid, "{report}");
    }
}

#[test]
fn service_that_is_down_is_restarted_instead_of_signalled() {
    let with = |size: &str| {
        service(&json!({
            "cmd": "exit 1", "reload_signal": "HUP", "env": {"SIZE": size},
            "restart_policy": {"backoff_seconds": 600},
        }))
    };
    let astra = Astra::start(json!({"web": with("1")}));
    for (size, body) in [("2", json!({})), ("3", json!({"name": "web"}))] {
        astra.wait_for("web", "backoff");
        astra.write(json!({"web": with(size)}));
        let answer = astra.post_json("/supervisor/reload", &body).expect(200).json();
        assert!(
            message_of(&answer).to_lowercase().contains("restart")
                && !message_of(&answer).contains("signal"),
            "{answer}"
        );
    }
}

#[test]
fn reload_reports_no_start_without_autostart() {
    let web = service(&json!({}));
    let astra = Astra::start(json!({"web": web}));
    let off = service(&json!({"autostart": false}));
    astra.write(json!({"web": web, "off": off, "on": web}));
    assert_eq!(
        message_of(&reload(&astra, &json!({}))),
        "The file has changed; started: on; added: off."
    );
    astra.write(json!({"web": web}));
    let answer = reload(&astra, &json!({}));
    assert_eq!(message_of(&answer), "The file has changed; stopped: on; removed: off.");
}

#[test]
fn a_reload_does_not_undo_a_stop() {
    let service = |color: &str| {
        let cmd = "trap 'echo asked' TERM; echo ready; until [ -e go ]; do sleep 0.02; done";
        json!({"cmd": cmd, "env": {"COLOR": color}, "stop_timeout": 600, "start_seconds": 0})
    };
    let astra = Astra::start(json!({"web": service("red")}));
    astra.wait_for_line("web", "ready");
    astra.ask("stop", "web").expect(200);
    astra.wait_for_line("web", "asked");
    astra.write(json!({"web": service("blue")}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    assert_eq!(astra.status("web")["status"], "stopping");
    astra.signal("HUP");
    astra.wait_for_log("nothing was restarted");
    astra.touch("go");
    astra.wait_for("web", "stopped");
    assert_eq!(astra.status("web")["restart_count"], 0);
}
