//! POST /start and GET /status.

use crate::harness::{Server, binary, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Whether this is an instant in the format of the API.
fn is_instant(value: &Value) -> bool {
    let form = "0000-00-00T00:00:00.000000Z";
    let text = value.as_str().unwrap_or_default();
    let fits = |(c, f): (char, char)| if f == '0' { c.is_ascii_digit() } else { c == f };
    text.len() == form.len() && text.chars().zip(form.chars()).all(fits)
}

#[test]
fn a_status_has_every_field() {
    let server = Server::start();
    let status = server.run("sleep 60");
    assert!(is_instant(&status["created_at"]), "{status}");
    for (field, expected) in [
        ("command", json!("sleep 60")),
        ("status", json!("running")),
        ("stopped_at", json!(null)),
        ("exit_code", json!(null)),
        ("signal", json!(null)),
        ("ended_by", json!(null)),
        ("idle", json!(null)),
        ("pty", json!(false)),
        ("stdin_open", json!(false)),
        ("cwd", json!(server.folder().to_str())),
        ("leftover_pids", json!([])),
        ("log_dropped_lines", json!(0)),
    ] {
        assert_eq!(status[field], expected, "{field} in {status}");
    }
    for field in ["uptime", "cpu_percent", "memory_mb"] {
        assert!(status[field].is_f64(), "{field} in {status}");
    }
    assert!(status["process_pid"].is_u64() && status["run_id"].is_string(), "{status}");
    let log_file = status["log_file"].as_str().unwrap();
    let created = status["created_at"].as_str().unwrap();
    let expected = format!("logs/{}.log", created[..19].replace(':', "-").replace('T', "_"));
    assert_eq!(log_file, expected);
    server.post("/kill").expect(200);
    let ended = server.get("/status").expect(200).json();
    assert!(is_instant(&ended["stopped_at"]) && ended["uptime"].is_f64(), "{ended}");
}

#[test]
fn status_is_empty_before_the_first_start() {
    let server = Server::start();
    for path in ["/status", "/logs"] {
        let detail = server.get(path).problem(404, "not_found");
        assert!(detail.contains("POST /start"), "{detail}");
    }
    for path in ["/kill", "/restart"] {
        server.post(path).problem(404, "not_found");
    }
}

#[test]
fn invalid_start_is_refused_and_leaves_no_trace() {
    let server = Server::start();
    for (command, expected) in
        [("", "empty"), (" \t\n", "empty"), ("echo a\0b", "NUL"), (&"x".repeat(131_072), "131071")]
    {
        let answer = server.post_json("/start", &json!({ "command": command }));
        let detail = answer.problem(400, "bad_request");
        assert!(detail.contains(expected), "{detail}");
    }
    server.get("/status").problem(404, "not_found");
    assert_eq!(server.logs_count(), 0);
}

#[test]
fn the_longest_command_runs() {
    let server = Server::start();
    let command = format!("exit 3 #{}", "x".repeat(131_071 - 8));
    assert_eq!(server.run_to_end(&command)["exit_code"], 3);
}

#[test]
fn of_concurrent_starts_exactly_one_wins() {
    let server = Server::start();
    let start = |_| {
        let server = &server;
        move || server.post_json("/start", &json!({"command": "sleep 60"})).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..16).map(start).map(|start| scope.spawn(start)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 15, "{statuses:?}");
    assert_eq!(server.logs_count(), 1);
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn missing_shell_is_a_server_error_without_trace() {
    let folder = tempfile::tempdir().unwrap();
    let shell = folder.path().join("shell");
    std::fs::copy("/bin/sh", &shell).unwrap();
    let server = Server::start_with(&["--shell", shell.to_str().unwrap()]);
    std::fs::remove_file(&shell).unwrap();
    let detail = server.post_json("/start", &json!({"command": "ls"})).problem(500, "internal");
    assert!(
        detail.contains(shell.to_str().unwrap()) && detail.contains("LLM_SHELL_SHELL"),
        "{detail}"
    );
    server.get("/status").problem(404, "not_found");
    assert_eq!(server.logs_count(), 0);
    server.post_json("/start", &json!({"command": "ls"})).problem(500, "internal");
}

/// The kernel takes 131,071 bytes for one variable, and of all together what `ulimit -s` allows.
#[test]
fn too_large_environment_is_a_bad_request() {
    let server = Server::start();
    let with = |env: Value| server.post_json("/start", &json!({"command": "true", "env": env}));
    let detail = with(json!({"BIG": "x".repeat(200_000)})).problem(400, "bad_request");
    assert!(detail.contains("\"BIG\" has 200004 bytes") && detail.contains("131071"), "{detail}");
    assert_eq!(server.logs_count(), 0);
    with(json!({"BIG": "x".repeat(131_067)})).expect(201);
    server.ended();
    let mut narrow = std::process::Command::new("sh");
    let limited = format!("ulimit -s 1024; exec {}", binary().get_program().display());
    narrow.args(["-c", &limited]);
    let server = Server::start_command(narrow);
    let many: serde_json::Map<String, Value> =
        (0..4).map(|i| (format!("BIG{i}"), "x".repeat(100_000).into())).collect();
    let body = json!({"command": "true", "env": many});
    let detail = server.post_json("/start", &body).problem(400, "bad_request");
    assert!(detail.contains("exceed the kernel's size limit"), "{detail}");
}

#[test]
fn runs_of_one_second_have_logs_and_ids_of_their_own() {
    let server = Server::start();
    let runs: Vec<Value> = (0..5).map(|_| server.run_to_end("true")).collect();
    for field in ["log_file", "run_id"] {
        let different: BTreeSet<_> = runs.iter().map(|run| run[field].to_string()).collect();
        assert_eq!(different.len(), 5, "{field}: {different:?}");
    }
}

#[test]
fn usage_covers_the_tree() {
    let server = Server::start();
    // The shell itself waits and uses no CPU time: the reported usage is its child's, however small
    // its share of the processors.
    server.run("sh -c 'while :; do :; done' & wait");
    let busy = eventually("a busy child is counted", || {
        let status = server.get("/status").expect(200).json();
        (status["cpu_percent"].as_f64()? > 0.0).then_some(status)
    });
    assert!(busy["memory_mb"].as_f64().unwrap() > 0.5, "{busy}");
    // Consecutive samples, each at most a second old.
    for _ in 0..2 {
        let since = server.get("/status").expect(200).json()["uptime"].as_f64().unwrap();
        let next = eventually("the next sample", || {
            let status = server.get("/status").expect(200).json();
            (status["uptime"].as_f64()? > since + 1.1).then_some(status)
        });
        assert!(next["memory_mb"].as_f64().unwrap() > 0.5, "{next}");
        assert!(next["cpu_percent"].as_f64().unwrap() > 0.0, "{next}");
    }
    server.post("/kill").expect(200);
    assert_eq!(server.get("/status").expect(200).json()["memory_mb"], 0.0);
}

#[test]
fn metrics_are_of_the_last_command() {
    let server = Server::start();
    let metrics = || server.get("/metrics").expect(200).text();
    assert!(metrics().contains("llm_shell_runs_total 0\n"), "{}", metrics());
    server.run_to_end("echo one; echo two");
    server.run("sleep 60");
    server.post("/kill").expect(200);
    let text = metrics();
    for line in [
        "llm_shell_runs_total 2",
        "llm_shell_run_up 0.0",
        "llm_shell_run_log_lines_total 0",
        "llm_shell_streams 0",
        "llm_shell_streams_max 64",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_command_does_not_end_with_the_connection_that_started_it() {
    // For the kernel its parent is the thread that started it.
    let server = Server::start();
    server.run("exec setpriv --pdeathsig KILL sh -c 'echo ready; exec sleep 60'");
    server.wait_for_output("ready");
    eventually("no other connection is left", || (server.connections().len() < 2).then_some(()));
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    server.post("/kill").expect(200);
}
