//! POST /restart.

use crate::harness::raw::Client;
use crate::harness::{Server, eventually};
use serde_json::{Value, json};

/// Prints `ready`, then `asked` for each SIGTERM, and continues.
const STUBBORN: &str = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done";

#[test]
fn restart_ends_the_tree_and_starts_with_a_new_log() {
    let server = Server::start();
    let first = server.run("sleep 60 & echo $RUN_ID; wait");
    server.wait_for_output(first["run_id"].as_str().unwrap());
    let second = server.post("/restart").expect(200).json();
    assert_eq!((&second["status"], &second["command"]), (&json!("running"), &first["command"]));
    for field in ["process_pid", "log_file", "run_id"] {
        assert_ne!(second[field], first[field], "{field}");
    }
    server.wait_for_output(second["run_id"].as_str().unwrap());
    assert_eq!(server.living().len(), 2);
    server.post("/kill").expect(200);
}

#[test]
fn a_restart_waits_its_timeout_then_kills() {
    let server = Server::start();
    server.run(STUBBORN);
    server.wait_for_output("ready");
    let second = server.post("/restart?timeout=0.3").expect(200).json();
    assert_eq!(second["status"], "running");
    server.wait_for_log("ended by a restart, with SIGKILL");
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn default_restart_timeout_is_a_setting() {
    let server = Server::start_with(&["--default-restart-timeout", "0.3"]);
    server.run(STUBBORN);
    server.wait_for_output("ready");
    server.post("/restart").expect(200);
    server.wait_for_log("ended by a restart, with SIGKILL");
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn ended_command_can_be_restarted() {
    let server = Server::start();
    let first = server.run_to_end("sleep 60 & exit 3");
    let second = server.post("/restart").expect(200).json();
    assert_ne!(second["process_pid"], first["process_pid"]);
    assert_eq!(server.ended()["exit_code"], 3);
    assert_eq!(server.living().len(), 1, "the first run's leftover was ended");
    server.post("/kill").expect(200);
}

#[test]
fn kill_shortens_the_grace_and_cancels_the_start() {
    let server = Server::start();
    let first = server.run(STUBBORN);
    server.wait_for_output("ready");
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| server.post("/restart?timeout=3600"));
        server.wait_for_output("asked");
        let killed = server.post("/kill?type=SIGKILL").expect(200).json();
        let detail = restart.join().unwrap().problem(409, "conflict");
        assert!(detail.contains("A kill ended the command"), "{detail}");
        assert_eq!(killed["exit_code"], -9);
    });
    let status = server.get("/status").expect(200).json();
    assert_eq!(status["process_pid"], first["process_pid"]);
    assert_eq!((&status["status"], &status["ended_by"]), (&json!("killed"), &json!("kill")));
}

#[test]
fn kill_cancels_queued_restarts() {
    let server = Server::start();
    server.run(STUBBORN);
    server.wait_for_output("ready");
    eventually("no request is left", || server.connections().is_empty().then_some(()));
    let address = server.address();
    let request = format!(
        "POST /restart?timeout=3600 HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
    );
    let mut restarts = [(); 3].map(|()| Client::connect(address));
    for restart in &mut restarts {
        restart.send(&request);
    }
    // Their requests have arrived, so that they only wait for their turn.
    eventually("all three wait", || (server.connections() == "SSS").then_some(()));
    server.post("/kill?type=SIGKILL").expect(200);
    for mut restart in restarts {
        let answer = restart.answer();
        assert_eq!((answer.status, answer.json("code")), (409, json!("conflict")));
    }
    assert_eq!(server.get("/status").expect(200).json()["status"], "killed");
}

#[test]
fn twenty_restarts_at_once_leave_one_instance() {
    let server = Server::start();
    server.run("exec sleep 60");
    let pids: Vec<Value> = std::thread::scope(|scope| {
        let restart = || server.post("/restart").expect(200).json()["process_pid"].clone();
        let restarts: Vec<_> = (0..20).map(|_| scope.spawn(restart)).collect();
        restarts.into_iter().map(|restart| restart.join().unwrap()).collect()
    });
    let living = server.living();
    assert_eq!(living.len(), 1, "{living:?}");
    let pid = server.get("/status").expect(200).json()["process_pid"].clone();
    assert!(pids.contains(&pid) && living[0].starts_with(&format!("{pid} ")), "{living:?}");
    server.post("/kill").expect(200);
}

#[test]
fn invalid_timeout_restarts_nothing() {
    let server = Server::start();
    let first = server.run("sleep 60");
    for timeout in ["-1", "ten", "NaN", "inf", "86401", ""] {
        let answer = server.post(&format!("/restart?timeout={timeout}"));
        let detail = answer.problem(400, "bad_request");
        assert!(detail.contains("timeout") && detail.contains("seconds"), "{detail}");
    }
    let status = server.get("/status").expect(200).json();
    assert_eq!(status["process_pid"], first["process_pid"]);
    server.post("/kill").expect(200);
}
