//! The nginx configuration of SECURITY.md, run as printed there.

use crate::harness::{Server, binary, eventually, kill};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const TOKEN: &str = "Authorization: Bearer s3cret-token-0123";
const JSON: &str = "Content-Type: application/json";

/// nginx in the foreground in a folder of its own, on a Unix socket there.
struct Proxy {
    child: Child,
    folder: TempDir,
}

impl Proxy {
    /// Starts nginx in front of `server`.
    fn before(server: &Server) -> Self {
        let (nginx, openssl) = (program("nginx"), program("openssl"));
        let folder = tempfile::tempdir().unwrap();
        make_certificate(&openssl, folder.path());
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration(server, folder.path())).unwrap();
        let mut command = Command::new(nginx);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&path).args(["-e", "stderr"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let proxy = Self { child, folder };
        eventually("nginx takes connections", || UnixStream::connect(proxy.socket()).ok());
        proxy
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tls.sock")
    }

    /// Creates a client that uses TLS.
    fn client(&self, path: &str, headers: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]);
        curl.arg("--cacert").arg(self.folder.path().join("shell.example.pem"));
        curl.arg("--unix-socket").arg(self.socket());
        for header in headers {
            curl.args(["--header", header]);
        }
        curl.arg(format!("https://shell.example{path}"));
        curl
    }

    /// Sends a request and returns the status and the whole answer.
    fn ask(&self, path: &str, headers: &[&str], body: Option<&str>) -> (u16, String) {
        let mut curl = self.client(path, headers);
        if let Some(body) = body {
            curl.args(["--data", body]);
        }
        let output = done(curl.arg("--include"));
        let answer = String::from_utf8(output.stdout).unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {answer}")), answer)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        kill("TERM", self.child.id());
        self.child.wait().unwrap();
    }
}

/// Finds a program, also in the administrator's paths and among those unpacked by `make test`.
fn program(name: &str) -> PathBuf {
    let unpacked = concat!(env!("CARGO_MANIFEST_DIR"), "/target/nginx/usr/sbin");
    let path = std::env::var("PATH").unwrap_or_default();
    let places = format!("{path}:/usr/sbin:/usr/local/sbin:{unpacked}");
    let mut found = places.split(':').map(|folder| Path::new(folder).join(name));
    found
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: `make test` gets it"))
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn make_certificate(openssl: &Path, folder: &Path) {
    let mut request = Command::new(openssl);
    request.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    request.args(["-nodes", "-days", "2", "-subj", "/CN=shell.example"]);
    request.args(["-addext", "subjectAltName=DNS:shell.example"]);
    request.arg("-keyout").arg(folder.join("shell.example.key"));
    done(request.arg("-out").arg(folder.join("shell.example.pem")));
}

/// Returns the block of SECURITY.md with the paths of this test, within a distribution's main
/// configuration.
fn configuration(server: &Server, folder: &Path) -> String {
    let document = include_str!("../../SECURITY.md");
    let block = document.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut block = block.expect("a block for nginx").to_owned();
    let (folder, address) = (folder.display().to_string(), server.address().to_string());
    for (there, here) in [
        ("listen 443 ssl;", format!("listen unix:{folder}/tls.sock ssl;")),
        ("/etc/ssl/shell.example.pem", format!("{folder}/shell.example.pem")),
        ("/etc/ssl/shell.example.key", format!("{folder}/shell.example.key")),
        ("127.0.0.1:8000", address),
    ] {
        assert_eq!(block.matches(there).count(), 1, "{there}");
        block = block.replace(there, &here);
    }
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places: String =
        kinds.map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n")).concat();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nevents {{}}\n\
         http {{\n    access_log off;\n{places}{block}}}\n"
    )
}

fn catch_panic(allowed_hosts: &str) -> Server {
    let mut command = binary();
    command
        .env("LLM_SHELL_TOKEN", "s3cret-token-0123")
        .env("LLM_SHELL_ALLOWED_HOSTS", allowed_hosts);
    Server::start_command(command)
}

#[test]
fn everything_works_behind_nginx() {
    let server = catch_panic("shell.example");
    let proxy = Proxy::before(&server);
    assert_eq!(proxy.ask("/health", &[], None).0, 200);
    assert_eq!(proxy.ask("/status", &[], None).0, 401);
    let ours = [TOKEN, JSON, "Origin: https://shell.example"];
    let command = "{\"command\":\"seq 300000\"}";
    assert_eq!(proxy.ask("/start", &ours, Some(command)).0, 201);
    assert_eq!(status_at_the_end(&proxy), "exited");
    let (status, logs) = proxy.ask("/logs", &[TOKEN], None);
    assert_eq!(status, 200);
    assert!(logs.contains("\"total_lines\":300000") && logs.contains("\\n299999\\n300000"));
    let large = format!("{{\"command\":\": {}\"}}", "x".repeat(100_000));
    assert_eq!(proxy.ask("/start", &ours, Some(&large)).0, 201);
}

#[test]
fn nginx_does_not_buffer_streams() {
    let server = catch_panic("shell.example");
    let proxy = Proxy::before(&server);
    let command = "echo one; while [ ! -e go ]; do sleep 0.01; done; echo two";
    let body = serde_json::json!({ "command": command }).to_string();
    assert_eq!(proxy.ask("/start", &[TOKEN, JSON], Some(&body)).0, 201);
    let mut client = proxy.client("/logs?follow=true", &[TOKEN]);
    let mut client = client.arg("--no-buffer").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    fs::write(server.folder().join("go"), "").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    assert!(lines.next().is_none() && client.wait().unwrap().success());
}

/// What the command is, once it runs no more.
fn status_at_the_end(proxy: &Proxy) -> &'static str {
    eventually("the command ends", || {
        let (_, answer) = proxy.ask("/status", &[TOKEN], None);
        ["exited", "killed"].into_iter().find(|word| answer.contains(&format!("\"{word}\"")))
    })
}

#[test]
fn unknown_host_is_refused_behind_nginx() {
    let server = catch_panic("other.example");
    let proxy = Proxy::before(&server);
    let (status, answer) = proxy.ask("/status", &[TOKEN], None);
    assert!(status == 403 && answer.contains("LLM_SHELL_ALLOWED_HOSTS"), "{answer}");
}

#[test]
fn only_own_pages_log_in_behind_nginx() {
    let server = catch_panic("shell.example");
    let proxy = Proxy::before(&server);
    let token = Some("{\"token\":\"s3cret-token-0123\"}");
    let foreign = ["https://evil.example", "https://shell.example:8443", "https://example"];
    for origin in foreign.map(|origin| format!("Origin: {origin}")) {
        assert_eq!(proxy.ask("/login", &[&origin, JSON], token).0, 403, "{origin}");
    }
    let (status, answer) = proxy.ask("/login", &["Origin: https://shell.example", JSON], token);
    assert_eq!(status, 200, "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.lines().last().unwrap()).unwrap();
    let shown = format!("Authorization: Bearer {}", body["token"].as_str().unwrap());
    assert_eq!(proxy.ask("/status", &[&shown], None).0, 404);
}
