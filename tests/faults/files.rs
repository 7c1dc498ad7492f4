//! Failing log directories and logs.

use super::as_user;
use crate::harness::{Server, eventually};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Runs `mount` or `umount` and returns whether it succeeded.
fn done(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).output();
    done.is_ok_and(|output| output.status.success())
}

#[test]
fn full_log_directory_refuses_starts_but_stops_nothing() {
    let Some(command) = as_user(1_054_326, 1000) else { return };
    let server = Server::start_command_in_open_folder(command);
    let set_mode = |mode| {
        let logs = server.folder().join("logs");
        std::fs::set_permissions(logs, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    server.run("while [ ! -e go ]; do sleep 0.01; done; echo last");
    set_mode(0o555);
    std::fs::write(server.folder().join("go"), "").unwrap();
    assert_eq!(server.ended()["exit_code"], 0);
    assert_eq!(server.content(""), "last");
    let refused = server.post_json("/start", &json!({ "command": "true" }));
    let detail = refused.problem(500, "internal");
    assert!(detail.contains("LLM_SHELL_LOG_DIR"), "{detail}");
    // Existing output is still served, and writing resumes when it is possible again.
    assert_eq!(server.content(""), "last");
    set_mode(0o755);
    assert_eq!(server.run_to_end("echo again")["exit_code"], 0);
    assert_eq!(server.content(""), "again");
}

#[test]
fn server_refuses_a_read_only_log_directory() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    let path = disk.to_str().unwrap();
    std::fs::create_dir_all(&disk).unwrap();
    if !done("mount", &["-t", "tmpfs", "-o", "ro", "tmpfs", path]) {
        eprintln!("not permitted here: mount -t tmpfs");
        return;
    }
    let mut command = crate::harness::binary();
    command.args(["--port", "0", "--log-dir", path]).current_dir(folder.path());
    let output = command.output().unwrap();
    assert!(done("umount", &[path]));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("Read-only file system") && stderr.contains("LLM_SHELL_LOG_DIR"),
        "{stderr}"
    );
}

#[test]
fn command_writing_to_its_own_log_corrupts_no_line() {
    let server = Server::start();
    let log = "\"$(ls -t logs/*.log | head -1)\"";
    server.run_to_end(&format!(
        "for i in 1 2 3; do echo line $i; echo garbage >> {log}; sleep 0.05; done; \
         printf 'torn' >> {log}; sleep 0.05; echo last; echo end"
    ));
    let content = server.content("");
    for line in ["line 1", "line 2", "line 3", "end"] {
        assert_eq!(content.lines().filter(|found| *found == line).count(), 1, "{content}");
    }
}

#[test]
fn command_printing_its_own_log_stays_within_the_limit() {
    const BYTES_MAX: u64 = 1024 * 1024;
    let server = Server::start_with(&["--log-max-bytes", &BYTES_MAX.to_string()]);
    // Each printed line causes another, longer one.
    server.run("echo first; exec tail -n +1 -F \"$(ls -t logs/*.log | head -1)\"");
    eventually("it has printed more than there may be", || {
        let page = server.get("/logs?lines=1").expect(200).json();
        (page["total_lines"].as_u64()? > 100).then_some(())
    });
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    server.post("/kill").expect(200);
    let files = std::fs::read_dir(server.folder().join("logs")).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= BYTES_MAX * 2, "{bytes}");
    assert_eq!(server.run_to_end("echo fine")["exit_code"], 0);
    assert_eq!(server.content(""), "fine");
}
