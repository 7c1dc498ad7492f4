//! A machine without free processes.

use super::{Crowd, as_user};
use crate::harness::{Astra, Server, binary, fixture, kill};
use serde_json::json;
use std::process::Command;

/// The limit of processes and threads of the users.
const PROCESSES: u64 = 40;

#[test]
fn start_without_a_process_leaves_nothing() {
    const USER: u32 = 1_054_323;
    let Some(command) = as_user(USER, PROCESSES) else { return };
    let server = Server::start_command_in_open_folder(command);
    let crowd = Crowd::gather(USER, PROCESSES);
    for _ in 0..3 {
        let refused = server.post_json("/start", &json!({ "command": "sleep 60" }));
        let detail = refused.problem(500, "internal");
        assert!(detail.contains("out of processes"), "{detail}");
    }
    server.get("/status").expect(404);
    assert_eq!(server.get("/runs").expect(200).json()["runs"], json!([]));
    assert_eq!(server.logs_count(), 0);
    drop(crowd);
    assert_eq!(server.run_to_end("echo there")["exit_code"], 0);
    assert_eq!(server.content(""), "there");
}

#[test]
fn start_without_memory_fails_and_leaves_nothing() {
    let mut command = Command::new("python3");
    command.arg(fixture("no_memory_to_fork.py")).arg(binary().get_program());
    let server = Server::start_command(command);
    for _ in 0..3 {
        let refused = server.post_json("/start", &json!({ "command": "sleep 60" }));
        let detail = refused.problem(500, "internal");
        assert!(detail.contains("Cannot allocate memory"), "{detail}");
    }
    server.get("/status").expect(404);
    assert_eq!(server.get("/runs").expect(200).json()["runs"], json!([]));
    assert_eq!(server.logs_count(), 0);
}

#[test]
fn restart_reports_a_failed_fork_and_can_be_repeated() {
    const USER: u32 = 1_054_324;
    let Some(command) = as_user(USER, PROCESSES) else { return };
    let server = Server::start_command_in_open_folder(command);
    server.run("echo up; exec sleep 600");
    server.wait_for_output("up");
    let crowd = Crowd::gather(USER, PROCESSES);
    server.post("/restart").problem(500, "internal");
    let status = server.get("/status").expect(200).json();
    assert_eq!((&status["status"], &status["ended_by"]), (&json!("killed"), &json!("restart")));
    drop(crowd);
    server.post("/restart").expect(200);
    server.post("/kill").expect(200);
}

#[test]
fn service_start_is_retried_after_a_failed_fork() {
    const USER: u32 = 1_054_325;
    let Some(command) = as_user(USER, PROCESSES) else { return };
    let policy = json!({ "mode": "always", "backoff_seconds": 0.2, "max_restarts": 1000 });
    let services = json!({ "a": { "cmd": ["sleep", "600"], "restart_policy": policy } });
    let astra = Astra::start_command_in_open_folder(command, services);
    let pid = astra.pid_of("a");
    let crowd = Crowd::gather(USER, PROCESSES);
    kill("KILL", pid);
    let status = astra.wait_until("a", "refused", |status| {
        status["message"].as_str().is_some_and(|message| message.contains("out of processes"))
    });
    assert_eq!(status["pid"], json!(null));
    drop(crowd);
    astra.wait_for("a", "running");
}
