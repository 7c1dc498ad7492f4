//! Hanging file systems, for programs, directories and files.

use crate::harness::{Astra, PATIENCE, Server, binary, eventually, fixture};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A lease that blocks opening and executing a file until it is dropped.
struct Hang(Child);

impl Hang {
    fn of(path: &Path) -> Self {
        let mut holder = Command::new("python3");
        holder.arg(fixture("hold_lease.py")).arg(path).current_dir("/").stdout(Stdio::piped());
        let mut holder = holder.spawn().expect("python3 runs");
        let mut line = String::new();
        let output = holder.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "a lease can be had of {}", path.display());
        Self(holder)
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Starts Astra with a service `hang` whose launch hangs.
fn astra_that_hangs() -> (Astra, Hang) {
    let astra = Astra::start(json!({
        "hang": {"cmd": ["./program", "60"], "autostart": false},
        "prints": {"cmd": "while :; do echo line; sleep 0.02; done"},
        "ends": {
            "cmd": "until [ -e go ]; do sleep 0.02; done", "restart_policy": {"mode": "never"},
        },
        "other": {"cmd": "exec sleep 60", "autostart": false},
    }));
    let program = astra.folder().join("program");
    fs::copy("/bin/sleep", &program).expect("there is a program");
    let hang = Hang::of(&program);
    astra.ask("start", "hang").expect(200);
    eventually("it is being executed", || {
        astra.living().iter().any(|line| line.contains("llm-shell")).then_some(())
    });
    (astra, hang)
}

#[test]
fn hanging_launch_delays_no_other_service() {
    let (astra, hang) = astra_that_hangs();
    let lines = astra.lines("prints").len();
    eventually("lines come", || (astra.lines("prints").len() > lines + 5).then_some(()));
    astra.touch("go");
    astra.wait_for("ends", "exited");
    assert_eq!(astra.settle("start", "other"), "running");
    assert_eq!(astra.status("hang")["status"], "starting");
    assert_eq!(astra.settle("stop", "hang"), "stopped");
    drop(hang);
    assert_eq!(astra.settle("start", "hang"), "running");
}

#[test]
fn extra_spawner_ends_after_a_hang() {
    let (astra, _hang) = astra_that_hangs();
    let spawners = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", astra.pid())).expect("it lives");
        let name = |task: std::io::Result<fs::DirEntry>| {
            fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        tasks.filter_map(name).filter(|name| name == "spawner\n").count()
    };
    assert_eq!(astra.settle("start", "other"), "running");
    assert_eq!(spawners(), 2);
    assert_eq!(astra.settle("stop", "hang"), "stopped");
    assert_eq!(astra.settle("restart", "other"), "running");
    eventually("one is left", || (spawners() == 1).then_some(()));
}

#[test]
fn two_signals_end_astra_while_a_launch_hangs() {
    let (mut astra, _hang) = astra_that_hangs();
    let began = Instant::now();
    astra.signal("TERM");
    astra.wait_for_log("shutting down");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn hanging_env_file_delays_no_other_service() {
    let astra = Astra::start(json!({
        "hang": {"cmd": "exec sleep 60", "env_file": "variables", "autostart": false},
        "other": {"cmd": "exec sleep 60", "autostart": false},
    }));
    let file = astra.folder().join("variables");
    fs::write(&file, "A=1\n").expect("the folder can be written");
    let hang = Hang::of(&file);
    astra.ask("start", "hang").expect(200);
    assert_eq!(astra.settle("start", "other"), "running");
    assert_eq!(astra.settle("stop", "hang"), "stopped");
    drop(hang);
    assert_eq!(astra.settle("start", "hang"), "running");
}

#[test]
fn kill_ends_a_hanging_start() {
    let folder = tempfile::tempdir().expect("a fresh folder");
    let shell = folder.path().join("shell");
    fs::copy("/bin/sh", &shell).expect("there is a shell");
    let mut command = binary();
    command.arg("--shell").arg(&shell).args(["--kill-timeout", "0.2"]);
    let server = Server::start_command(command);
    let hang = Hang::of(&shell);
    std::thread::scope(|scope| {
        let started = scope.spawn(|| server.post_json("/start", &json!({"command": "echo x"})));
        eventually("it is being executed", || (server.living().len() == 1).then_some(()));
        server.get("/status").expect(404);
        server.post("/kill").expect(404);
        let detail = started.join().unwrap().problem(500, "internal");
        assert!(detail.contains("file system hangs"), "{detail}");
    });
    assert_eq!(server.living(), Vec::<String>::new());
    drop(hang);
    assert_eq!(server.run_to_end("echo x")["exit_code"], 0);
}
