//! Earlier runs, across servers that have ended or were killed.

use crate::harness::{Server, binary, eventually, fixture, kill};
use serde_json::{Value, json};
use std::process::Output;

fn runs(server: &Server, query: &str) -> Vec<Value> {
    let body = server.get(&format!("/runs{query}")).expect(200).json();
    body["runs"].as_array().expect("runs").clone()
}

#[test]
fn runs_are_listed_the_newest_first() {
    let server = Server::start();
    assert_eq!(runs(&server, ""), Vec::<Value>::new());
    for code in 0..4 {
        server.run_to_end(&format!("echo run {code}; exit {code}"));
    }
    let all = runs(&server, "");
    let codes: Vec<_> = all.iter().map(|run| run["exit_code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [3, 2, 1, 0]);
    assert_eq!(runs(&server, "?limit=2").len(), 2);
    let status = server.get("/status").expect(200).json();
    let fields = |run: &Value| run.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(all.iter().all(|run| fields(run) == fields(&status)), "{all:?}");
    let third = &all[2];
    let id = third["run_id"].as_str().unwrap();
    let mut one = server.get(&format!("/runs/{id}")).expect(200).json();
    // The time of silence increases.
    one["idle"] = third["idle"].clone();
    assert_eq!((&one, &one["command"]), (third, &json!("echo run 1; exit 1")));
    for _ in 0..2 {
        let logs = server.get(&format!("/runs/{id}/logs?after=0")).expect(200).json();
        assert_eq!((&logs["content"], &logs["running"]), (&json!("run 1"), &json!(false)));
        assert_eq!(logs["log_file"], third["log_file"]);
    }
    let followed = server.get(&format!("/runs/{id}/logs?follow=true")).expect(200);
    assert_eq!(followed.text(), "run 1\n");
}

#[test]
fn unknown_run_is_not_found() {
    let server = Server::start();
    for path in ["/runs/nope", "/runs/nope/logs", "/runs/..%2F..%2Fetc%2Fpasswd/logs", "/runs/%00"]
    {
        let detail = server.get(path).problem(404, "not_found");
        assert!(detail.contains("GET /runs"), "{detail}");
    }
    server.get("/runs?limit=x").problem(400, "bad_request");
    server.get("/runs?all=1").problem(400, "bad_request");
}

#[test]
fn runs_outlive_their_server() {
    let mut server = Server::start();
    server.run_to_end("seq 1000; exit 5");
    server.run("echo two; sleep 60");
    server.wait_for_output("two");
    server.signal("TERM");
    server.wait();
    server.start_again();
    server.get("/status").expect(404);
    let all = runs(&server, "");
    let ends: Vec<_> = all.iter().map(|run| run["ended_by"].as_str().unwrap()).collect();
    assert_eq!(ends, ["shutdown", "itself"]);
    assert_eq!((&all[1]["exit_code"], &all[1]["status"]), (&json!(5), &json!("exited")));
    let id = all[1]["run_id"].as_str().unwrap();
    let page = server.get(&format!("/runs/{id}/logs?after=500&limit=2")).expect(200).json();
    assert_eq!((&page["content"], &page["total_lines"]), (&json!("501\n502"), &json!(1000)));
}

#[test]
fn runs_of_a_killed_server_are_ended_and_lost() {
    let mut server = Server::start();
    let daemon = fixture("daemon.py");
    server.run(&format!("echo mine; python3 {daemon} keep; setsid sleep 60 & sleep 60"));
    server.wait_for_output("ready");
    // Short-lived processes of the daemon's start are not awaited.
    let is_sleep = |line: &&String| line.split_once(' ').is_some_and(|it| it.1 == "sleep 60 ");
    let sleeps = |server: &Server| server.living().iter().filter(is_sleep).count();
    eventually("the tree is there", || (sleeps(&server) == 3).then_some(()));
    kill("KILL", server.pid());
    server.wait();
    assert_eq!(sleeps(&server), 3, "they outlive it: {:?}", server.living());
    server.start_again();
    eventually("nothing of it is left", || server.living().is_empty().then_some(()));
    let all = runs(&server, "");
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["status"], &all[0]["ended_by"]), (&json!("killed"), &json!("lost")));
    assert_eq!((&all[0]["exit_code"], &all[0]["signal"]), (&json!(null), &json!(null)));
    assert!(all[0]["stopped_at"].is_string());
    let id = all[0]["run_id"].as_str().unwrap();
    let logs = server.get(&format!("/runs/{id}/logs")).expect(200).json();
    assert!(logs["content"].as_str().unwrap().contains("mine"), "{logs}");
    assert_eq!(server.run_to_end("echo next")["exit_code"], 0);
}

#[test]
fn leftovers_are_ended_after_a_crash_too() {
    let mut server = Server::start();
    server.run_to_end("setsid sleep 60 & exit 0");
    kill("KILL", server.pid());
    server.wait();
    assert_eq!(server.living().len(), 1);
    server.start_again();
    eventually("nothing of it is left", || server.living().is_empty().then_some(()));
    assert_eq!(runs(&server, "")[0]["ended_by"], "itself");
}

#[test]
fn removed_log_directory_is_recreated_and_locked() {
    let server = Server::start();
    server.run_to_end("echo one");
    std::fs::remove_dir_all(server.folder().join("logs")).unwrap();
    server.run_to_end("echo two");
    let mut second = binary();
    second.args(["--port", "0"]).current_dir(server.folder());
    assert_eq!(second.output().unwrap().status.code(), Some(1));
    let ledger = std::fs::read_to_string(server.folder().join("logs/.runs")).unwrap();
    assert!(ledger.contains("echo two"), "{ledger}");
}

#[test]
fn directory_removed_during_a_run_is_recreated() {
    let server = Server::start();
    server
        .run("echo one; while [ ! -e go ]; do sleep 0.01; done; while sleep 0.1; do echo x; done");
    server.wait_for_output("one");
    std::fs::remove_dir_all(server.folder().join("logs")).unwrap();
    std::fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_log("continuing in a new file");
    eventually("lines are on disk again", || {
        std::fs::read_to_string(server.log_path()).ok().filter(|text| text.contains("\"x\""))
    });
    assert!(server.content("").starts_with("one\nx"));
    for name in [".runs", ".lock"] {
        assert!(server.folder().join("logs").join(name).exists(), "{name}");
    }
    let status = server.get("/status").expect(200).json();
    assert_eq!((&status["status"], &status["log_dropped_lines"]), (&json!("running"), &json!(0)));
    server.post("/kill").expect(200);
}

#[test]
fn lines_are_counted_while_the_directory_is_missing() {
    let mut server = Server::start();
    server
        .run("echo one; while [ ! -e go ]; do sleep 0.01; done; while sleep 0.1; do echo x; done");
    server.wait_for_output("one");
    let logs = server.folder().join("logs");
    std::fs::remove_dir_all(&logs).unwrap();
    std::fs::write(&logs, "in the way").unwrap();
    std::fs::write(server.folder().join("go"), "").unwrap();
    let status = || server.get("/status").expect(200).json();
    eventually("lines are dropped and counted", || {
        (status()["log_dropped_lines"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(status()["status"], "running");
    std::fs::remove_file(&logs).unwrap();
    eventually("the number is reported", || {
        server.content("").contains("lines are missing here").then_some(())
    });
    assert_eq!(server.log().matches("dropping lines").count(), 1, "{}", server.log());
    let dropped = status()["log_dropped_lines"].clone();
    kill("KILL", server.pid());
    server.wait();
    server.start_again();
    let lost = &runs(&server, "")[0];
    assert_eq!((&lost["ended_by"], &lost["log_dropped_lines"]), (&json!("lost"), &dropped));
}

#[test]
fn run_launched_during_a_crash_is_found_by_its_id() {
    let mut server = Server::start();
    server.run_to_end("echo one");
    kill("KILL", server.pid());
    server.wait();
    let ledger = server.folder().join("logs/.runs");
    let text = std::fs::read_to_string(&ledger).unwrap();
    // Truncated to what is written before the launch.
    let mut run: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(run["pid"], 0);
    run["run_id"] = json!("00000000deadbeef");
    std::fs::write(&ledger, format!("{run}\n")).unwrap();
    let mut sleep = std::process::Command::new("sleep");
    let sleep = sleep.arg("60").env("LLMSHELL_RUN_MARK", "outer:00000000deadbeef");
    let sleep = sleep.current_dir(server.folder());
    let mut sleeper = sleep.spawn().unwrap();
    server.start_again();
    assert!(!sleeper.wait().unwrap().success());
    assert_eq!(runs(&server, "")[0]["ended_by"], "lost");
}

#[test]
fn another_program_with_the_pid_of_a_lost_run_is_not_touched() {
    let mut server = Server::start();
    server.run("exec sleep 60");
    kill("KILL", server.pid());
    server.wait();
    let ledger = server.folder().join("logs/.runs");
    let text = std::fs::read_to_string(&ledger).unwrap();
    let mut sleep = std::process::Command::new("sleep");
    let mut sleeper = sleep.arg("60").current_dir(server.folder()).spawn().unwrap();
    // As if the pid of the run had been reused by the sleeper.
    let mut run: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    run["pid"] = sleeper.id().into();
    run["start_ticks"] = json!(1);
    std::fs::write(&ledger, format!("{run}\n")).unwrap();
    server.start_again();
    assert_eq!(runs(&server, "")[0]["ended_by"], "lost");
    assert_eq!(server.living().len(), 1, "{:?}", server.living());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

/// As after a start on a full disk, where neither the run nor its pid could be recorded.
#[test]
fn unrecorded_run_is_ended_by_the_next_start() {
    let mut server = Server::start();
    server.run("(setsid sleep 60 &); exec sleep 60");
    eventually("both are there", || (server.living().len() == 2).then_some(()));
    kill("KILL", server.pid());
    server.wait();
    std::fs::write(server.folder().join("logs/.runs"), "").unwrap();
    server.start_again();
    assert_eq!(server.living(), Vec::<String>::new());
}

/// A command that ends its server and starts the next one on the same log directory.
#[test]
fn server_started_by_a_run_does_not_end_itself() {
    let mut server = Server::start();
    let pid = server.pid();
    let binary = env!("CARGO_BIN_EXE_llm-shell");
    server.run(&format!(
        "(setsid sh -c 'until [ -e go ]; do sleep 0.01; done; kill -9 {pid}; \
         exec {binary} --port 0 2>log' &); exec sleep 60"
    ));
    // Not earlier: the server still has to answer the start.
    std::fs::write(server.folder().join("go"), "").unwrap();
    server.wait();
    eventually("the next server listens", || {
        let log = std::fs::read_to_string(server.folder().join("log")).ok()?;
        log.contains("listening on").then_some(())
    });
    let living = eventually("what the run left is gone", || {
        let living = server.living();
        living.iter().all(|line| !line.contains("sleep 60")).then_some(living)
    });
    assert_eq!(living.len(), 1, "{living:?}");
    let next = living[0].split_whitespace().next().unwrap().parse().unwrap();
    kill("TERM", next);
    eventually("it is gone", || server.living().is_empty().then_some(()));
}

#[test]
fn two_servers_never_share_a_directory() {
    let server = Server::start();
    let mut second = binary();
    second.args(["--port", "0"]).current_dir(server.folder());
    let Output { status, stderr, .. } = second.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&server.pid().to_string()) && stderr.contains("LLM_SHELL_LOG_DIR"));
    server.get("/health").expect(200);
}

#[test]
fn truncated_ledger_is_read_as_far_as_possible() {
    use std::io::Write;
    let mut server = Server::start();
    server.run_to_end("echo one");
    server.signal("TERM");
    server.wait();
    let ledger = server.folder().join("logs/.runs");
    let mut file = std::fs::OpenOptions::new().append(true).open(ledger).unwrap();
    file.write_all(b"garbage\n{\"event\":\"started\",\"run_id\":\"x\xff").unwrap();
    server.start_again();
    assert_eq!(runs(&server, "").len(), 1);
}

#[test]
fn after_a_restart_of_the_server_the_last_run_is_named() {
    let mut server = Server::start();
    let run_id = server.run_to_end("echo hello")["run_id"].as_str().unwrap().to_owned();
    server.signal("TERM");
    server.wait();
    server.start_again();
    for route in ["/status", "/logs"] {
        let detail = server.get(route).problem(404, "not_found");
        assert!(detail.contains(&format!("GET /runs/{run_id}")), "{detail}");
    }
    let run = server.get(&format!("/runs/{run_id}")).expect(200).json();
    assert!(run["idle"].as_f64().unwrap() > 0.0, "{run}");
    let silent = server.run_to_end("true")["run_id"].as_str().unwrap().to_owned();
    server.run_to_end("true");
    assert!(server.get(&format!("/runs/{silent}")).expect(200).json()["idle"].is_null());
}
