//! Confidentiality of secrets from all sources.

use crate::harness::{Server, binary};
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "s3cret-token-0123";
const SHOWN: [&str; 1] = ["Authorization: Bearer s3cret-token-0123"];

#[test]
fn secret_can_be_read_from_a_file() {
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
fn secret_can_come_from_systemd() {
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
fn invalid_secret_is_named_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let empty = empty.to_str().unwrap();
    for (variables, expected) in [
        (
            vec![("LLM_SHELL_TOKEN", "two words")],
            "LLM_SHELL_TOKEN (environment): expected at least",
        ),
        (vec![("LLM_SHELL_TOKEN", "fifteen-letters")], "at least 16 visible ASCII characters"),
        (vec![("LLM_SHELL_BASIC_AUTH", "nocolon")], "expected user:password"),
        (vec![("LLM_SHELL_BASIC_AUTH", "ann:seven77")], "with at least 8 characters"),
        (
            vec![("LLM_SHELL_TOKEN_FILE", "a-token-by-mistake")],
            "LLM_SHELL_TOKEN_FILE (environment)",
        ),
        (vec![("LLM_SHELL_TOKEN", "")], "LLM_SHELL_TOKEN (environment) is empty"),
        (vec![("LLM_SHELL_TOKEN_FILE", "/no/such/file")], "LLM_SHELL_TOKEN_FILE (environment)"),
        (vec![("LLM_SHELL_TOKEN_FILE", empty)], "a file that holds at least 16 visible ASCII"),
        (
            vec![("LLM_SHELL_TOKEN", "given-directly-16"), ("LLM_SHELL_TOKEN_FILE", "/dev/null")],
            "LLM_SHELL_TOKEN_FILE",
        ),
    ] {
        let output = binary().envs(variables.clone()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        let secret = variables[0].1;
        let is_path = secret.starts_with('/');
        assert!(secret.is_empty() || is_path || !stderr.contains(secret), "{stderr}");
    }
}

#[test]
fn command_cannot_read_the_secret_of_the_server() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", TOKEN).env("RUST_LOG", "trace");
    if nix::unistd::geteuid().is_root() {
        // Root can read everything, so the server and its command run as another user.
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

#[test]
fn readable_token_file_causes_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    for (mode, is_warned) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let mut command = binary();
        command.env("LLM_SHELL_TOKEN_FILE", &file);
        let log = Server::start_command(command).log();
        assert_eq!(log.contains("other users can read or change the file"), is_warned, "{log}");
        assert!(!log.contains("running as root without credentials"), "{log}");
    }
    let log = Server::start().log();
    let is_root = nix::unistd::geteuid().is_root();
    assert_eq!(log.contains("running as root without credentials"), is_root, "{log}");
}

/// A proxy of the environment, which records requests and answers with an error.
fn proxy(answers: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        while heard.len() < answers && Instant::now() < deadline {
            let Ok((mut stream, _)) = listener.accept() else {
                std::thread::park_timeout(Duration::from_millis(5));
                continue;
            };
            stream.set_nonblocking(false).unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap_or(0);
            heard.push(String::from_utf8_lossy(&request[..count]).into_owned());
        }
        heard
    });
    (url, heard)
}

#[test]
fn clients_ignore_proxies_of_the_environment() {
    let (url, heard) = proxy(1);
    let with_proxy = |command: &mut Command| {
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env(name, &url);
        }
        command.env("LLM_SHELL_TOKEN", TOKEN);
    };
    let folder = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let mut command = binary();
    with_proxy(&mut command);
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "200000");
    let server = Server::start_command(command);
    let mut message = [0; 1024];
    while !message.starts_with(b"WATCHDOG=1") {
        manager.recv(&mut message).unwrap();
    }
    server.request("POST /start", &SHOWN, b"{\"command\":\"true\"}").expect(201);
    let server_url = format!("http://{}", server.address());
    for arguments in [["ctl", "logs"].as_slice(), &["ctl", "health"], &["mcp"]] {
        let mut client = binary();
        with_proxy(&mut client);
        client.args(arguments).args(["--url", &server_url]);
        let output = client.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(heard.join().unwrap(), Vec::<String>::new());
}

#[test]
fn token_is_sent_over_plain_http_only_locally() {
    for arguments in [vec!["ctl", "status"], vec!["mcp"]] {
        let ask = |more: &[&str]| {
            let mut client = binary();
            client.env("LLM_SHELL_TOKEN", TOKEN).args(&arguments);
            // A name that does not resolve (RFC 2606).
            client.args(["--url", "http://shell.invalid:1"]).args(more);
            let output = client.output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, stderr) = ask(&[]);
        assert!(code == Some(2) && stderr.contains("--insecure"), "{code:?} {stderr}");
        let (_, stderr) = ask(&["--insecure"]);
        assert!(!stderr.contains("--insecure"), "{stderr}");
    }
}

#[test]
fn client_logs_contain_no_token() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", TOKEN);
    let server = Server::start_command(command);
    server.request("POST /start", &SHOWN, b"{\"command\":\"true\"}").expect(201);
    let mut client = binary();
    client.env("LLM_SHELL_TOKEN", TOKEN).env("RUST_LOG", "trace");
    let url = format!("http://{}", server.address());
    let output = client.args(["ctl", "logs", "--url", &url]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains(TOKEN), "{stderr}");
    let output = binary().args(["ctl", "--token", "too-short", "status"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && !stderr.contains("too-short"), "{stderr}");
}

/// `ctl health`, which the image asks for every half minute, and the bridge have the token in
/// their environment.
#[test]
fn command_cannot_read_the_secret_of_a_client() {
    assert!(nix::unistd::geteuid().is_root(), "only root can be somebody else: run it as root");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "1", "--clear-groups", env!("CARGO_BIN_EXE_llm-shell"), "mcp"]);
    command.args(["--url", "http://127.0.0.1:1"]).env("LLM_SHELL_TOKEN", TOKEN);
    let mut bridge = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let name = || fs::read_to_string(format!("/proc/{}/comm", bridge.id())).unwrap();
    crate::harness::eventually("it runs", || (name() == "llm-shell\n").then_some(()));
    let path = format!("/proc/{}/environ", bridge.id());
    crate::harness::eventually("its environment is closed", || {
        let mut cat = Command::new("setpriv");
        let cat = cat.args(["--reuid", "1", "--clear-groups", "cat", &path]).output().unwrap();
        (!cat.status.success() && cat.stdout.is_empty()).then_some(())
    });
    drop(bridge.stdin.take());
    bridge.wait().unwrap();
}
