//! Notifications to systemd over its socket.

use crate::harness::{Astra, Server, binary, eventually, kill};
use serde_json::json;
use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A stand-in for systemd and a service of `Type=notify`.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
    heard: RefCell<Vec<String>>,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { folder, socket, heard: RefCell::default() }
    }

    fn binary(&self) -> Command {
        let mut command = binary();
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command
    }

    /// Returns all messages received so far.
    fn heard(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            self.heard.borrow_mut().push(text);
        }
        self.heard.borrow().clone()
    }

    #[track_caller]
    fn wait_for(&self, expected: &str) {
        eventually(&format!("systemd is notified of {expected:?}"), || {
            self.heard().iter().any(|message| message.contains(expected)).then_some(())
        });
    }

    fn count(&self, expected: &str) -> usize {
        self.heard().iter().filter(|message| message.contains(expected)).count()
    }
}

#[test]
fn systemd_is_notified_of_ready_status_and_stopping() {
    let manager = Manager::new();
    let mut server = Server::start_command(manager.binary());
    server.get("/health").expect(200);
    manager.wait_for("READY=1\n");
    manager.wait_for("STATUS=no command is running\n");
    let run = server.run("sleep 60\n# WATCHDOG=trigger");
    let pid = run["process_pid"].as_u64().unwrap();
    manager.wait_for(&format!("STATUS=process {pid} is running: sleep 60 # WATCHDOG=trigger\n"));
    server.post("/kill").expect(200);
    manager.wait_for(&format!("STATUS=process {pid} ended by a kill, with SIGTERM: sleep 60"));
    server.signal("TERM");
    server.wait();
    manager.wait_for("STOPPING=1\n");
    assert_eq!(manager.count("READY=1"), 1);
    assert!(manager.heard().iter().all(|message| !message.starts_with("WATCHDOG")));
}

#[test]
fn systemd_is_notified_of_service_states_and_reloads() {
    let manager = Manager::new();
    let services = json!({
        "good": {"cmd": "exec sleep 60"},
        "bad": {"cmd": "false", "restart_policy": {"mode": "never"}},
    });
    let astra = Astra::start_command(manager.binary(), services);
    manager.wait_for("STATUS=1 of 2 services are up; bad crashed\n");
    astra.settle("stop", "good");
    manager.wait_for("STATUS=0 of 2 services are up; bad crashed\n");
    astra.signal("HUP");
    manager.wait_for("RELOADING=1\nMONOTONIC_USEC=");
    eventually("systemd is notified of its end", || (manager.count("READY=1") == 2).then_some(()));
}

#[test]
fn watchdog_is_notified_only_while_the_self_check_passes() {
    let manager = Manager::new();
    let mut command = manager.binary();
    command.env("WATCHDOG_USEC", "400000").env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let server = Server::start_command(command);
    eventually("the watchdog is notified", || (manager.count("WATCHDOG=1") >= 3).then_some(()));
    assert!(server.log().contains("GET /status"), "{}", server.log());
}

/// A socket that clients cannot reach is as bad as a server that hangs.
#[test]
fn unreachable_server_does_not_notify_the_watchdog() {
    let manager = Manager::new();
    let socket = manager.folder.path().join("http");
    let mut command = manager.binary();
    command.env("WATCHDOG_USEC", "200000").env("LLM_SHELL_SOCKET", &socket);
    command.current_dir(manager.folder.path()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    eventually("the watchdog is notified", || (manager.count("WATCHDOG=1") >= 1).then_some(()));
    fs::remove_file(&socket).unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut is_away = || log.any(|line| line.contains("self-check failed"));
    assert!(is_away());
    let count = manager.count("WATCHDOG=1");
    assert!(is_away() && is_away());
    assert_eq!(manager.count("WATCHDOG=1"), count);
    kill("TERM", server.id());
    assert!(server.wait().unwrap().success());
}

#[test]
fn systemd_variables_are_not_inherited() {
    let manager = Manager::new();
    let mut command = manager.binary();
    let names = [
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_PID",
        "LISTEN_PIDFDID",
        "LISTEN_FDNAMES",
        "MAINPID",
        "MANAGERPID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
        "SYSTEMD_EXEC_PID",
    ];
    for name in names {
        command.env(name, "1");
    }
    let server = Server::start_command(command);
    server.run_to_end("env");
    let output = server.content("");
    for name in names.iter().chain(&["NOTIFY_SOCKET"]) {
        assert!(!output.contains(&format!("{name}=")), "{output}");
    }
}
