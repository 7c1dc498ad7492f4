//! An empty /proc.

use crate::harness::{Server, binary, eventually};
use serde_json::json;
use std::process::Command;

/// Returns the program in a mount namespace, after `before`. `None` if that is not permitted.
fn apart(before: &str) -> Option<Command> {
    let mut unshare = Command::new("unshare");
    let tried = Command::new("unshare").args(["--mount", "true"]).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        eprintln!("not permitted here: unshare --mount");
        return None;
    }
    let script = format!("{before}exec \"$0\" \"$@\"");
    unshare.args(["--mount", "sh", "-c", &script]).arg(binary().get_program());
    Some(unshare)
}

/// Mounts an empty file system over the /proc of a process, or unmounts it.
fn cover_proc(pid: u32, arguments: &[&str]) {
    let pid = pid.to_string();
    let done = Command::new("nsenter").args(["--mount", "--target", &pid]).args(arguments).status();
    assert!(done.expect("nsenter runs").success(), "{arguments:?}");
}

#[test]
fn server_without_proc_refuses_to_start() {
    let Some(mut command) = apart("mount -t tmpfs none /proc && ") else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).env("LLM_SHELL_PORT", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("read /proc (mount it)"), "{stderr}");
}

#[test]
fn invisible_processes_are_not_reported_as_gone() {
    let Some(mut command) = apart("") else { return };
    command.env("LLM_SHELL_KILL_TIMEOUT", "0.2");
    let server = Server::start_command(command);
    server.run("(setsid sleep 600 &); echo ready; exec sleep 600");
    server.wait_for_output("ready");
    eventually("both are there", || (server.living().len() == 2).then_some(()));
    cover_proc(server.pid(), &["mount", "-t", "tmpfs", "none", "/proc"]);
    let killed = server.post("/kill").expect(200).json();
    // The command's own process is held by a pidfd, so it is ended nevertheless.
    assert_eq!((&killed["status"], &killed["signal"]), (&json!("killed"), &json!("SIGTERM")));
    let why = killed["left"][0]["why"].as_str().expect("the reason that more may be left");
    assert!(why.contains("/proc cannot be read"), "{killed}");
    assert_eq!(server.living().len(), 1);
    // A command started now could not be ended.
    let detail = server.post_json("/start", &json!({ "command": "sleep 600" }));
    assert!(detail.problem(500, "internal").contains("read /proc"));
    assert_eq!(server.living().len(), 1);
    cover_proc(server.pid(), &["umount", "/proc"]);
    let status = server.get("/status").expect(200).json();
    assert_eq!(status["leftover_pids"].as_array().map(Vec::len), Some(1), "{status}");
    server.post("/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}
