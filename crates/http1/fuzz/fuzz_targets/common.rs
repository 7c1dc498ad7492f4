//! A server in this process, on a Unix socket, and a connection for each input.
//!
//! A panic anywhere, in a thread of the server too, ends the run: libFuzzer's hook aborts.

use http1::{Limits, Listener, Problem, Reply, Request, Router, Server, StatusCode};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// The maximum size of a body.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Sends `bytes` on a connection of their own and reads until its end, which must come in time.
/// Returns the response, which is valid or empty.
pub fn exchange(bytes: &[u8]) -> Vec<u8> {
    static SOCKET: OnceLock<PathBuf> = OnceLock::new();
    let mut client = UnixStream::connect(SOCKET.get_or_init(serve)).expect("a connection");
    client.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    // The server may have refused it before all was sent.
    let _ = client.write_all(bytes);
    let _ = client.shutdown(Shutdown::Write);
    let mut response = Vec::new();
    match client.read_to_end(&mut response) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end: {bytes:?}"),
        // A reset: what had come counts.
        _ => assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 "), "{response:?}"),
    }
    response
}

/// Starts the server and returns its socket.
fn serve() -> PathBuf {
    let path = tempfile::tempdir().expect("a directory").keep().join("socket");
    let router = Router::new()
        .get("/health", |_| Ok(Reply::empty(StatusCode::NO_CONTENT)))
        .get("/logs", logs)
        .get("/stream", stream)
        .post("/echo", echo);
    let listener = Listener::unix(&path).expect("a socket");
    let server = Server::start(listener, router, Limits::default()).expect("a server");
    // It serves until this process ends.
    std::mem::forget(server);
    path
}

/// Returns the values of two query parameters.
fn logs(request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let values = json!({"lines": query.take("lines"), "seconds": query.take("seconds")});
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &values))
}

/// Streams a body of unknown length.
fn stream(_: &mut Request<'_>) -> Result<Reply, Problem> {
    Ok(Reply::stream(StatusCode::OK, "text/plain", |to| {
        for line in 0..3 {
            writeln!(to, "line {line}")?;
            to.flush()?;
        }
        Ok(())
    }))
}

/// Returns the body.
fn echo(request: &mut Request<'_>) -> Result<Reply, Problem> {
    let body = request.body(BODY_BYTES_MAX)?;
    Ok(Reply::bytes(StatusCode::OK, "application/octet-stream", body))
}
