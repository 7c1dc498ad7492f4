//! Processes that are hard to end: daemons, siblings, setuid programs, debuggers.

use super::as_user;
use crate::harness::{Astra, Server, binary, eventually, fixture, kill};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The limit of processes and threads of the users.
const PROCESSES: u64 = 200;

fn lives(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

/// Waits for a numeric line of a service and returns it.
fn printed_pid(astra: &Astra, name: &str) -> String {
    eventually("a number is printed", || {
        astra.lines(name).into_iter().find(|line| line.parse::<u32>().is_ok())
    })
}

#[test]
fn unreadable_daemon_is_ended_by_a_stop() {
    let command = as_user(1_054_331, PROCESSES).expect("root, to be another user");
    let cmd = "eval $(ssh-agent -a $PWD/socket) > /dev/null; echo $SSH_AGENT_PID; exec sleep 60";
    let services = json!({"agent": {"cmd": cmd}, "other": {"cmd": "exec sleep 60"}});
    let astra = Astra::start_command_in_open_folder(command, services);
    let agent = printed_pid(&astra, "agent");
    assert!(lives(&agent));
    assert_eq!(astra.settle("stop", "agent"), "stopped");
    assert!(!lives(&agent), "the agent is left behind");
    assert_eq!(astra.status("other")["status"], "running");
}

#[test]
fn daemon_with_other_environment_is_ended_by_a_stop() {
    let script = fixture("daemon.py");
    let own = "(RUN_ID=mine LLMSHELL_RUN_MARK=$LLMSHELL_RUN_MARK:inner setsid sh -c \
               'echo ready; exec sleep 60' &); exec sleep 60";
    let other = json!({"cmd": "exec sleep 60"});
    for cmd in [own.to_owned(), format!("python3 {script} clear; exec sleep 60")] {
        let astra = Astra::start(json!({"web": {"cmd": cmd}, "other": other}));
        astra.wait_for_line("web", "ready");
        eventually("its parent is gone", || (astra.living().len() == 3).then_some(()));
        assert_eq!(astra.settle("stop", "web"), "stopped");
        assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
    }
}

#[test]
fn sibling_process_is_ended_with_its_service() {
    let cmd = format!("exec python3 {}", fixture("sibling.py"));
    let astra = Astra::start(json!({"web": {"cmd": cmd}, "other": {"cmd": "exec sleep 60"}}));
    astra.wait_for_line("web", "ready");
    assert_eq!(astra.settle("stop", "web"), "stopped");
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
}

#[test]
fn daemonizing_service_is_reported() {
    let cmd = format!("exec python3 {} clear", fixture("daemon.py"));
    let astra = Astra::start(json!({"web": {"cmd": cmd}, "other": {"cmd": "exec sleep 60"}}));
    let exited = astra.wait_for("web", "exited");
    let message = exited["message"].as_str().unwrap();
    assert!(message.contains("still runs in the background"), "{message}");
    assert!(message.contains("daemon off"), "{message}");
    assert_eq!(astra.settle("stop", "web"), "stopped");
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
}

#[test]
fn unowned_processes_are_named_and_ended_at_exit() {
    let cmd = format!("exec python3 {}", fixture("unmarked.py"));
    let mut astra = Astra::start(json!({"web": {"cmd": cmd}, "other": {"cmd": "exec sleep 60"}}));
    astra.wait_for_line("web", "ready");
    astra.wait_for("web", "exited");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert!(astra.log().contains("(sleep), which belongs to no run"), "{}", astra.log());
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn unkillable_process_is_named_and_does_not_block() {
    let command = as_user(1_054_332, PROCESSES).expect("root, to be another user");
    let cmd = ["./program", "--reuid", "0", "--clear-groups", "sleep", "600"];
    let services = json!({
        "root": {"cmd": cmd, "autostart": false, "stop_timeout": 0.2, "depends_on": ["db"]},
        "db": {"cmd": "exec sleep 60"},
    });
    let mut astra = Astra::start_command_in_open_folder(command, services);
    become_root_by(&astra.folder().join("program"));
    let pid = {
        astra.ask("start", "root").expect(200);
        astra.pid_of("root")
    };
    eventually("it is root's", || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        line.starts_with(b"sleep").then_some(())
    });
    astra.ask("stop", "root").expect(200);
    let stuck = astra.wait_until("root", "named", |status| {
        status["message"].as_str().unwrap().contains("runs as another user")
    });
    assert_eq!(stuck["status"], "stopping");
    assert!(stuck["message"].as_str().unwrap().contains(&pid.to_string()), "{stuck}");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
    kill("KILL", pid);
    eventually("it is gone", || astra.living().is_empty().then_some(()));
}

/// Makes `path` a setuid copy of setpriv, owned by root.
fn become_root_by(path: &Path) {
    fs::copy("/usr/bin/setpriv", path).expect("there is a setpriv");
    fs::set_permissions(path, fs::Permissions::from_mode(0o4755)).expect("it is ours");
}

#[test]
fn unkillable_check_is_not_duplicated() {
    let command = as_user(1_054_333, PROCESSES).expect("root, to be another user");
    let check = ["./program", "--reuid", "0", "--clear-groups", "sleep", "600"];
    let check = json!({"cmd": check, "timeout": 0.2, "interval": 0.1, "retries": 1});
    let services = json!({
        "web": {
            "cmd": "exec sleep 60", "health_check": check, "start_timeout": 0.1,
            "autostart": false,
        },
    });
    let astra = Astra::start_command_in_open_folder(command, services);
    become_root_by(&astra.folder().join("program"));
    astra.ask("start", "web").expect(200);
    let refused = astra.wait_until("web", "refused", |status| {
        status["message"].as_str().unwrap().contains("cannot be killed")
    });
    let held: Vec<_> =
        astra.living().into_iter().filter(|line| line.contains("sleep 600")).collect();
    assert_eq!(held.len(), 1, "{held:?} {refused}");
    astra.settle("stop", "web");
    let pid = held[0].split(' ').next().unwrap().parse().unwrap();
    kill("KILL", pid);
    eventually("it is collected", || (!lives(&pid.to_string())).then_some(()));
}

/// A debugger of a process, which reaps it when this is dropped.
struct Debugger(Child);

impl Debugger {
    fn of(pid: &Value) -> Self {
        let mut tracer = Command::new("python3");
        let tracer = tracer.arg(fixture("trace.py")).arg(pid.to_string()).current_dir("/");
        let mut tracer =
            tracer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let mut line = String::new();
        let output = tracer.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "{pid} can be traced");
        Self(tracer)
    }
}

impl Drop for Debugger {
    fn drop(&mut self) {
        let _gone = self.0.stdin.take().map(|mut input| input.write_all(b"\n"));
        let _gone = self.0.wait();
    }
}

/// A command that exits with this code when the file `go` exists.
fn waits_and_exits(code: i32) -> String {
    format!("until [ -e go ]; do sleep 0.02; done; exit {code}")
}

#[test]
fn exit_status_held_by_a_debugger_is_awaited() {
    let server = Server::start();
    let pid = server.run(&waits_and_exits(7))["process_pid"].clone();
    let debugger = Debugger::of(&pid);
    fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_log("a debugger holds its exit status");
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    drop(debugger);
    let ended = server.ended();
    let actual = (&ended["status"], &ended["exit_code"], &ended["ended_by"]);
    assert_eq!(actual, (&json!("exited"), &json!(7), &json!("itself")));
    eventually("no zombie is left", || (!lives(&pid.to_string())).then_some(()));
}

#[test]
fn a_kill_names_a_debugger_that_holds_an_exit_status() {
    let server = Server::start_with(&["--kill-timeout", "0.2"]);
    let pid = server.run(&waits_and_exits(0))["process_pid"].clone();
    let debugger = Debugger::of(&pid);
    let killed = server.post("/kill").expect(200).json();
    let why = killed["left"][0]["why"].as_str().expect("it says what is left");
    assert!(why.contains("debugger"), "{killed}");
    drop(debugger);
    assert_eq!(server.ended()["ended_by"], "kill");
}

#[test]
fn traced_job_exiting_with_0_is_not_restarted() {
    let policy = json!({"mode": "on-failure", "backoff_seconds": 0});
    let job = json!({"cmd": waits_and_exits(0), "restart_policy": policy});
    let astra = Astra::start(json!({"job": job}));
    let debugger = Debugger::of(&astra.pid_of("job").into());
    astra.touch("go");
    astra.wait_for_log("a debugger holds its exit status");
    drop(debugger);
    let exited = astra.wait_for("job", "exited");
    assert_eq!((&exited["exit_code"], &exited["restart_count"]), (&json!(0), &json!(0)));
}

/// Runs Astra in a pid namespace of its own.
fn astra_in_namespace(services: Value) -> Astra {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(binary().get_program());
    Astra::start_command(command, services).below_a_wrapper()
}

#[test]
fn stop_does_not_touch_a_process_with_a_reused_pid() {
    let daemon = "(env -i sh -c 'echo $$; exec sleep 61' &); sleep 0.1; exit 1";
    let policy = json!({"mode": "never"});
    let first = json!({"cmd": "exit 0", "restart_policy": policy, "autostart": false});
    let second = json!({"cmd": daemon, "restart_policy": policy, "autostart": false});
    let astra = astra_in_namespace(json!({"first": first, "second": second}));
    let inside = astra.pid().to_string();
    // Far from the first pids, which the server's threads have.
    set_last_pid(&inside, 300);
    let mut log = astra.events("/supervisor/logs/first?follow=true&after=0");
    astra.ask("start", "first").expect(200);
    let number = log.event_that(|event| event.data["event"] == "started").data["pid"].clone();
    astra.wait_for("first", "exited");
    let number = number.as_i64().expect("a number");
    let mut log = astra.events("/supervisor/logs/second?follow=true&after=0");
    let reused = (1..20).any(|before| {
        set_last_pid(&inside, number - before);
        astra.ask("start", "second").expect(200);
        let pid = log.event_that(|event| event.data["event"] == "started").data["pid"].clone();
        astra.wait_for("second", "crashed");
        pid == json!(number)
    });
    assert!(reused, "the number {number} is given again");
    let sleepers = || astra.living().iter().filter(|line| line.contains("sleep 61")).count();
    eventually("its daemon lives", || (sleepers() == 1).then_some(()));
    astra.ask("stop", "first").problem(409, "conflict");
    assert_eq!(sleepers(), 1, "{:?}", astra.living());
    assert_eq!(astra.settle("stop", "second"), "stopped");
    assert_eq!(sleepers(), 0, "{:?}", astra.living());
}

/// Sets the last pid of a process's namespace.
fn set_last_pid(process: &str, number: i64) {
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["--target", process, "--pid", "--mount", "sh", "-c"]);
    nsenter.arg(format!("echo {number} > /proc/sys/kernel/ns_last_pid"));
    assert!(nsenter.status().expect("nsenter runs").success());
}
