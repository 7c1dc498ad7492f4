//! Where requests begin and end, and what is refused as a request.

use super::served::Served;
use crate::support::raw::Client;

/// A request that reveals smuggling: it panics, and so gets a 500.
const SMUGGLED: &str = "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n";

/// Returns the statuses of all responses to `bytes`, until the server closes.
fn statuses(served: &Served, bytes: &[u8]) -> Vec<u16> {
    let mut client = served.exchange(bytes);
    client.end_sending();
    let mut statuses = Vec::new();
    while let Ok(answer) = client.try_answer() {
        assert!(answer.header("x-request-id").is_some(), "{answer:?}");
        assert!(answer.header("date").is_some(), "{answer:?}");
        if answer.status >= 400 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.json("status"), answer.status);
        }
        statuses.push(answer.status);
    }
    statuses
}

#[test]
fn malformed_request_is_refused_and_ends_the_connection() {
    let served = Served::start();
    let cases: &[(&str, u16)] = &[
        ("GET /hello HTTP/1.1\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\nHost: a\n\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G\u{e4}T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /hello HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3,3\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ];
    for (request, status) in cases {
        let bytes = [request.as_bytes(), SMUGGLED.as_bytes()].concat();
        assert_eq!(statuses(&served, &bytes), [*status], "{request:?}");
    }
}

#[test]
fn smuggled_requests_are_not_served() {
    let served = Served::start();
    let inner = SMUGGLED;
    let length = inner.len() + 5;
    let cases = [
        // The length ends after the smuggled request, the last chunk before it, and the reverse.
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
        ),
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
             Content-Length: 4\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
            inner.len()
        ),
        // A coding that only one of two programs takes for chunked.
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
             Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}"
        ),
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
             Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}"
        ),
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
             Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{inner}"
        ),
        // A header that only a lenient program sees, behind a bare CR or LF or in a fold.
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\
             Content-Length: {length}\r\n\r\n0\r\n\r\n{inner}"
        ),
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\
             Content-Length: {length}\r\n\r\n0\r\n\r\n{inner}"
        ),
        format!(
            "POST /ignore HTTP/1.1\r\nHost: a\r\nX: a\r\n Content-Length: {length}\r\n\r\n{inner}"
        ),
    ];
    for request in &cases {
        assert_eq!(statuses(&served, request.as_bytes()), [400], "{request:?}");
    }
}

#[test]
fn badly_terminated_chunks_end_the_connection() {
    let served = Served::start();
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bodies = [
        "1\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "10000000000000000\r\na",
        "-1\r\na\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
    ];
    for body in bodies {
        let bytes = format!("{head}{body}{SMUGGLED}");
        assert_eq!(statuses(&served, bytes.as_bytes()), [400], "{body:?}");
    }
    // Without a handler that reads it, the response comes first and the connection ends all the
    // same.
    let unread = head.replace("/echo", "/ignore");
    for body in bodies {
        let bytes = format!("{unread}{body}{SMUGGLED}");
        assert_eq!(statuses(&served, bytes.as_bytes()), [200], "{body:?}");
    }
}

#[test]
fn a_huge_or_false_length_allocates_nothing() {
    let served = Served::start();
    for length in ["1048577", "64424509440", "9223372036854775808", "18446744073709551615"] {
        for (path, status) in [("/echo", 413), ("/ignore", 200), ("/nope", 404), ("/panic", 405)] {
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nabc");
            let answer = served.exchange(head).answer();
            assert_eq!((answer.status, answer.says_close()), (status, true), "{path} {length}");
        }
    }
    let chunk = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        ffffffffffffffff\r\nabc";
    let answer = served.exchange(chunk).answer();
    assert_eq!((answer.status, answer.json("code")), (413, "payload_too_large".into()));
}

#[test]
fn a_body_that_ends_early_is_a_400() {
    let served = Served::start();
    for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"] {
        let bytes = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}");
        assert_eq!(statuses(&served, bytes.as_bytes()), [400], "{framing:?}");
    }
}

#[test]
fn a_truncated_head_is_a_400() {
    let served = Served::start();
    assert_eq!(statuses(&served, b"GET /hello HTTP/1.1\r\nHo"), [400]);
    assert!(statuses(&served, b"\r\n\r\n").is_empty());
    assert!(statuses(&served, b"").is_empty());
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let served = Served::start();
    let two =
        b"\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(statuses(&served, two), [200, 204]);
}

#[test]
fn chunked_bodies_arrive_as_they_were_sent() {
    let served = Served::start();
    let mut client = served.client();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n\
         3\r\nabc\r\n00A;ext=\"1\"\r\n0123456789\r\n0\r\nX-Trailer: dropped\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "abc0123456789");
    let large = vec![b'y'; 1024 * 1024];
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in large.chunks(100_000) {
        client.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    client.send("0\r\n\r\n");
    assert!(client.answer().body == large);
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let served = Served::start();
    let mut client = served.client();
    let mut requests = String::new();
    for number in 0..100 {
        requests.extend(["GET /items/", &number.to_string(), " HTTP/1.1\r\nHost: a\r\n\r\n"]);
        requests += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        requests += "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
            1f\r\nGET /panic HTTP/1.1\r\nHost: a\r\n\r\r\n0\r\n\r\n";
    }
    client.send(requests);
    for number in 0..100 {
        assert_eq!(client.answer().text(), number.to_string());
        assert_eq!(client.answer().text(), "body");
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn expect_continue_gets_100_before_the_body() {
    let served = Served::start();
    let mut client = served.client();
    let ask = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    client.send(ask("/echo", 4));
    assert_eq!(client.answer().status, 100);
    client.send("body");
    assert_eq!(client.answer().text(), "body");

    client.send(ask("/echo", 4) + "body");
    assert_eq!(client.answer().text(), "body", "one that does not wait is not asked");

    for (path, status) in [("/small", 413), ("/nope", 404), ("/ignore", 200)] {
        let mut client = served.exchange(ask(path, 11));
        let answer = client.answer();
        assert_eq!((answer.status, answer.says_close()), (status, true), "{path}");
        client.end_sending();
        client.expect_end();
    }
}

#[test]
fn a_short_unread_body_is_skipped() {
    let served = Served::start();
    let mut client = served.client();
    let body = "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1500);
    assert!(body.len() < 64 * 1024);
    for path in ["/ignore", "/nope", "/small"] {
        let answer = client.post(path, &body);
        assert!(!answer.says_close(), "{path}: {answer:?}");
    }
    assert_eq!(client.get("/hello").text(), "hello\n");
}

#[test]
fn a_long_unread_body_does_not_hide_the_response() {
    let served = Served::start();
    for path in ["/ignore", "/nope", "/echo"] {
        let mut client = served.client();
        let answer = client.post(path, &"x".repeat(4 * 1024 * 1024));
        assert!(answer.says_close(), "{path}: {answer:?}");
        client.end_sending();
        client.expect_end();
    }
}

#[test]
fn a_head_that_is_too_large_is_a_431() {
    let served = Served::start();
    let line = format!("X-Long: {}\r\n\r\n", "x".repeat(33 * 1024));
    let heads = [
        format!("GET /hello HTTP/1.1\r\nHost: a\r\n{line}"),
        format!("GET /hello HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: b\r\n".repeat(100)),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(40 * 1024)),
        "x".repeat(1024 * 1024),
        "\r\n".repeat(100 * 1024),
    ];
    for head in &heads {
        let answer = served.exchange(head).answer();
        assert_eq!((answer.status, answer.says_close()), (431, true), "{head:.40}...");
    }
    let most = format!("GET /hello HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(32_000));
    let mut client = served.client();
    for _ in 0..3 {
        client.send(&most);
        assert_eq!(client.answer().status, 200, "just below is fine, again and again");
    }
}

#[test]
fn http_1_0_works_with_and_without_keep_alive() {
    let served = Served::start();
    let mut client = served.exchange("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
    client.send("GET /hello HTTP/1.0\r\n\r\n");
    assert!(client.answer().says_close());
    client.expect_end();
}

#[test]
fn connection_close_is_honoured() {
    let served = Served::start();
    let mut client = served.exchange("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(client.answer().says_close());
    client.expect_end();
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let served = Served::start();
    let mut client = Client::connect(served.address);
    for byte in b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().text(), "abc");
}

#[test]
fn an_absolute_target_is_routed_by_its_path() {
    let served = Served::start();
    let mut client = served.exchange("GET http://other:1/hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 404);
}
