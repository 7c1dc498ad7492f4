//! Secrets stay secret, wherever they come from.

use crate::harness::{Server, binary};
use std::fs;
use std::os::unix::process::CommandExt;

const TOKEN: &str = "s3cret-token";
const SHOWN: [&str; 1] = ["Authorization: Bearer s3cret-token"];

#[test]
fn a_secret_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN_FILE", &file);
    let server = Server::start_command(command);
    server.get("/status").expect(401);
    server.request("GET /status", &SHOWN, b"").expect(404);
}

#[test]
fn a_secret_may_come_from_systemd() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("llm-shell.token"), TOKEN).unwrap();
    let mut command = binary();
    command.env("CREDENTIALS_DIRECTORY", folder.path());
    let server = Server::start_command(command);
    server.get("/status").expect(401);
    let body = b"{\"command\":\"env; echo ready\"}";
    server.request("POST /start", &SHOWN, body).expect(201);
    let log = loop {
        let logs = server.request("GET /logs", &SHOWN, b"").expect(200).json();
        let content = logs["content"].as_str().unwrap().to_owned();
        if content.contains("ready") {
            break content;
        }
    };
    assert!(!log.contains("CREDENTIALS_DIRECTORY"), "{log}");
}

#[test]
fn a_secret_that_cannot_be_used_is_named_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let empty = empty.to_str().unwrap();
    for (variables, said) in [
        (vec![("LLM_SHELL_TOKEN", "two words")], "LLM_SHELL_TOKEN (environment) must be visible"),
        (vec![("LLM_SHELL_BASIC_AUTH", "nocolon")], "must be user:password"),
        (vec![("LLM_SHELL_TOKEN", "")], "LLM_SHELL_TOKEN (environment) is empty"),
        (vec![("LLM_SHELL_TOKEN_FILE", "/no/such/file")], "LLM_SHELL_TOKEN_FILE (environment)"),
        (vec![("LLM_SHELL_TOKEN_FILE", empty)], "a file that holds visible ASCII"),
        (
            vec![("LLM_SHELL_TOKEN", "direct"), ("LLM_SHELL_TOKEN_FILE", "/dev/null")],
            "LLM_SHELL_TOKEN_FILE",
        ),
    ] {
        let output = binary().envs(variables.clone()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        let secret = variables[0].1;
        let is_path = secret.starts_with('/');
        assert!(secret.is_empty() || is_path || !stderr.contains(secret), "{stderr}");
    }
}

#[test]
fn a_command_cannot_read_the_secret_from_us() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", TOKEN).env("RUST_LOG", "trace");
    if nix::unistd::geteuid().is_root() {
        // Root may read everything, so the server and its command run as somebody else here.
        // SAFETY: only async-signal-safe calls, and no memory of ours is touched.
        unsafe {
            command.pre_exec(|| {
                let nobody = nix::libc::uid_t::from(65534_u16);
                nix::libc::setgroups(0, std::ptr::null());
                nix::libc::setgid(nobody);
                nix::libc::setuid(nobody);
                Ok(())
            })
        };
    }
    let server = Server::start_command_in_open_folder(command);
    let pid = server.pid();
    let attempts = format!(
        "cat /proc/{pid}/environ /proc/{pid}/mem /proc/{pid}/maps; head -c 100 /proc/{pid}/fd/*; \
         env; echo ready"
    );
    let body = serde_json::json!({ "command": attempts }).to_string();
    server.request("POST /start", &SHOWN, body.as_bytes()).expect(201);
    let logs = crate::harness::eventually("the command has tried", || {
        let logs = server.request("GET /logs", &SHOWN, b"").expect(200).text();
        logs.contains("ready").then_some(logs)
    });
    assert!(logs.contains("/environ: Permission denied"), "{logs}");
    assert!(!logs.contains(TOKEN), "{logs}");
    let status = server.request("GET /status", &SHOWN, b"").expect(200).text();
    assert!(!status.contains(TOKEN), "{status}");
    assert!(!server.log().contains(TOKEN), "{}", server.log());
    server.request("POST /kill", &SHOWN, b"");
}
