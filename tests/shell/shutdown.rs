//! Shutdown of the server.

use crate::harness::{Server, eventually, processes_in};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn a_signal_to_end_ends_the_tree_and_flushes_the_log() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let mut server = Server::start();
        server.run("trap 'echo last; exit 0' TERM; setsid sleep 60 & echo ready; wait");
        server.wait_for_output("ready");
        let log = server.log_path();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "SIG{signal}: {}", server.log());
        assert_eq!(server.living(), Vec::<String>::new(), "SIG{signal}");
        let stored = std::fs::read_to_string(log).unwrap();
        assert!(stored.ends_with("\"line\":\"last\"}\n"), "SIG{signal}: {stored}");
        server.wait_for_log("ended by the shutdown");
    }
}

#[test]
fn a_second_signal_gives_no_grace() {
    let mut server = Server::start_with(&["--kill-timeout", "3600"]);
    server.run("trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    let log = server.log_path();
    server.signal("TERM");
    eventually("the command is asked to end", || {
        std::fs::read_to_string(&log).unwrap().contains("asked").then_some(())
    });
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn idle_connection_does_not_delay_shutdown() {
    let mut server = Server::start();
    let mut idle = TcpStream::connect(server.address()).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0, "the connection is closed");
}

#[test]
fn a_kill_that_waits_gets_its_answer() {
    let mut server = Server::start_with(&["--kill-timeout", "0.5"]);
    server.run("trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    let killed = std::thread::scope(|scope| {
        let kill = scope.spawn(|| server.post("/kill").expect(200).json());
        server.wait_for_output("asked");
        server.signal("TERM");
        kill.join().unwrap()
    });
    assert_eq!(killed["exit_code"], -9);
    assert_eq!(server.wait().code(), Some(0));
}

/// Runs a tree as PID 1 of a pid namespace; `options` say whether /proc is that namespace's.
fn works_as_pid_1(options: &[&str]) {
    let wrapped = |command: &str| {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child"]).args(options).arg(command);
        unshare
    };
    if !wrapped("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("not permitted here: unshare --pid --fork");
        return;
    }
    let mut server =
        Server::start_command(wrapped(env!("CARGO_BIN_EXE_llm-shell"))).below_a_wrapper();
    server.run("setsid sh -c 'echo ready; sleep 60' & (sleep 60 &); wait");
    server.wait_for_output("ready");
    let status = server.get("/status").expect(200).json();
    assert!(status["process_pid"].as_u64().unwrap() < 100, "a number of the namespace: {status}");
    assert!(status["memory_mb"].as_f64().unwrap() > 0.0, "{status}");
    server.post("/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
    server.run_to_end("sleep 60 & exit 0");
    assert_eq!(
        server.get("/status").expect(200).json()["leftover_pids"].as_array().unwrap().len(),
        1
    );
    server.signal("TERM");
    server.wait();
    assert_eq!(processes_in(server.folder()), Vec::<String>::new());
}

#[test]
fn it_works_as_pid_1() {
    works_as_pid_1(&["--mount-proc"]);
}

#[test]
fn it_works_as_pid_1_with_the_proc_of_the_namespace_above() {
    works_as_pid_1(&[]);
}
