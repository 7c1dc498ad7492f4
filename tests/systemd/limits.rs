//! Resource limits of services: enforced by the kernel, or refused with the reason.

use super::group::Group;
use crate::harness::{Astra, Server, binary, eventually};
use serde_json::{Value, json};
use std::fs;
use std::process::Output;

fn limited(limits: &Value) -> Value {
    json!({"tts": {"cmd": "exec sleep 60", "limits": limits}})
}

#[test]
fn limits_without_a_control_group_end_astra_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let services = limited(&json!({"memory_mb": 64}));
    fs::write(folder.path().join("astra_services.json"), services.to_string()).unwrap();
    let mut command = binary();
    command.args(["astra", "--port", "0"]).current_dir(folder.path());
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{stderr}");
    let expected = "astra_services.json: tts.limits: cannot be enforced: ";
    assert!(stderr.lines().any(|line| line.starts_with(expected)), "{stderr}");
}

#[test]
fn limits_without_a_cgroup_are_refused() {
    let astra = Astra::start(json!({"tts": {"cmd": "exec sleep 60"}}));
    let pid = astra.pid_of("tts");
    let limits = json!({"processes": 9});
    let body = json!({"name": "new", "config": {"cmd": "true", "limits": limits}});
    let detail = astra.post_json("/supervisor/start", &body).problem(400, "bad_request");
    assert!(detail.starts_with("new.limits: cannot be enforced: "), "{detail}");
    let body = json!({"name": "tts", "config": {"limits": limits}});
    let detail = astra.post_json("/supervisor/restart", &body).problem(400, "bad_request");
    assert!(detail.starts_with("tts.limits: cannot be enforced: "), "{detail}");
    astra.write(limited(&limits));
    let detail = astra.post_json("/supervisor/reload", &json!({})).problem(400, "bad_request");
    assert!(detail.contains("services.json: tts.limits: cannot be enforced: "), "{detail}");
    assert_eq!(astra.pid_of("tts"), pid);
    astra.get("/supervisor/status/new").problem(404, "not_found");
}

#[test]
fn check_accepts_limits_for_other_machines() {
    let folder = tempfile::tempdir().unwrap();
    let services = limited(&json!({"memory_mb": 64, "cpu_percent": 50, "processes": 9}));
    fs::write(folder.path().join("astra_services.json"), services.to_string()).unwrap();
    let status = binary().arg("check").current_dir(folder.path()).output().unwrap().status;
    assert_eq!(status.code(), Some(0));
}

/// Creates a group with or without this controller.
fn group(controller: &str, is_there: bool) -> Option<Group> {
    let group = Group::make()?;
    let offered = group.read(".", "cgroup.controllers");
    if offered.split(' ').any(|name| name == controller) == is_there {
        return Some(group);
    }
    eprintln!("{controller} is among {offered:?}, or is not: not tested");
    None
}

#[test]
fn limit_without_its_controller_is_refused() {
    let Some(group) = group("memory", false) else { return };
    let astra = Astra::start_command(group.binary(), json!({}));
    let body = json!({"name": "tts", "config": {"cmd": "true", "limits": {"memory_mb": 64}}});
    let detail = astra.post_json("/supervisor/start", &body).problem(400, "bad_request");
    let why = "cannot be enforced: our control group does not have the memory controller.";
    assert_eq!(detail, format!("tts.limits.memory_mb: {why}"));
}

#[test]
fn memory_limit_ends_the_whole_process_tree() {
    let Some(group) = group("memory", true) else { return };
    let hog = "sleep 60 & python3 -c 'x = bytearray(10**9)'; echo survived";
    let services = json!({"tts": {
        "cmd": hog, "limits": {"memory_mb": 32}, "restart_policy": {"mode": "never"},
    }});
    let astra = Astra::start_command(group.binary(), services);
    astra.wait_for("tts", "crashed");
    let exits = astra.get("/supervisor/services/tts").expect(200).json()["exits"].clone();
    assert_eq!((&exits[0]["ended_by"], &exits[0]["signal"]), (&json!("limit"), &json!("SIGKILL")));
    assert_eq!(astra.lines("tts"), Vec::<String>::new());
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn a_service_cannot_have_more_processes_than_its_limit() {
    let Some(group) = group("pids", true) else { return };
    let bomb = "for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; echo through; wait";
    let services = json!({"tts": {
        "cmd": bomb, "limits": {"processes": 5}, "restart_policy": {"mode": "never"},
    }});
    let astra = Astra::start_command(group.binary(), services);
    eventually("the shell cannot fork", || {
        let lines = astra.lines("tts");
        lines.iter().any(|line| line.to_lowercase().contains("fork")).then_some(())
    });
    assert!(astra.living().len() <= 5, "{:?}", astra.living());
}

#[test]
fn a_service_gets_no_more_cpu_time_than_its_limit() {
    let Some(group) = group("cpu", true) else { return };
    let services = json!({"tts": {
        "cmd": "while :; do :; done", "limits": {"cpu_percent": 20},
    }});
    let astra = Astra::start_command(group.binary(), services);
    astra.wait_for("tts", "running");
    let run = group.inner().into_iter().find(|name| name.starts_with("run-")).unwrap();
    assert_eq!(group.read(&run, "cpu.max"), "20000 100000");
    eventually("it is slowed down", || {
        let stat = group.read(&run, "cpu.stat");
        let line = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "))?;
        line.parse().is_ok_and(|periods: u64| periods > 0).then_some(())
    });
}

#[test]
fn unit_memory_limit_is_reported_as_a_limit() {
    let Some(group) = group("memory", true) else { return };
    group.write("memory.max", "100000000");
    let server = Server::start_command(group.binary());
    server.run("exec python3 -c 'x = bytearray(10**9)'");
    let ended = server.ended();
    assert_eq!((&ended["ended_by"], &ended["status"]), (&json!("limit"), &json!("killed")));
}
