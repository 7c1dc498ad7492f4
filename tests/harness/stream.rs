//! A streamed answer: lines, or Server-Sent Events.

use super::PATIENCE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The body of a streamed answer.
pub struct Stream(BufReader<TcpStream>);

/// A Server-Sent Event. An event without a name is a log line.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// Number in its id, which may be prefixed with a run id.
    pub id: Option<u64>,
    pub name: String,
    pub data: Value,
}

impl Stream {
    /// Requests this path and reads the head of an answer, which must be 200.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers = [&[""], headers].concat().join("\r\n");
        // HTTP/1.0 has no chunked encoding.
        let request = format!("GET {path} HTTP/1.0{headers}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = Self(BufReader::new(stream));
        let status = stream.line();
        assert!(status.starts_with("HTTP/1.1 200"), "{request}{status}");
        while !stream.line().is_empty() {}
        stream
    }

    /// Reads the next line.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Reads the next event and skips comments. Fails if the stream has ended.
    #[track_caller]
    pub fn event(&mut self) -> Event {
        let mut event = Event { id: None, name: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            let bytes = self.0.read_line(&mut line).expect("a line in time");
            assert!(bytes > 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => event.id = Some(number_in(id)),
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ if event.data != Value::Null => return event,
                _ => {}
            }
        }
    }

    /// Reads the next event that matches and skips the others.
    #[track_caller]
    pub fn event_that(&mut self, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.event();
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Reads the rest of the stream.
    #[track_caller]
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the end in time");
        rest
    }
}

/// Returns `N` of `N` and of `RUN_ID:N`.
fn number_in(id: &str) -> u64 {
    let number = id.rsplit_once(':').map_or(id, |(_, number)| number);
    number.parse().expect("a number")
}
