//! Streamed bodies.

use super::served::Served;
use crate::support::raw::eventually;
use http1::Limits;
use std::io::Read;
use std::time::Duration;

const GET: &str = "HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_stream_that_ends_early_has_a_length() {
    let served = Served::start();
    let mut client = served.client();
    for (how, size) in [("nothing", 0), ("small", 6), ("full", 64 * 1024)] {
        let answer = client.get(&format!("/stream/{how}"));
        let length = size.to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()), "{how}");
        assert_eq!((answer.status, answer.body.len()), (200, size), "{how}");
    }
}

#[test]
fn a_long_stream_is_chunked_and_whole() {
    let served = Served::start();
    let mut client = served.client();
    let answer = client.get("/stream/large");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("content-length"), None);
    let lines: Vec<_> = answer.text().lines().collect();
    assert_eq!(lines.len(), 10_000);
    assert!(lines[9_999].starts_with("line 009999:"));
    assert_eq!(client.get("/hello").status, 200, "the connection goes on");
}

#[test]
fn each_flush_sends_one_chunk() {
    let served = Served::start();
    let mut client = served.exchange(format!("GET /stream/flushed {GET}"));
    assert_eq!(client.head().expect("a head").0, 200);
    assert_eq!(client.chunk().expect("a chunk"), b"first\n");
    served.gate.open();
    assert_eq!(client.chunk().expect("a chunk"), b"second\n");
    assert_eq!(client.chunk().expect("a chunk"), b"last\n");
    assert_eq!(client.chunk().expect("the last chunk"), b"");
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn stream_head_can_be_sent_before_the_body() {
    let served = Served::start();
    let mut client = served.exchange(format!("GET /stream/head-first {GET}"));
    assert_eq!(client.head().expect("a head").0, 200);
    served.gate.open();
    assert_eq!(client.chunks().expect("a body").concat(), b"late\n");
}

#[test]
fn http_1_0_streams_end_with_the_connection() {
    let served = Served::start();
    let mut client = served.exchange("GET /stream/small HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.header("content-length")), ("small\n", Some("6")));
    client.expect_end();

    let mut client =
        served.exchange("GET /stream/large HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert!(answer.header("transfer-encoding").is_none() && answer.says_close());
    assert_eq!(answer.text().lines().count(), 10_000);
}

#[test]
fn a_stream_that_fails_at_once_is_a_500() {
    let served = Served::start();
    let answer = served.client().get("/stream/fails-at-once");
    assert_eq!((answer.status, answer.json("code")), (500, "internal".into()));
}

#[test]
fn a_truncated_stream_is_recognizable() {
    let served = Served::start();
    for how in ["fails-later", "panics-later"] {
        let mut client = served.exchange(format!("GET /stream/{how} {GET}"));
        client.head().expect("a head");
        assert_eq!(client.chunk().expect("a chunk"), b"first\n", "{how}");
        assert!(client.chunk().is_err(), "{how}: no last chunk");

        let mut client = served.exchange(format!("GET /stream/{how} HTTP/1.0\r\n\r\n"));
        client.head().expect("a head");
        let mut body = Vec::new();
        let result = client.socket.read_to_end(&mut body);
        assert!(result.is_err(), "{how}: the end of HTTP/1.0's body is a reset");
    }
}

#[test]
fn a_disconnect_from_a_quiet_stream_is_noticed() {
    let served = Served::start();
    let mut client = served.exchange(format!("GET /stream/until-gone {GET}"));
    client.head().expect("a head");
    drop(client);
    assert_eq!(served.event(), "gone true true");
}

#[test]
fn a_disconnect_ends_a_busy_stream() {
    let served = Served::start();
    let mut client = served.exchange(format!("GET /stream/endless {GET}"));
    client.head().expect("a head");
    drop(client);
    let ended = served.event();
    assert!(ended == "BrokenPipe" || ended == "ConnectionReset", "{ended}");
}

#[test]
fn a_stalled_stream_times_out() {
    let limits = Limits { write: Duration::from_millis(200), ..Limits::default() };
    let served = Served::with(limits);
    let client = served.exchange(format!("GET /stream/endless {GET}"));
    assert_eq!(served.event(), "TimedOut");
    drop(client);
}

#[test]
fn streams_do_not_make_a_short_request_wait() {
    let served = Served::start();
    let mut streams: Vec<_> =
        (0..50).map(|_| served.exchange(format!("GET /stream/head-first {GET}"))).collect();
    for stream in &mut streams {
        stream.head().expect("a head");
    }
    assert_eq!(served.client().get("/hello").status, 200);
    served.gate.open();
    for stream in &mut streams {
        assert_eq!(stream.chunks().expect("a body").concat(), b"late\n");
    }
}

#[test]
fn keepalive_probes_clients_of_quiet_streams() {
    let served = Served::start();
    let mut client = served.exchange(format!("GET /stream/head-first {GET}"));
    client.head().expect("a head");
    let ours = format!(":{:04X}", served.address.port());
    let theirs = format!(":{:04X}", client.socket.local_addr().expect("an address").port());
    let ends = |column: Option<&str>, port: &str| column.is_some_and(|text| text.ends_with(port));
    eventually("the kernel's timer is the one that probes", || {
        let table = std::fs::read_to_string("/proc/self/net/tcp").expect("the connections");
        table.lines().any(|line| {
            let mut columns = line.split_whitespace().skip(1);
            // Local, remote, state, queues, and `tr:tm->when` with 02 for a keepalive timer.
            ends(columns.next(), &ours)
                && ends(columns.next(), &theirs)
                && columns.nth(2).is_some_and(|timer| timer.starts_with("02:"))
        })
    });
}
