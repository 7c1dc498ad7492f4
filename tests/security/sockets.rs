//! Listening sockets.

use crate::harness::{binary, eventually};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

#[test]
fn token_allows_listening_beyond_loopback() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123").args(["--host", "0.0.0.0"]);
    let server = crate::harness::Server::start_command(command);
    assert!(server.address().ip().is_unspecified());
}

#[test]
fn unix_socket_is_private_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shell.sock");
    let mut command = binary();
    command.arg("--socket").arg(&path).current_dir(folder.path()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stream = eventually("the socket takes connections", || UnixStream::connect(&path).ok());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("healthy"), "{answer}");
    crate::harness::kill("TERM", child.id());
    assert_eq!(eventually("the server ends", || child.try_wait().unwrap()).code(), Some(0));
}
