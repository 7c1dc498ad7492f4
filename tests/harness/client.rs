//! A client that sends one request on a connection of its own and keeps what came back.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What was sent, to be shown when an assertion fails.
    pub request: String,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body of UTF-8")
    }

    pub fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Fails, showing the request and the whole answer, when the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "\nsent: {}\nanswer: {}", self.request, self.shown());
        self
    }

    /// The detail of a problem with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> String {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let body = answer.json();
        assert_eq!((&body["status"], &body["code"]), (&Value::from(status), &Value::from(code)));
        assert!(body["type"].is_string() && body["title"].is_string(), "{body}");
        let detail = body["detail"].as_str().expect("a detail");
        let (said, advice) = detail.split_once(": ").unwrap_or_default();
        assert!(!said.is_empty() && advice.len() > 8, "what to do is missing: {detail}");
        assert!(detail.ends_with(['.', '?']), "no sentence: {detail}");
        detail.to_owned()
    }

    fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {:?}\n{body}", self.status, self.headers)
    }
}

/// Sends a request to `host` at an address, and reads the whole answer.
pub fn send(address: SocketAddr, host: &str, head: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the server takes connections");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout can be set");
    let mut request = format!("{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for header in headers {
        request += header;
        request += "\r\n";
    }
    if !body.is_empty() || head.starts_with("POST") {
        request += "Content-Length: ";
        request += &body.len().to_string();
        request += "\r\n";
    }
    request += "\r\n";
    // A server that refuses a body may close before all of it was sent: its answer counts.
    let _refused = stream.write_all(&[request.as_bytes(), body].concat());
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("an answer, then the end");
    let shown = String::from_utf8_lossy(&body[..body.len().min(300)]);
    parse(&received, format!("{head} {headers:?} {shown}"))
}

fn parse(received: &[u8], request: String) -> Answer {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head in the answer to {request}: {received:?}"));
    let head = std::str::from_utf8(&received[..end]).expect("a head of UTF-8");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = received[end + 4..].to_vec();
    let mut answer = Answer { status: status.expect("a status"), headers, body, request };
    let has_body = !answer.request.starts_with("HEAD ");
    if has_body && answer.header("transfer-encoding") == Some("chunked") {
        answer.body = joined(&answer.body);
    }
    answer
}

/// The body that these chunks make. Fails where the last chunk is missing.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = std::str::from_utf8(&chunks[..end]).expect("a size in ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size in hex");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + 2 + size + 2..];
    }
}
