//! The examples of the specification, unchanged.

use crate::harness::{Server, eventually};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};

#[test]
fn a_simple_command_runs_and_exits() {
    let server = Server::start();
    let started = server.run("echo 'Hello World'");
    assert_eq!(started["command"], "echo 'Hello World'");
    assert_eq!(started["status"], "running");
    assert!(started["process_pid"].is_u64());
    let status = server.ended();
    assert_eq!((&status["status"], &status["exit_code"]), (&json!("exited"), &json!(0)));
    assert_eq!(server.content(""), "Hello World");
}

#[test]
fn a_second_start_is_a_conflict() {
    let server = Server::start();
    let pid = server.run("sleep 10")["process_pid"].to_string();
    let second = server.post_json("/start", &json!({"command": "echo test"}));
    let detail = second.problem(409, "conflict");
    assert!(detail.contains(&pid) && detail.contains("sleep 10"), "{detail}");
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn a_web_server_restarts_with_a_new_log() {
    let server = Server::start();
    // A recently free port: http.server cannot use an inherited socket.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let command = format!("exec python3 -m http.server {port} --bind 127.0.0.1");
    let answers = || TcpStream::connect(("127.0.0.1", port)).ok();
    let first = server.run(&command);
    eventually("the web server answers", answers);
    let second = server.post("/restart?timeout=5").expect(200).json();
    assert_eq!(second["status"], "running");
    assert_eq!(second["command"], Value::from(command));
    assert_ne!(second["process_pid"], first["process_pid"]);
    assert_ne!(second["log_file"], first["log_file"]);
    eventually("the web server answers again", answers);
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn the_full_workflow() {
    let server = Server::start();
    let pid = server.run("sleep 5")["process_pid"].clone();
    assert_eq!(server.get("/status").expect(200).json()["process_pid"], pid);
    let killed = server.post("/kill?type=SIGTERM").expect(200).json();
    assert_eq!(killed["status"], "killed");
    assert_eq!(killed["type"], "SIGTERM");
    assert_eq!((&killed["exit_code"], &killed["signal"]), (&json!(-15), &json!("SIGTERM")));
    let status = server.get("/status").expect(200).json();
    assert_eq!(status["status"], "killed");
    assert_eq!(status["stopped_at"], killed["stopped_at"]);
    assert_eq!(status["ended_by"], "kill");
}

#[test]
fn health_is_healthy() {
    let health = Server::start().get("/health").expect(200).json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime"].is_u64());
}
