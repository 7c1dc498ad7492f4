//! Slow clients.

use super::served::Served;
use crate::support::PATIENCE;
use crate::support::raw::Answer;
use http1::Limits;
use std::io::Write;
use std::time::{Duration, Instant};

/// The deadline for slow clients; each of their bytes arrives well within it.
const SHORT: Duration = Duration::from_millis(300);

/// Sends `head`, then the bytes of `rest` slowly and for ever. Returns the response.
fn trickle(served: &Served, head: &str, rest: u8) -> Answer {
    let mut client = served.exchange(head);
    let mut socket = client.socket.try_clone().expect("a clone");
    let trickler = std::thread::spawn(move || {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && socket.write_all(&[rest]).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Instant::now() < end
    });
    let answer = client.answer();
    assert!(trickler.join().expect("the trickler"), "the connection was not closed");
    answer
}

#[test]
fn a_trickling_head_hits_the_deadline() {
    let linger = Duration::from_millis(50);
    let served = Served::with(Limits { head: SHORT, linger, ..Limits::default() });
    for head in ["G", "GET /hello HTTP/1.1\r\nHost: a\r\nX: "] {
        let answer = trickle(&served, head, b'x');
        assert_eq!((answer.status, answer.json("code")), (408, "timeout".into()));
        assert!(answer.says_close());
    }
}

#[test]
fn a_trickling_body_hits_the_deadline() {
    let linger = Duration::from_millis(50);
    let served = Served::with(Limits { body: SHORT, linger, ..Limits::default() });
    let post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
    for framing in ["Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfff\r\n"]
    {
        let answer = trickle(&served, &format!("{post}{framing}"), b'x');
        assert_eq!((answer.status, answer.json("code")), (408, "timeout".into()), "{framing:?}");
        assert!(answer.says_close());
    }
}

#[test]
fn a_silent_client_gets_a_408() {
    let served = Served::with(Limits { head: SHORT, body: SHORT, ..Limits::default() });
    for (bytes, detail) in [
        ("GET /hello HT", "The request's head was not complete within 0.3 s: send it faster."),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
            "The request's body was not complete within 0.3 s: send it faster.",
        ),
    ] {
        let answer = served.exchange(bytes).answer();
        assert_eq!((answer.status, answer.json("detail")), (408, detail.into()));
    }
}

#[test]
fn an_idle_connection_is_closed_silently() {
    let served = Served::with(Limits { idle: SHORT, ..Limits::default() });
    let mut fresh = served.client();
    fresh.expect_end();
    let mut empty_lines = served.exchange("\r\n\r\n");
    empty_lines.end_sending();
    empty_lines.expect_end();
}

#[test]
fn the_head_deadline_starts_at_its_first_byte() {
    let limits = Limits { head: Duration::from_millis(1), ..Limits::default() };
    let served = Served::with(limits);
    let mut client = served.client();
    for _ in 0..3 {
        assert_eq!(client.get("/hello").status, 200);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_slow_head_does_not_shorten_the_next_deadline() {
    let limits = Limits { head: Duration::from_secs(5), ..Limits::default() };
    let served = Served::with(limits);
    let mut client = served.client();
    for _ in 0..3 {
        client.send("GET /hello HT");
        std::thread::sleep(Duration::from_millis(5));
        client.send("TP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn a_client_that_reads_nothing_is_disconnected() {
    let write = Duration::from_millis(200);
    let rate = u32::MAX;
    let limits = Limits { write, write_bytes_per_second_min: rate, ..Limits::default() };
    let mut served = Served::with(limits);
    let size = 50_000_000;
    let mut client = served.exchange(format!("GET /large/{size} HTTP/1.1\r\nHost: a\r\n\r\n"));
    // The connection must be gone because the server gave it up, not because the client left.
    let server = served.server.take().expect("the server");
    client.head().expect("a head");
    assert_eq!(server.finish(PATIENCE), 0);
    assert!(client.rest().len() < size);
}

#[test]
fn a_slow_steady_reader_gets_the_whole_response() {
    let limits = Limits { write: Duration::from_millis(500), ..Limits::default() };
    let served = Served::with(limits);
    let size = 20_000_000;
    let mut client = served.exchange(format!("GET /large/{size} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let mut left = size;
    client.head().expect("a head");
    while left > 0 {
        let count = client.some().len();
        assert!(count > 0, "{left} bytes are missing");
        left -= count;
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_pipelining_client_must_read() {
    let write = Duration::from_millis(200);
    let served = Served::with(Limits { write, ..Limits::default() });
    let mut flooding = served.client();
    let requests = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10_000);
    // Many times the size of the kernel's buffers.
    let is_cut = (0..1_000).any(|_| flooding.socket.write_all(requests.as_bytes()).is_err());
    assert!(is_cut, "all of it was taken");
    assert_eq!(served.client().get("/hello").status, 200);
}
