//! `config`: overrides for one run, and services that are not in the file.

use crate::harness::{Answer, Astra, eventually, kill};
use serde_json::{Value, json};

fn start(astra: &Astra, verb: &str, name: &str, config: &Value) -> Value {
    let body = json!({"name": name, "config": config});
    astra.post_json(&format!("/supervisor/{verb}?wait=60"), &body).expect(200).json()
}

fn remove(astra: &Astra, path: &str) -> Answer {
    astra.request(&format!("DELETE /supervisor/services/{path}"), &[], b"")
}

/// Waits until the last line is this one.
fn wait_for_last_line(astra: &Astra, name: &str, line: &str) {
    eventually(&format!("{name} ends with {line:?}"), || {
        (astra.lines(name).last()? == line).then_some(())
    });
}

fn service() -> Value {
    json!({
        "cmd": "echo \"$COLOR $SIZE\"; exec sleep 60", "autostart": false,
        "env": {"COLOR": "red", "SIZE": "1"}, "restart_policy": {"backoff_seconds": 0},
    })
}

#[test]
fn overrides_last_until_a_plain_start() {
    let astra = Astra::start(json!({"web": service()}));
    start(&astra, "start", "web", &json!({"env": {"COLOR": "blue"}}));
    wait_for_last_line(&astra, "web", "blue 1");
    kill("KILL", astra.pid_of("web"));
    astra.wait_until("web", "restarted", |it| it["restart_count"] == 1 && it["pid"].is_u64());
    eventually("it has begun again", || (astra.lines("web").len() == 2).then_some(()));
    assert_eq!(astra.lines("web"), ["blue 1", "blue 1"]);
    astra.settle("stop", "web");
    astra.settle("start", "web");
    wait_for_last_line(&astra, "web", "red 1");
}

#[test]
fn plain_restart_drops_overrides() {
    let astra = Astra::start(json!({"web": service()}));
    start(&astra, "start", "web", &json!({"env": {"SIZE": null, "COLOR": "blue"}}));
    wait_for_last_line(&astra, "web", "blue ");
    start(&astra, "restart", "web", &json!({"env": {"SIZE": "2"}}));
    wait_for_last_line(&astra, "web", "red 2");
    astra.settle("restart", "web");
    wait_for_last_line(&astra, "web", "red 1");
}

#[test]
fn any_field_can_be_overridden() {
    let astra = Astra::start(json!({"web": service()}));
    let config = json!({
        "cmd": "echo other; exec sleep 60", "port": 7, "optional": true, "start_seconds": 0.1,
        "cwd": "/",
    });
    assert_eq!(start(&astra, "start", "web", &config)["status"], "running");
    wait_for_last_line(&astra, "web", "other");
    let report = astra.status("web");
    assert_eq!((&report["port"], &report["optional"]), (&json!(7), &json!(true)));
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", astra.pid_of("web"))).unwrap();
    assert_eq!(cwd.to_str(), Some("/"));
    astra.settle("restart", "web");
    let report = astra.status("web");
    assert_eq!((&report["port"], &report["optional"]), (&Value::Null, &json!(false)));
}

#[test]
fn invalid_overrides_name_the_field_and_change_nothing() {
    let astra = Astra::start(json!({"web": service(), "db": {"cmd": "exec sleep 60"}}));
    astra.wait_for("db", "running");
    let pid = astra.pid_of("db");
    for (config, expected) in [
        (json!({"evn": {}}), "did you mean \"env\"?"),
        (json!({"env": {"A": 5}}), "env.A"),
        (json!({"cmd": []}), "cmd"),
        (json!({"restart_policy": {"max_restart": 1}}), "restart_policy.max_restart"),
        (json!({"depends_on": ["nope"]}), "nope"),
        (json!({"depends_on": ["db"]}), "cycle"),
        (json!({"env": {"A": "${NO_SUCH_NAME}"}}), "NO_SUCH_NAME"),
        (json!("x"), "object"),
        (json!(["x"]), "object"),
    ] {
        for verb in ["start", "restart"] {
            let name = if expected == "cycle" { "db" } else { "web" };
            let body = json!({"name": name, "config": config});
            let answer = astra.post_json(&format!("/supervisor/{verb}"), &body);
            let detail = answer.problem(400, "bad_request");
            assert!(detail.contains(expected) && !detail.contains("?."), "{config}: {detail}");
        }
    }
    assert_eq!(astra.status("web")["status"], "stopped");
    assert_eq!(astra.pid_of("db"), pid);
    astra.settle("start", "web");
    wait_for_last_line(&astra, "web", "red 1");
}

#[test]
fn refused_start_leaves_the_run_unchanged() {
    let astra = Astra::start(json!({"web": service()}));
    start(&astra, "start", "web", &json!({"env": {"COLOR": "blue"}}));
    wait_for_last_line(&astra, "web", "blue 1");
    let body = json!({"name": "web", "config": {"env": {"COLOR": "green"}}});
    astra.post_json("/supervisor/start", &body).problem(409, "conflict");
    kill("KILL", astra.pid_of("web"));
    eventually("it has begun again", || (astra.lines("web").len() == 2).then_some(()));
    assert_eq!(astra.lines("web")[1], "blue 1");
}

#[test]
fn new_name_with_cmd_adds_a_service() {
    let mut astra = Astra::start(json!({"db": {"cmd": "exec sleep 60"}}));
    let config = json!({
        "cmd": "echo added; exec sleep 60", "depends_on": ["db"], "start_seconds": 0,
    });
    assert_eq!(start(&astra, "start", "new", &config)["status"], "running");
    let report = astra.get("/supervisor/status").expect(200).json();
    assert_eq!(report["services"]["new"]["depends_on"], json!(["db"]));
    assert_eq!(report["system"]["total_services"], 2);
    wait_for_last_line(&astra, "new", "added");
    for verb in ["stop", "start", "restart"] {
        astra.settle(verb, "new");
    }
    let pid = astra.pid_of("new");
    astra.write(json!({"db": {"cmd": "exec sleep 61"}}));
    astra.post_json("/supervisor/reload?wait=60", &json!({})).expect(200);
    assert_eq!(astra.pid_of("new"), pid, "a reload leaves it alone");
    astra.signal("TERM");
    astra.wait();
    astra.start_again();
    astra.get("/supervisor/status/new").problem(404, "not_found");
}

#[test]
fn invalid_definition_adds_no_service() {
    let astra = Astra::start(json!({"db": {"cmd": "exec sleep 60"}}));
    for (name, config, status) in [
        ("new", json!({"env": {}}), 404),
        ("new", json!({"cmd": null}), 404),
        ("new", json!({"cmd": "x", "restart": 1}), 400),
        ("new", json!({"cmd": "x", "depends_on": ["new"]}), 400),
        ("../new", json!({"cmd": "x"}), 400),
        ("a/b", json!({"cmd": "x"}), 400),
        ("..", json!({"cmd": "x"}), 400),
        ("", json!({"cmd": "x"}), 400),
        (&"n".repeat(65), json!({"cmd": "x"}), 400),
        ("a b", json!({"cmd": "x"}), 400),
    ] {
        let body = json!({"name": name, "config": config});
        astra.post_json("/supervisor/start", &body).expect(status);
    }
    let body = json!({"name": "new", "config": {"cmd": "x"}});
    astra.post_json("/supervisor/restart", &body).problem(404, "not_found");
    let report = astra.get("/supervisor/status").expect(200).json();
    assert_eq!(report["system"]["total_services"], 1);
    assert!(!astra.folder().join("new").exists());
}

#[test]
fn a_service_that_was_added_is_removed() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let config = json!({
        "cmd": "sleep 60 & sleep 60 & echo up; wait", "start_seconds": 0, "depends_on": ["web"],
    });
    assert_eq!(start(&astra, "start", "extra", &config)["status"], "running");
    wait_for_last_line(&astra, "extra", "up");
    let needing = json!({"cmd": "exec sleep 60", "depends_on": ["extra"], "start_seconds": 0});
    assert_eq!(start(&astra, "start", "last", &needing)["status"], "running");
    let needed = remove(&astra, "extra").problem(409, "conflict");
    assert!(needed.contains("last"), "{needed}");

    remove(&astra, "last").expect(204);
    assert_eq!(astra.living().len(), 4, "{:?}", astra.living());
    remove(&astra, "extra").expect(204);
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
    astra.get("/supervisor/status/extra").problem(404, "not_found");
    remove(&astra, "extra").problem(404, "not_found");
    let in_file = remove(&astra, "web").problem(409, "conflict");
    assert!(in_file.contains("services file"), "{in_file}");
    assert_eq!(astra.status("web")["status"], "running");

    // Its name is free, and the log goes on.
    assert_eq!(start(&astra, "start", "extra", &config)["status"], "running");
    eventually("it runs again", || (astra.lines("extra") == ["up", "up"]).then_some(()));
}

#[test]
fn a_service_that_stops_slowly_is_removed_later() {
    let astra = Astra::start(json!({}));
    let config = json!({
        "cmd": "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done",
        "start_seconds": 0, "stop_timeout": 3,
    });
    assert_eq!(start(&astra, "start", "slow", &config)["status"], "running");
    wait_for_last_line(&astra, "slow", "up");
    let detail = remove(&astra, "slow?wait=0").problem(409, "conflict");
    assert!(detail.contains("is stopping") && detail.contains("removed"), "{detail}");
    let body = json!({"name": "slow"});
    let refused = astra.post_json("/supervisor/start", &body).problem(409, "conflict");
    assert!(refused.contains("being removed"), "{refused}");
    remove(&astra, "slow").expect(204);
    astra.get("/supervisor/status/slow").problem(404, "not_found");
}
