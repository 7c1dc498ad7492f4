//! Other users of the machine, who share the loopback address.
//!
//! These tests act as another user, so they must be started by root.

use crate::harness::{Server, binary, eventually, kill, open_folder};
use std::process::{Command, Output, Stdio};

/// A user who is neither root nor the server's.
const OTHER_USER: &str = "1";

/// Returns a program that runs as another user.
fn as_stranger(program: &str) -> Command {
    assert!(nix::unistd::geteuid().is_root(), "only root can be somebody else: run it as root");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", OTHER_USER, "--regid", OTHER_USER, "--clear-groups", program]);
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Returns the status and the body that another user gets.
fn ask(to: &[&str], path: &str, more: &[&str]) -> (u16, String) {
    let mut curl = as_stranger("curl");
    curl.args(["--silent", "--noproxy", "*", "--max-time", "20", "--write-out", "\n%{http_code}"]);
    let Output { stdout, .. } = curl.args(to).args(more).arg(path).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn another_user_gets_no_shell_without_credentials() {
    let server = Server::start();
    let url = |path: &str| format!("http://{}{path}", server.address());
    for (path, more) in [
        ("/status", vec![]),
        ("/", vec![]),
        ("/openapi.json", vec![]),
        ("/start", vec!["--data", "{\"command\":\"touch pwned\"}"]),
        ("/mcp", vec!["--data", "{}"]),
        ("/login", vec!["--data", "{\"token\":\"x\"}"]),
    ] {
        let (status, body) = ask(&[], &url(path), &more);
        assert!(status == 403 && body.contains("belongs to user 1"), "{path}: {status} {body}");
        assert!(body.contains("LLM_SHELL_TOKEN"), "{body}");
    }
    let (status, body) = ask(&[], &url("/health"), &[]);
    assert!(status == 200 && body.contains("healthy"), "{body}");
    server.get("/status").expect(404);
    assert!(!server.folder().join("pwned").exists());
}

/// When the request is read, the other end is closed, which then appears to be owned by root.
#[test]
fn request_of_a_vanished_sender_runs_nothing() {
    let server = Server::start();
    let sends = "for i in {1..200}; do exec 3<>/dev/tcp/127.0.0.1/$0; \
        printf 'POST /start HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 25\\r\\n\\r\\n%s' \
        '{\"command\":\"touch pwned\"}' >&3; exec 3>&-; done";
    let mut bash = as_stranger("bash");
    bash.args(["-c", sends, &server.address().port().to_string()]);
    let done = bash.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    server.wait_for_log(" POST /start 403 ");
    server.get("/status").expect(404);
    assert!(!server.folder().join("pwned").exists());
}

#[test]
fn another_user_with_the_token_is_served() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123");
    let server = Server::start_command(command);
    let url = format!("http://{}/status", server.address());
    let shown = ["--header", "Authorization: Bearer s3cret-token-0123"];
    assert_eq!(ask(&[], &url, &shown).0, 404);
    assert_eq!(ask(&[], &url, &[]).0, 401);
}

#[test]
fn failed_logins_of_one_user_do_not_block_another() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123");
    let server = Server::start_command(command);
    let url = format!("http://{}/status", server.address());
    for expected in [[401; 10].as_slice(), &[429, 429]].concat() {
        assert_eq!(ask(&[], &url, &["--header", "Authorization: Bearer wrong"]).0, expected);
    }
    let right = ["Authorization: Bearer s3cret-token-0123"];
    server.request("GET /status", &right, b"").expect(404);
    assert!(server.log().contains("(uid 1)"), "{}", server.log());
}

#[test]
fn a_unix_socket_serves_its_own_user_whatever_its_mode() {
    let folder = open_folder();
    let path = folder.path().join("shell.sock");
    let mut command = binary();
    command.arg("--socket").arg(&path).current_dir(folder.path()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    eventually("the socket is there", || path.exists().then_some(()));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&path, open).unwrap();
    let to = ["--unix-socket", path.to_str().unwrap()];
    let (status, body) = ask(&to, "http://localhost/status", &[]);
    assert!(status == 403 && body.contains("belongs to user 1"), "{status} {body}");
    assert_eq!(ask(&to, "http://localhost/health", &[]).0, 200);
    let mut own = Command::new("curl");
    let own = own.args(["--silent", "--fail", "http://localhost/runs"]).args(to);
    assert!(own.output().unwrap().status.success());
    kill("TERM", child.id());
    assert!(child.wait().unwrap().success());
}
