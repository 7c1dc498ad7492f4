//! Protection of the log directory against other users and programs.

use crate::harness::{Server, binary, eventually, kill};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts a server in this folder, asserts exit code 1, and returns its stderr.
#[track_caller]
fn refused(folder: &Path) -> String {
    let mut command = binary();
    command.args(["--port", "0"]).current_dir(folder);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let status = eventually("the server ends", || child.try_wait().unwrap());
    let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("LLM_SHELL_LOG_DIR"), "{stderr}");
    stderr
}

#[test]
fn a_link_in_the_log_directory_is_refused_untouched() {
    for name in [".lock", ".runs", "2026-01-02_03-04-05.log", "2026-01-02_03-04-05.log.1"] {
        for is_hard in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (logs, victim) = (folder.path().join("logs"), folder.path().join("victim"));
            fs::create_dir(&logs).unwrap();
            fs::write(&victim, "precious").unwrap();
            let link = logs.join(name);
            let linked =
                if is_hard { fs::hard_link(&victim, link) } else { symlink(&victim, link) };
            linked.unwrap();
            let stderr = refused(folder.path());
            let why = if is_hard { "hard link" } else { "symbolic link" };
            assert!(stderr.contains(name) && stderr.contains(why), "{stderr}");
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
        }
    }
}

#[test]
fn symlinked_log_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    symlink("elsewhere", folder.path().join("logs")).unwrap();
    assert!(refused(folder.path()).contains("symbolic link"));
    assert_eq!(fs::read_dir(folder.path().join("elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_fifo_in_the_log_directory_does_not_hang_the_start() {
    for name in [".lock", ".runs", "2026-01-02_03-04-05.log"] {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let made = Command::new("mkfifo").arg(logs.join(name)).status().unwrap();
        assert!(made.success());
        let stderr = refused(folder.path());
        assert!(stderr.contains(name) && stderr.contains("not a regular file"), "{stderr}");
    }
}

#[test]
fn a_log_directory_of_another_user_is_refused() {
    for name in ["logs", "logs/.lock", "logs/.runs", "logs/2026-01-02_03-04-05.log"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let path = folder.path().join(name);
        if name != "logs" {
            fs::write(&path, "").unwrap();
        }
        chown(&path, Some(54_321), None).expect("this test must run as root");
        let stderr = refused(folder.path());
        assert!(stderr.contains("belongs to another user"), "{name}: {stderr}");
    }
}

#[test]
fn writable_log_directory_is_made_private() {
    let mut server = Server::start();
    let logs = server.folder().join("logs");
    let mode = || fs::metadata(&logs).unwrap().permissions().mode() & 0o7777;
    for open in [0o777, 0o770, 0o722] {
        server.signal("TERM");
        server.wait();
        fs::set_permissions(&logs, fs::Permissions::from_mode(open)).unwrap();
        server.start_again();
        assert_eq!(mode(), 0o700);
        assert!(server.log().contains("others could write to logs"), "{}", server.log());
    }
    assert_eq!(server.run_to_end("echo fine")["exit_code"], 0);
}

#[test]
fn forged_ledger_kills_and_serves_nothing() {
    let mut server = Server::start();
    server.run_to_end("echo mine");
    server.signal("TERM");
    server.wait();
    let ledger = server.folder().join("logs/.runs");
    let text = fs::read_to_string(&ledger).unwrap();
    let mut run: serde_json::Value =
        serde_json::from_str(text.lines().next().expect("a run")).unwrap();
    let entry = r#"{"timestamp":"2026-01-02T03:04:05.678901Z","line":"secret"}"#;
    fs::write(server.folder().join("x"), format!("{entry}\n")).unwrap();
    let mut other = Command::new("sleep");
    let other = other.arg("60").env("RUN_ID", "42").current_dir(server.folder());
    let mut other = other.spawn().unwrap();
    let mut forged = String::new();
    for (run_id, log) in [("42", "2026-01-02_03-04-05.log"), ("00000000deadbeef", "../x")] {
        (run["run_id"], run["log"], run["pid"]) = (json!(run_id), json!(log), json!(0));
        run["end"] = json!(null);
        forged.extend([run.to_string(), "\n".to_owned()]);
    }
    fs::write(&ledger, text + &forged).unwrap();
    server.start_again();
    for run_id in ["42", "00000000deadbeef"] {
        server.get(&format!("/runs/{run_id}/logs")).problem(404, "not_found");
    }
    let runs = server.get("/runs").expect(200).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
    assert!(other.try_wait().unwrap().is_none(), "the other lives");
    kill("KILL", other.id());
    other.wait().unwrap();
}
