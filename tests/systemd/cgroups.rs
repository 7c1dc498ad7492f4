//! Control groups of runs: no process of a run can escape.

use super::group::Group;
use crate::harness::{Astra, Server, eventually, fixture, processes_in};
use serde_json::{Value, json};

/// A daemon that only its control group connects to the run that started it.
fn daemon() -> String {
    format!("python3 {} clear", fixture("daemon.py"))
}

fn group_of(status: &Value) -> String {
    format!("run-{}", status["run_id"].as_str().expect("a run id"))
}

#[test]
fn server_moves_into_a_leaf_and_runs_get_their_own_cgroup() {
    let Some(group) = Group::make() else { return };
    let server = Server::start_command(group.binary());
    assert_eq!(group.inner(), ["server"]);
    assert_eq!(group.pids("server"), [server.pid()]);
    let first = server.run("sleep 60 & sleep 60");
    let pids = || group.pids(&group_of(&first));
    eventually("shell and both sleeps are in it", || (pids().len() == 3).then_some(()));
    server.post("/kill").expect(200);
    assert_eq!(pids(), [0; 0]);
    let second = server.run_to_end("true");
    let mut expected = [group_of(&second), "server".to_owned()];
    expected.sort();
    assert_eq!(group.inner(), expected, "the first run's group is gone");
    drop(server);
    assert_eq!(group.inner(), ["server"]);
}

#[test]
fn a_daemon_without_an_environment_is_ended_with_its_service() {
    let Some(group) = Group::make() else { return };
    let services = json!({"tts": {"cmd": format!("{}; exec sleep 60", daemon())}});
    let astra = Astra::start_command(group.binary(), services);
    astra.wait_for_line("tts", "ready");
    eventually("only shell and daemon live", || (astra.living().len() == 2).then_some(()));
    let usage = astra.status("tts")["memory_mb"].as_f64();
    assert!(usage.is_some_and(|mebibytes| mebibytes > 0.0), "{usage:?}");
    astra.settle("stop", "tts");
    assert_eq!(astra.living(), Vec::<String>::new());
}

#[test]
fn daemon_with_empty_environment_is_ended_after_a_crash() {
    let Some(group) = Group::make() else { return };
    let mut server = Server::start_command(group.binary());
    server.run(&format!("{}; sleep 60", daemon()));
    server.wait_for_output("ready");
    server.signal("KILL");
    server.wait();
    assert!(!processes_in(server.folder()).is_empty());
    server.start_again();
    assert_eq!(server.living(), Vec::<String>::new());
    assert_eq!(group.inner(), ["server"]);
    assert!(server.log().contains("ended 1 control groups of old runs"), "{}", server.log());
}

#[test]
fn populated_cgroup_is_left_unchanged() {
    let Some(group) = Group::make() else { return };
    let one = Server::start_command(group.binary());
    let other = Server::start_command(group.binary());
    assert_eq!(group.pids("server"), [one.pid()]);
    assert_eq!(group.pids("."), [other.pid()]);
    other.run_to_end("true");
    assert_eq!(group.inner(), ["server"]);
}

#[test]
fn fork_chain_is_ended() {
    let Some(group) = Group::make() else { return };
    let server = Server::start_command(group.binary());
    server.run(&format!("python3 {} & sleep 60", fixture("fork_and_leave.py")));
    server.wait_for_output("ready");
    server.post("/kill?type=SIGKILL").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}
