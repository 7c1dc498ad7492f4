//! A client that sends each request on its own connection and reads the whole answer.

use super::raw;
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

/// The timeout of an answer; a request may wait for a minute.
const ANSWER_PATIENCE: Duration = Duration::from_secs(61);

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    answer: raw::Answer,
    /// Request, shown when an assertion fails.
    request: String,
}

impl Deref for Answer {
    type Target = raw::Answer;

    fn deref(&self) -> &raw::Answer {
        &self.answer
    }
}

impl Answer {
    pub fn text(&self) -> String {
        self.answer.text().to_owned()
    }

    pub fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Asserts the status; a failure shows the request and the whole answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "\nsent: {}\nanswer: {}", self.request, self.shown());
        self
    }

    /// Asserts a problem with this status and code, and returns its detail.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> String {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let body = answer.json();
        assert_eq!((&body["status"], &body["code"]), (&Value::from(status), &Value::from(code)));
        assert!(body["type"].is_string() && body["title"].is_string(), "{body}");
        let detail = body["detail"].as_str().expect("a detail");
        let (problem, advice) = detail.split_once(": ").unwrap_or_default();
        assert!(!problem.is_empty() && advice.len() > 8, "what to do is missing: {detail}");
        assert!(detail.ends_with(['.', '?']), "no sentence: {detail}");
        detail.to_owned()
    }

    fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{}{body}", self.head)
    }
}

/// Sends a request to `host` at an address, and reads the whole answer.
pub fn send(address: SocketAddr, host: &str, head: &str, headers: &[&str], body: &[u8]) -> Answer {
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
    let mut client = raw::Client::connect(address);
    client.socket.set_read_timeout(Some(ANSWER_PATIENCE)).expect("a timeout can be set");
    client.send([request.as_bytes(), body].concat());
    let shown = String::from_utf8_lossy(&body[..body.len().min(300)]);
    let request = format!("{head} {headers:?} {shown}");
    let answer = if head.starts_with("HEAD ") { client.answer_to_head() } else { client.answer() };
    client.expect_end();
    Answer { answer, request }
}
