//! A small server on `tiny_http`, for `benches/attacks` and `benches/http` to run beside ours.
//!
//! `cargo run --release --example tiny_http_reference -- PORT`. It is written as that library's
//! documentation has it: threads that take requests from one server.

#![allow(clippy::expect_used, reason = "an example for the benches may fail at any line")]

use std::io::Read;
use std::thread;
use tiny_http::{Header, Request, Response, Server, StatusCode};

const WORKERS: usize = 4;
const STREAM_BYTES: usize = 64 * 1024 * 1024;
/// What our own GET /status answers, with the values of a moment.
const STATUS: &str = concat!(
    r#"{"process_pid":4242,"command":"sleep 600","status":"running","#,
    r#""created_at":"2026-01-02T03:04:05.678901Z","stopped_at":null,"exit_code":null,"#,
    r#""log_file":"logs/2026-01-02_03-04-05.log","signal":null,"ended_by":null,"#,
    r#""run_id":"0123456789abcdef","uptime":5.25,"cpu_percent":0.0,"memory_mb":1.3,"#,
    r#""idle":null,"pty":false,"stdin_open":false,"cwd":"/home/ann","leftover_pids":[],"#,
    r#""log_dropped_lines":0}"#,
);

fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8001".to_owned());
    let server = Server::http(format!("127.0.0.1:{port}")).expect("the port is free");
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| server.incoming_requests().for_each(answer));
        }
    });
}

fn answer(request: Request) {
    // A client that is gone cannot be answered.
    let _gone = match request.url() {
        "/health" => request.respond(json(r#"{"status":"healthy"}"#)),
        "/status" => request.respond(json(STATUS)),
        "/stream" => request.respond(stream()),
        _ => request.respond(Response::empty(404)),
    };
}

fn json(text: &str) -> Response<std::io::Cursor<Vec<u8>>> {
    let header = Header::from_bytes("Content-Type", "application/json").expect("a header");
    Response::from_string(text).with_header(header)
}

fn stream() -> Response<impl Read> {
    let body = std::io::repeat(b'x').take(STREAM_BYTES as u64);
    Response::new(StatusCode(200), Vec::new(), body, None, None)
}
