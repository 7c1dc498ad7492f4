//! POST /kill: ends the whole tree, nothing but the tree, and reports it.

use crate::harness::{Server, eventually, fixture};
use serde_json::{Value, json};

/// Commands whose tree does not end with the shell, each with the number of its processes
/// when it is ready. Each process prints `ready`.
fn trees() -> Vec<(&'static str, String, usize)> {
    let script = |name: &str| format!("python3 {}", fixture(name));
    vec![
        ("background children", "for i in 1 2 3; do sleep 60 & done; echo ready; wait".into(), 4),
        ("its own session", "setsid sh -c 'echo ready; sleep 60' & wait".into(), 3),
        ("nohup", "nohup sh -c 'echo ready; sleep 60' & wait".into(), 3),
        ("a double fork", script("daemon.py") + " keep; sleep 60", 2),
        ("a daemon with a cleared environment", script("daemon.py") + " clear; sleep 60", 2),
        ("a stopped child", "sh -c 'echo ready; kill -STOP $$; sleep 60' & wait".into(), 2),
        ("a stopped shell", "echo ready; kill -STOP $$; sleep 60".into(), 1),
        ("a closed output", "exec sh -c 'echo ready; exec >&- 2>&-; sleep 60'".into(), 1),
    ]
}

#[test]
fn the_whole_tree_ends() {
    let server = Server::start();
    for (what, command, processes) in trees() {
        server.run(&command);
        server.wait_for_output("ready");
        eventually(&format!("{what}: the tree is there"), || {
            (server.living().len() >= processes).then_some(())
        });
        let killed = server.post("/kill").expect(200).json();
        assert_eq!(server.living(), Vec::<String>::new(), "{what}");
        assert_eq!(killed["status"], "killed", "{what}: {killed}");
        assert_eq!(killed["left"], json!(null), "{what}: {killed}");
        let children = format!("/proc/{0}/task/{0}/children", server.pid());
        assert_eq!(std::fs::read_to_string(children).unwrap(), "", "{what}: a zombie");
    }
}

#[test]
fn leftover_ignoring_sigterm_gets_sigkill() {
    let server = Server::start_with(&["--kill-timeout", "0.2"]);
    server.run("sh -c 'trap \"\" TERM; echo ready; sleep 60; sleep 60' & wait");
    server.wait_for_output("ready");
    let killed = server.post("/kill").expect(200).json();
    assert_eq!((&killed["signal"], &killed["exit_code"]), (&json!("SIGTERM"), &json!(-15)));
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn a_command_that_ignores_sigterm_gets_sigkill_after_the_grace() {
    let server = Server::start_with(&["--kill-timeout", "0.2"]);
    server.run("trap '' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    let killed = server.post("/kill").expect(200).json();
    assert_eq!((&killed["type"], &killed["signal"]), (&json!("SIGTERM"), &json!("SIGKILL")));
    assert_eq!(killed["exit_code"], -9);
}

#[test]
fn handled_sigterm_keeps_exit_code_and_last_output() {
    let server = Server::start();
    server.run("trap 'echo last words; exit 3' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    let killed = server.post("/kill").expect(200).json();
    assert_eq!((&killed["exit_code"], &killed["signal"]), (&json!(3), &json!(null)));
    let status = server.get("/status").expect(200).json();
    assert_eq!((&status["status"], &status["ended_by"]), (&json!("killed"), &json!("kill")));
    assert_eq!(server.content("?lines=1"), "last words");
}

#[test]
fn sigkill_is_sent_at_once() {
    let server = Server::start();
    server.run("trap '' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    let killed = server.post("/kill?type=SIGKILL").expect(200).json();
    assert_eq!((&killed["type"], &killed["exit_code"]), (&json!("SIGKILL"), &json!(-9)));
}

#[test]
fn a_later_sigkill_cuts_a_grace_short() {
    let server = Server::start_with(&["--kill-timeout", "3600"]);
    server.run("trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| server.post("/kill").expect(200).json());
        server.wait_for_output("asked");
        let forced = server.post("/kill?type=SIGKILL").expect(200).json();
        let patient = patient.join().unwrap();
        assert_eq!((&patient["exit_code"], &forced["exit_code"]), (&json!(-9), &json!(-9)));
        assert_eq!(patient["stopped_at"], forced["stopped_at"]);
    });
}

#[test]
fn a_status_never_waits_for_a_grace() {
    let server = Server::start_with(&["--kill-timeout", "3600"]);
    server.run("trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    std::thread::scope(|scope| {
        scope.spawn(|| server.post("/kill").expect(200));
        server.wait_for_output("asked");
        assert_eq!(server.get("/status").expect(200).json()["status"], "running");
        server.post("/kill?type=SIGKILL").expect(200);
    });
}

#[test]
fn other_signals_are_refused_and_end_nothing() {
    let server = Server::start();
    server.run("sleep 60");
    for kind in ["SIGINT", "sigterm", "TERM", "9", ""] {
        let detail = server.post(&format!("/kill?type={kind}")).problem(400, "bad_request");
        assert!(detail.contains("SIGTERM or SIGKILL"), "{detail}");
    }
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    server.post("/kill").expect(200);
}

#[test]
fn kill_of_an_ended_run_is_refused() {
    let server = Server::start();
    server.run_to_end("exit 4");
    let detail = server.post("/kill").problem(400, "bad_request");
    assert!(detail.contains("exit code 4"), "{detail}");
    let status = server.get("/status").expect(200).json();
    assert_eq!((&status["status"], &status["ended_by"]), (&json!("exited"), &json!("itself")));
}

#[test]
fn concurrent_kills_of_an_ended_run_all_fail() {
    let server = Server::start();
    for _ in 0..10 {
        server.run_to_end("exit 0");
        std::thread::scope(|scope| {
            let kills: Vec<_> = (0..8).map(|_| scope.spawn(|| server.post("/kill"))).collect();
            for kill in kills {
                kill.join().unwrap().problem(400, "bad_request");
            }
        });
    }
}

#[test]
fn a_process_whose_main_thread_has_ended_is_found_and_ended() {
    let server = Server::start();
    let script = fixture("main_thread_ends.py");
    for command in [format!("python3 {script}; true"), format!("exec python3 {script}")] {
        server.run(&command);
        server.wait_for_output("ready");
        let killed = server.post("/kill?type=SIGKILL").expect(200).json();
        assert_eq!((&killed["status"], &killed["left"]), (&json!("killed"), &json!(null)));
        assert_eq!(server.living(), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn leftovers_are_listed_logged_and_ended_by_a_kill() {
    let server = Server::start();
    server.run("(sleep 0.3; echo from the leftover; sleep 60) & echo done");
    let ended = server.ended();
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("exited"), &json!(0)));
    assert!(!ended["leftover_pids"].as_array().unwrap().is_empty(), "{ended}");
    server.wait_for_output("from the leftover");
    let killed = server.post("/kill").expect(200).json();
    assert_eq!((&killed["status"], &killed["exit_code"]), (&json!("exited"), &json!(0)));
    assert_eq!(server.living(), Vec::<String>::new());
    let after = server.get("/status").expect(200).json();
    assert_eq!((&after["leftover_pids"], &after["status"]), (&json!([]), &json!("exited")));
    server.post("/kill").problem(400, "bad_request");
}

#[test]
fn end_is_always_reported_with_its_leftovers() {
    let server = Server::start();
    for _ in 0..50 {
        // Polled while it ends: one answer must not mix two moments.
        let ended = server.run_to_end("sleep 60 & exit 0");
        assert_eq!(ended["leftover_pids"].as_array().unwrap().len(), 1, "{ended}");
    }
    server.post("/kill").expect(200);
}

#[test]
fn the_next_start_ends_leftovers_first() {
    let server = Server::start();
    server.run_to_end("sleep 60 & sleep 60 & echo done");
    assert_eq!(server.living().len(), 2);
    let next = server.run("exec sleep 61");
    let living = server.living();
    assert_eq!(living.len(), 1, "{living:?}");
    assert!(living[0].starts_with(&format!("{} ", next["process_pid"])), "{living:?}");
    server.post("/kill").expect(200);
}

#[test]
fn a_start_waits_while_a_tree_is_being_ended() {
    // Long enough for the shell to print on a busy machine.
    let server = Server::start_with(&["--kill-timeout", "3"]);
    server.run("trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    std::thread::scope(|scope| {
        let killed = scope.spawn(|| server.post("/kill").expect(200));
        server.wait_for_output("asked");
        let next = server.run("exec sleep 60");
        killed.join().unwrap();
        assert_eq!(next["status"], "running");
        assert_eq!(server.living().len(), 1);
    });
    server.post("/kill").expect(200);
}

#[test]
fn continuous_fork_chain_is_ended() {
    let server = Server::start();
    server.run(&format!("python3 {} & sleep 60", fixture("fork_and_leave.py")));
    server.wait_for_output("ready");
    server.post("/kill?type=SIGKILL").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn forking_flood_is_ended_completely() {
    let server = Server::start();
    server.run(
        "i=0; while [ $i -lt 200 ]; do (sleep 60 &); i=$((i+1)); done; echo ready; seq 10000000; \
         sleep 60",
    );
    server.wait_for_output("ready");
    eventually("ten million lines are printed", || {
        let page = server.get("/logs?lines=1").expect(200).json();
        (page["total_lines"] == 10_000_001).then_some(())
    });
    // The last of them is started behind the last line.
    eventually("all are there", || (server.living().len() == 202).then_some(()));
    server.post("/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
    let last: Value = server.get("/logs?lines=1").expect(200).json();
    assert_eq!(last["content"], "10000000");
}

/// The run ended by itself, even if its leftovers are killed.
#[test]
fn a_kill_of_an_exited_run_says_how_it_had_ended() {
    let server = Server::start();
    server.run_to_end("sleep 300 >/dev/null & exit 3");
    let left = server.get("/status").expect(200).json()["leftover_pids"][0].clone();
    let killed = server.post("/kill").expect(200).json();
    assert_eq!((&killed["status"], &killed["exit_code"]), (&json!("exited"), &json!(3)));
    assert_eq!(killed["ended_leftovers"], json!([{"pid": left, "command": "sleep 300"}]));
    assert_eq!(server.get("/status").expect(200).json()["status"], "exited");
    server.run("exec sleep 300");
    let killed = server.post("/kill").expect(200).json();
    assert_eq!(killed["status"], "killed");
    assert!(killed["ended_leftovers"].is_null(), "{killed}");
}

#[test]
fn start_and_restart_name_ended_leftovers() {
    let server = Server::start();
    let left_by = |command: &str| {
        server.run_to_end(command);
        let pid = server.get("/status").expect(200).json()["leftover_pids"][0].clone();
        json!([{"pid": pid, "command": "sleep 300"}])
    };
    let left = left_by("sleep 300 >/dev/null &");
    let started = server.run("sleep 300 >/dev/null &");
    assert_eq!(started["ended_leftovers"], left);
    server.ended();
    let pid = server.get("/status").expect(200).json()["leftover_pids"][0].clone();
    let restarted = server.post("/restart").expect(200).json();
    assert_eq!(restarted["ended_leftovers"], json!([{"pid": pid, "command": "sleep 300"}]));
    server.ended();
    let left = left_by("sleep 300 >/dev/null &");
    let waited = json!({"command": "true", "wait": 60});
    let waited = server.post_json("/start", &waited).expect(201).json();
    assert_eq!((&waited["ended_leftovers"], &waited["status"]), (&left, &json!("exited")));
    assert!(server.get("/status").expect(200).json()["ended_leftovers"].is_null());
    assert_eq!(server.living(), Vec::<String>::new());
    let started = server.run("true");
    assert!(started["ended_leftovers"].is_null(), "{started}");
}
