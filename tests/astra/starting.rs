//! The start of `llm-shell astra`, and the errors that prevent it.

use crate::harness::{Astra, binary};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Returns exit code and stderr of an `llm-shell astra` that cannot start.
fn refused(command: &mut Command, folder: &Path) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn only_services_with_autostart_start() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60"}, "idle": {"cmd": "exec sleep 60", "autostart": false},
    }));
    astra.wait_for("web", "running");
    let idle = astra.status("idle");
    assert_eq!((&idle["status"], &idle["restart_count"]), (&json!("stopped"), &json!(0)));
    assert_eq!(astra.living().len(), 1);
}

#[test]
fn missing_or_invalid_file_exits_with_2_and_every_error() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stderr) = refused(binary().arg("astra"), folder.path());
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("astra_services.json: cannot be read: No such file"), "{stderr}");
    let file = "{\"a\": {\"cmd\": \"touch started\"},\n \"b\": {\"comd\": 1, \"port\": 0}}";
    std::fs::write(folder.path().join("bad.json"), file).unwrap();
    let (code, stderr) = refused(binary().args(["astra", "--config", "bad.json"]), folder.path());
    assert_eq!((code, stderr.lines().count()), (Some(2), 3), "{stderr}");
    for place in ["bad.json:2:7: b: ", "bad.json:2:8: b.comd: ", "b.port: "] {
        assert!(stderr.contains(place), "{place}\n{stderr}");
    }
    assert!(!folder.path().join("started").exists() && !folder.path().join("logs").exists());
}

#[test]
fn file_without_services_is_valid() {
    let astra = Astra::start(json!({}));
    let report = astra.get("/supervisor/status").expect(200).json();
    assert_eq!((&report["services"], &report["system"]["total_services"]), (&json!({}), &json!(0)));
    let detail = astra.ask("start", "web").problem(404, "not_found");
    assert!(detail.contains("there are none"), "{detail}");
    assert_eq!(astra.get("/health").expect(200).json()["status"], "healthy");
}

#[test]
fn second_supervisor_on_a_log_directory_changes_nothing() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let pid = astra.pid_of("web");
    let mut second = binary();
    second.args(["astra", "--config", "services.json", "--port", "0", "--log-dir", "logs"]);
    let (code, stderr) = refused(&mut second, astra.folder());
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&astra.pid().to_string()), "{stderr}");
    assert_eq!((astra.pid_of("web"), astra.living().len()), (pid, 1));
}

#[test]
fn port_in_use_exits_with_1_before_any_start() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let folder = tempfile::tempdir().unwrap();
    let file = json!({"web": {"cmd": "touch started"}}).to_string();
    std::fs::write(folder.path().join("astra_services.json"), file).unwrap();
    let port = astra.address().port().to_string();
    let (code, stderr) = refused(binary().args(["astra", "--port", &port]), folder.path());
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
    assert!(!folder.path().join("started").exists() && !folder.path().join("logs").exists());
}

#[test]
fn logs_default_to_logs_astra() {
    let folder = tempfile::tempdir().unwrap();
    let file = json!({"web": {"cmd": "echo hello; exit 3", "restart_policy": {"max_restarts": 0}}});
    std::fs::write(folder.path().join("astra_services.json"), file.to_string()).unwrap();
    let mut command = binary();
    command.args(["astra", "--port", "0", "--exit-on-fatal"]);
    let (code, stderr) = refused(&mut command, folder.path());
    assert_eq!(code, Some(1), "{stderr}");
    let logs = std::fs::read_dir(folder.path().join("logs/astra/web")).unwrap();
    let logs: Vec<_> = logs.map(|it| it.unwrap().path()).collect();
    let log = logs.iter().find(|it| it.extension().is_some_and(|end| end == "log")).unwrap();
    assert!(std::fs::read_to_string(log).unwrap().contains("\"line\":\"hello\""));
}

#[test]
fn names_are_letters_digits_dots_underscores_and_hyphens() {
    let names = ["A.b_c-9", ".", "...", "..a", &"n".repeat(64), "a b", "ä", "a/b", "", "n%20"];
    for name in names.into_iter().chain([&*"n".repeat(65)]) {
        let folder = tempfile::tempdir().unwrap();
        let file = json!({name: {"cmd": "true"}}).to_string();
        std::fs::write(folder.path().join("astra_services.json"), file).unwrap();
        let (code, stderr) = refused(binary().arg("check"), folder.path());
        let is_good = ["A.b_c-9", "...", "..a"].contains(&name) || name.len() == 64;
        assert_eq!(code, Some(if is_good { 0 } else { 2 }), "{name}: {stderr}");
    }
}

#[test]
fn a_service_may_have_the_name_of_a_file_of_the_log_directory() {
    // Each has only allowed characters.
    for name in [".runs", ".runs.new"] {
        let astra = Astra::start(json!({ name: {"cmd": "echo hello"} }));
        astra.wait_for(name, "exited");
        assert_eq!(astra.lines(name), ["hello"]);
    }
}

#[test]
fn writable_services_file_causes_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services.json");
    std::fs::write(&file, "{\"a\": {\"cmd\": \"\"}}").unwrap();
    for (mode, is_warned) in [(0o644, false), (0o666, true)] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let mut astra = binary();
        astra.args(["astra", "--config", "services.json"]);
        let (_, stderr) = refused(&mut astra, folder.path());
        assert_eq!(stderr.contains("other users can write services.json"), is_warned, "{stderr}");
    }
}
