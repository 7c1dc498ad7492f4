//! Responses to plain requests.

use super::served::Served;
use http1::{Limits, Listener};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

#[test]
fn a_response_has_all_promised_headers() {
    let served = Served::start();
    let answer = served.client().get("/hello");
    assert_eq!((answer.status, answer.text()), (200, "hello\n"));
    assert_eq!(answer.header("content-length"), Some("6"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("connection"), None);
}

#[test]
fn a_problem_has_five_members() {
    let served = Served::start();
    let answer = served.client().get("/nope");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json("type"), "about:blank");
    assert_eq!(answer.json("title"), "Not Found");
    assert_eq!(answer.json("status"), 404);
    assert_eq!(answer.json("code"), "not_found");
    assert!(answer.json("detail").as_str().is_some_and(|detail| !detail.is_empty()));
    assert!(answer.text().ends_with("}\n"));
}

#[test]
fn a_wrong_method_gets_the_allowed_ones() {
    let served = Served::start();
    let mut client = served.client();
    client.send("DELETE /seen HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")));
    assert_eq!(answer.json("code"), "method_not_allowed");
    assert_eq!(client.get("/hello").status, 200, "the connection goes on");
}

#[test]
fn a_handler_sees_the_request_as_sent() {
    let served = Served::start();
    let mut client = served.client();
    client.send("GET /seen/?lines=a%20b HTTP/1.1\r\nHost: a\r\nX-TEST:  v w \r\n\r\n");
    let answer = client.answer();
    let id = answer.header("x-request-id").expect("an id");
    let expected = format!("GET /seen/ lines=Some(\"a b\") test=Some(\"v w\") id={id}\n");
    assert_eq!(answer.text(), expected);
}

#[test]
fn a_header_that_is_not_utf_8_is_present_but_invalid() {
    let served = Served::start();
    let mut client = served.exchange(b"GET /seen HTTP/1.1\r\nHost: a\r\nX-Test: \xff\r\n\r\n");
    assert!(client.answer().text().contains("test=Some(\"\u{FFFD}\")"));
}

#[test]
fn only_short_visible_request_ids_are_echoed() {
    let served = Served::start();
    let mut client = served.client();
    let mut id_for = |sent: &str| {
        client.send(format!("GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: {sent}\r\n\r\n"));
        client.answer().header("x-request-id").expect("an id").to_owned()
    };
    let longest = "x".repeat(64);
    assert_eq!(id_for("mine-7"), "mine-7");
    assert_eq!(id_for(&longest), longest);
    for bad in ["", "a b", "\u{e4}", &"x".repeat(65)] {
        let given = id_for(bad);
        assert!(given != bad && !given.is_empty(), "{bad:?} became {given:?}");
    }
    assert_ne!(id_for(""), id_for(""));
}

#[test]
fn an_unknown_query_parameter_is_refused_by_name() {
    let served = Served::start();
    let mut client = served.client();
    for (query, expected) in [
        ("lnes=1", "Unknown query parameter \"lnes\": this route accepts lines."),
        ("lines=1&lines=2", "The query parameter \"lines\" is repeated: send it only once."),
        ("lines=%ff", "The query is not UTF-8 when percent-decoded: encode it as UTF-8."),
    ] {
        let answer = client.get(&format!("/seen?{query}"));
        assert_eq!((answer.status, answer.json("detail")), (400, expected.into()), "{query}");
        assert!(!answer.says_close(), "the framing is whole, so the connection stays");
    }
}

#[test]
fn path_parameters_are_decoded_after_splitting() {
    let served = Served::start();
    let mut client = served.client();
    assert_eq!(client.get("/items/a%2Fb%20c").text(), "a/b c");
    assert_eq!(client.get("/items/%D0%B6/").text(), "ж");
    assert_eq!(client.get("/items/%ff").status, 400);
    assert_eq!(client.get("/items/a/b").status, 404);
}

#[test]
fn bodies_are_echoed_unchanged() {
    let served = Served::start();
    let mut client = served.client();
    for size in [0, 1, 100, 8 * 1024, 100_000, 1024 * 1024] {
        let body: String = ('a'..='z').cycle().take(size).collect();
        let answer = client.post("/echo", &body);
        assert_eq!((answer.status, answer.body.len()), (200, size));
        assert!(answer.body == body.as_bytes(), "{size} bytes are the same");
    }
}

#[test]
fn a_large_response_is_complete() {
    let served = Served::start();
    let mut client = served.client();
    for size in [16_383, 65_536, 65_537, 8_000_000] {
        let answer = client.get(&format!("/large/{size}"));
        assert_eq!((answer.status, answer.body.len()), (200, size));
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let served = Served::start();
    let mut client = served.client();
    for (path, header, value) in [
        ("/hello", "content-length", "6"),
        ("/large/70000", "content-length", "70000"),
        ("/stream/large", "transfer-encoding", "chunked"),
    ] {
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let (status, head) = client.head().expect("a head");
        assert_eq!(status, 200);
        let line = format!("{header}: {value}\r\n");
        assert!(head.to_ascii_lowercase().contains(&line), "{head}");
    }
    assert_eq!(client.get("/hello").text(), "hello\n", "nothing was between the answers");
}

#[test]
fn an_answer_without_content_has_no_length() {
    let served = Served::start();
    let mut client = served.client();
    let answer = client.get("/empty");
    assert_eq!((answer.status, answer.header("content-length")), (204, None));
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn a_panic_is_a_500_with_the_request_s_id() {
    let served = Served::start();
    let mut client = served.client();
    let answer = client.get("/panic");
    assert_eq!((answer.status, answer.json("code")), (500, "internal".into()));
    let id = answer.header("x-request-id").expect("an id");
    assert!(answer.text().contains(id) && answer.says_close());
    client.expect_end();
    assert_eq!(served.client().get("/hello").status, 200, "the server goes on");
}

#[test]
fn half_closed_client_gets_its_answer() {
    let served = Served::start();
    let mut client = served.exchange("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(served.event(), "entered");
    client.end_sending();
    served.gate.open();
    assert_eq!(client.answer().text(), "waited\n");
    assert_eq!(client.rest(), b"", "and then the end");
}

#[test]
fn a_unix_socket_serves_as_a_port_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let served = Served::on(Listener::unix(&path).expect("a socket"), Limits::default());
    assert_eq!(served.address.port(), 0);
    let mut client = UnixStream::connect(&path).expect("a connection");
    client.write_all(b"GET /hello HTTP/1.0\r\n\r\n").expect("a request");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello\n"));
}
