//! Commands that create masses of processes or zombies.

use super::{as_user, count_tasks};
use crate::harness::{Astra, Server, eventually, fixture};
use serde_json::json;
use std::time::{Duration, Instant};

/// Asserts that a fork bomb is ended like any other command, also if it ignores SIGTERM (`deaf`).
fn a_bomb_is_ended(user: u32, deaf: &str) {
    const PROCESSES: u64 = 60;
    let Some(mut command) = as_user(user, PROCESSES) else { return };
    // The user cannot read our checkout.
    let script = std::fs::read_to_string(fixture("fork_bomb.py")).unwrap();
    command.args(["--kill-timeout", "1"]);
    let server = Server::start_command_in_open_folder(command);
    std::fs::write(server.folder().join("bomb.py"), script).unwrap();
    server.run(&format!("python3 bomb.py {deaf}"));
    eventually("the limit is reached", || (count_tasks(user) >= PROCESSES).then_some(()));
    // No thread can be started for a connection, but it is served nevertheless.
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    server.wait_for_log("cannot spawn a thread");
    let began = Instant::now();
    let killed = server.post("/kill").expect(200).json();
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert_eq!((&killed["status"], &killed["left"]), (&"killed".into(), &().into()), "{killed}");
    assert_eq!(server.living(), Vec::<String>::new());
    // The server is back to normal.
    assert_eq!(server.run_to_end("echo again")["exit_code"], 0);
    assert_eq!(server.content(""), "again");
}

#[test]
fn a_fork_bomb_under_a_limit_is_ended_by_a_kill() {
    a_bomb_is_ended(1_054_321, "");
}

#[test]
fn sigterm_ignoring_fork_bomb_is_ended_by_a_kill() {
    a_bomb_is_ended(1_054_322, "deaf");
}

#[test]
fn zombies_are_reaped_and_block_nothing() {
    const DEAD: usize = 500;
    let server = Server::start();
    server.run(&format!(
        "python3 -c 'import os, time\n\
         for _ in range({DEAD}):\n    if os.fork() == 0: os._exit(0)\n\
         print(\"ready\", flush=True)\ntime.sleep(600)'"
    ));
    server.wait_for_output("ready");
    let began = Instant::now();
    let status = server.get("/status").expect(200).json();
    assert_eq!(
        (&status["status"], &status["leftover_pids"]),
        (&"running".into(), &[(); 0][..].into())
    );
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    server.post("/kill").expect(200);
    expect_no_child(&server);
}

#[test]
fn hundreds_of_dying_orphans_are_reaped() {
    let server = Server::start();
    // Each is reparented to the server, and dies there.
    server.run_to_end("i=0; while [ $i -lt 500 ]; do (sh -c : &); i=$((i+1)); done");
    expect_no_child(&server);
}

/// Waits until the server has no child, dead ones included.
fn expect_no_child(server: &Server) {
    let tasks = format!("/proc/{}/task", server.pid());
    eventually("no child is left", || {
        let children = std::fs::read_dir(&tasks).unwrap().map(|task| {
            let list = task.unwrap().path().join("children");
            // A thread that has ended since has none.
            std::fs::read_to_string(list).unwrap_or_default()
        });
        children.collect::<String>().is_empty().then_some(())
    });
}

#[test]
fn fork_bomb_in_a_service_is_stopped_in_time() {
    const USER: u32 = 1_054_334;
    const PROCESSES: u64 = 60;
    let command = as_user(USER, PROCESSES).expect("root, to be another user");
    let bomb = json!({
        "cmd": ["python3", "bomb.py", "deaf"], "stop_timeout": 1, "autostart": false,
    });
    let other = json!({"cmd": "exec sleep 60"});
    let services = json!({"bomb": bomb, "other": other});
    let astra = Astra::start_command_in_open_folder(command, services);
    let script = std::fs::read_to_string(fixture("fork_bomb.py")).unwrap();
    std::fs::write(astra.folder().join("bomb.py"), script).unwrap();
    astra.ask("start", "bomb").expect(200);
    eventually("the limit is reached", || (count_tasks(USER) >= PROCESSES).then_some(()));
    let began = Instant::now();
    astra.ask("stop", "bomb").expect(200);
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    astra.ask("stop", "other").expect(200);
    astra.wait_for("bomb", "stopped");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    astra.wait_for("other", "stopped");
    assert_eq!(astra.living(), Vec::<String>::new());
}
