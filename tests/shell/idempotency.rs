//! `Idempotency-Key`: a repeated request is executed once.

use crate::harness::raw::Client;
use crate::harness::{Server, eventually};
use serde_json::json;

fn start(server: &Server, key: &str, command: &str) -> crate::harness::Answer {
    let (header, body) = (format!("Idempotency-Key: {key}"), json!({"command": command}));
    server.request("POST /start", &[&header], body.to_string().as_bytes())
}

#[test]
fn repeated_key_returns_the_first_answer() {
    let server = Server::start();
    let first = start(&server, "one", "echo done").expect(201).text();
    server.ended();
    assert_eq!(start(&server, "one", "echo done").expect(201).text(), first);
    assert_eq!(server.logs_count(), 1);
    let second = start(&server, "two", "echo done").expect(201).text();
    assert_ne!(second, first);
}

#[test]
fn reused_key_for_another_request_is_refused() {
    let server = Server::start();
    start(&server, "one", "true").expect(201);
    let detail = start(&server, "one", "false").problem(409, "conflict");
    assert!(detail.contains("\"one\""), "{detail}");
    server.ended();
    // Keys are separate for each route.
    server.request("POST /restart", &["Idempotency-Key: one"], b"").expect(200);
}

#[test]
fn input_is_written_once() {
    let server = Server::start();
    let body = json!({"command": "cat", "stdin": true}).to_string();
    server.request("POST /start", &[], body.as_bytes()).expect(201);
    let long = "x".repeat(2 * 1024 * 1024);
    for _ in 0..2 {
        let written = server.request("POST /stdin", &["Idempotency-Key: a"], b"hello\n");
        assert_eq!(written.expect(200).json()["written"], 6);
    }
    let written = server.request("POST /stdin", &["Idempotency-Key: b"], long.as_bytes());
    assert_eq!(written.expect(200).json()["written"], long.len());
    server
        .request("POST /stdin", &["Content-Type: application/json"], b"{\"eof\":true}")
        .expect(200);
    server.ended();
    assert_eq!(server.content("?limit=1"), "hello");
    assert_eq!(server.content("?grep=hello"), "hello");
    let key = ["Idempotency-Key: c"];
    let body = json!({"command": "true", "env": {"A": long}}).to_string();
    server.request("POST /start", &key, body.as_bytes()).problem(413, "payload_too_large");
}

#[test]
fn key_does_not_bypass_limits() {
    let server = Server::start_with(&["--max-streams", "1"]);
    server.run_to_end("true");
    let head = |route: &str, bytes: u64| {
        format!(
            "POST {route} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Length: {bytes}\r\n\r\n"
        )
    };
    // Refused for its length, before it is received.
    let mut large = Client::connect(server.address());
    large.send(head("/start", 2 * 1024 * 1024));
    assert_eq!(large.answer().status, 413);
    let mut slow = Client::connect(server.address());
    slow.send(head("/stdin", 10));
    eventually("whoever writes has the one slot", || {
        // By the metric: a request that waits would compete for the slot.
        server.get("/metrics").expect(200).text().contains("_streams 1\n").then_some(())
    });
    let mut second = Client::connect(server.address());
    second.send(head("/stdin", 10));
    assert_eq!(second.answer().status, 503);
}

#[test]
fn refused_request_can_be_repeated() {
    let server = Server::start();
    server.run("sleep 60");
    start(&server, "one", "true").problem(409, "conflict");
    server.post("/kill").expect(200);
    start(&server, "one", "true").expect(201);
}

#[test]
fn duplicate_waits_for_the_first_request() {
    let server = Server::start();
    server.run("trap '' TERM; echo ready; while :; do sleep 0.1; done");
    server.wait_for_output("ready");
    std::thread::scope(|scope| {
        let restart = || {
            let header = ["Idempotency-Key: again"];
            server.request("POST /restart?timeout=0.5", &header, b"").expect(200).text()
        };
        let twins: Vec<_> = (0..5).map(|_| scope.spawn(restart)).collect();
        let mut answers: Vec<String> = twins.into_iter().map(|it| it.join().unwrap()).collect();
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    });
    assert_eq!(server.logs_count(), 2);
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn invalid_key_is_refused() {
    let server = Server::start();
    for key in ["", "a b", &"x".repeat(256)] {
        start(&server, key, "true").problem(400, "bad_request");
    }
    assert_eq!(server.logs_count(), 0);
}

#[test]
fn a_repeated_answer_has_the_form_of_the_first() {
    let server = Server::start();
    let headers = ["Accept: text/plain", "Idempotency-Key: text"];
    let body = br#"{"command": "echo hello", "wait": 60}"#;
    let ask = || server.request("POST /start", &headers, body).expect(201);
    let (first, again) = (ask(), ask());
    assert_eq!(first.header("content-type"), again.header("content-type"));
    assert_eq!(first.text(), again.text());
}

/// A client whose connection broke repeats its request and gets the outcome.
#[test]
fn retry_of_an_aborted_wait_gets_the_end() {
    let server = Server::start();
    let body = json!({"command": "until [ -e go ]; do sleep 0.02; done; exit 7", "wait": 60});
    let body = body.to_string();
    let mut broken_off = Client::connect(server.address());
    broken_off.send(format!(
        "POST /start HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: once\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    eventually("it runs", || (server.get("/status").status == 200).then_some(()));
    drop(broken_off);
    std::thread::scope(|scope| {
        let again = || server.request("POST /start", &["Idempotency-Key: once"], body.as_bytes());
        let again = scope.spawn(again);
        // Two waits: that of the disconnected client, and that of its retry.
        let are_two = || server.get("/metrics").expect(200).text().contains("_streams 2\n");
        eventually("it waits for the first", || are_two().then_some(()));
        std::fs::write(server.folder().join("go"), "").unwrap();
        let ended = again.join().unwrap().expect(201).json();
        assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("exited"), &json!(7)));
    });
    assert_eq!(server.logs_count(), 1);
}
