//! `llm-shell mcp --detach`: one server for all clients of a user.

use super::speaker::Speaker;
use crate::harness::{binary, eventually, kill, processes_in};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A user, whose server ends after two seconds without clients and runs.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self) -> Command {
        let mut command = binary();
        command.env("XDG_RUNTIME_DIR", self.0.path()).env("XDG_STATE_HOME", self.0.path());
        command
    }

    fn client(&self) -> Speaker {
        Self::client_of(self.command())
    }

    fn client_of(command: Command) -> Speaker {
        Speaker::start(command, &["--detach", "--detach-idle", "2"])
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("llm-shell.sock")
    }

    /// The pids of all servers of this user.
    fn servers(&self) -> Vec<u32> {
        let is_one = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(" serve ") && line.contains(self.socket().to_str().unwrap())
        };
        let entries = std::fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(is_one).collect()
    }

    #[track_caller]
    fn wait_for_end(&self) {
        eventually("the server ends", || self.servers().is_empty().then_some(()));
        assert!(UnixStream::connect(self.socket()).is_err());
    }
}

fn is_used(folder: &Path) -> bool {
    !processes_in(folder).is_empty()
}

#[test]
fn detached_runs_survive_their_client() {
    let user = User::new();
    let mut command = user.command();
    command.env("GREETING", "hello").env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let mut first = User::client_of(command);
    let run = json!({
        "command": "echo $GREETING ${LLM_SHELL_TOKEN-none}; pwd; exec sleep 60", "name": "kept",
        "until": "match:^/", "wait": 20,
    });
    let text = first.call(1, "start_command", &run);
    let place = first.folder.path().display().to_string();
    assert!(text.contains(&format!("\nhello none\n{place}\n")), "{text}");
    let mode = std::fs::metadata(user.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(first.leave().success());
    let mut second = user.client();
    let text = second.call(1, "wait", &json!({"wait": 0}));
    assert!(text.contains("You have started no command yet"), "{text}");
    let run = json!({"command": "echo [$GREETING][$OWN]; pwd", "cwd": "/", "env": {"OWN": "1"}});
    let text = second.call(2, "start_command", &run);
    assert!(text.contains("\n[][1]\n/\n"), "{text}");
    let text = second.call(3, "read_logs", &json!({}));
    assert!(text.contains("\n[][1]\n"), "{text}");
    let text = second.call(4, "read_logs", &json!({"run": "kept"}));
    assert!(text.contains(" | running | ") && text.contains("\nhello none\n"), "{text}");
    assert!(second.leave().success());
    // The run keeps the server.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(is_used(first.folder.path()) && user.servers().len() == 1);
    let mut third = user.client();
    let text = third.call(1, "kill", &json!({"run": "kept"}));
    assert!(text.contains("killed (kill)"), "{text}");
    assert!(third.leave().success());
    user.wait_for_end();
}

#[test]
fn clients_that_start_at_once_share_one_server() {
    let user = User::new();
    let mut clients: Vec<Speaker> = (0..5).map(|_| user.client()).collect();
    for client in &mut clients {
        let text = client.call(1, "list_runs", &json!({}));
        assert!(text.contains("(no runs)"), "{text}");
    }
    let servers = user.servers();
    assert_eq!(servers.len(), 1);
    // A client keeps it, also without a call.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(user.servers(), servers);
    // It is started again when it is needed.
    kill("KILL", servers[0]);
    // The kernel closes the socket of a process last.
    eventually("it is gone", || UnixStream::connect(user.socket()).is_err().then_some(()));
    for client in &mut clients {
        let text = client.call(2, "start_command", &json!({"command": "echo again"}));
        assert!(text.contains("\nagain\n"), "{text}");
    }
    assert_eq!(user.servers().len(), 1);
    for mut client in clients {
        assert!(client.leave().success());
    }
    user.wait_for_end();
}

#[test]
fn detach_without_a_runtime_directory_is_refused() {
    let shared = crate::harness::open_folder();
    for place in [None, Some("relative"), shared.path().to_str()] {
        let mut command = binary();
        command.args(["mcp", "--detach"]).env_remove("XDG_RUNTIME_DIR").stdout(Stdio::null());
        command.envs(place.map(|place| ("XDG_RUNTIME_DIR", place)));
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let said = "--detach needs XDG_RUNTIME_DIR to be the absolute path of a directory";
        assert!(output.status.code() == Some(2) && stderr.contains(said), "{stderr}");
    }
}

#[test]
fn server_that_cannot_start_is_reported() {
    let user = User::new();
    let mut command = user.command();
    std::fs::write(user.0.path().join("llm-shell"), "").unwrap();
    let output = command.args(["mcp", "--detach"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said = "cannot start the server of this user";
    assert!(output.status.code() == Some(1) && stderr.contains(said), "{stderr}");
}
