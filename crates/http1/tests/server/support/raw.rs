//! A client that sends exactly the given bytes, and reads responses as they arrive.

use super::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A connection to a server.
pub struct Client {
    pub socket: TcpStream,
    received: Vec<u8>,
}

/// A parsed response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (sent, value) = line.split_once(": ")?;
            sent.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    /// Returns a member of the body, which is a JSON object.
    pub fn json(&self, name: &str) -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {self:?}"));
        value[name].clone()
    }

    pub fn says_close(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a connection"))
    }

    pub fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Self { socket, received: Vec::new() }
    }

    /// Sends `bytes`. The server may have closed already; the response shows it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.socket.write_all(bytes.as_ref());
    }

    pub fn end_sending(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Sends GET `path` and returns the response.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        self.answer()
    }

    pub fn post(&mut self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        self.answer()
    }

    /// Reads the next response.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|why| panic!("{why}, after {:?}", self.received_text()))
    }

    /// Reads the next response, or returns why there is none.
    pub fn try_answer(&mut self) -> Result<Answer, String> {
        let (status, head) = self.head()?;
        let mut answer = Answer { status, head, body: Vec::new() };
        if status < 200 || status == 204 || status == 304 {
            return Ok(answer);
        }
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().expect("a length");
            while self.received.len() < length {
                self.more()?;
            }
            answer.body = self.received.drain(..length).collect();
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks()?.concat();
        } else {
            while self.more().is_ok() {}
            answer.body = std::mem::take(&mut self.received);
        }
        Ok(answer)
    }

    /// Reads the next response, to a HEAD: it has no body, whatever its head says.
    pub fn answer_to_head(&mut self) -> Answer {
        let (status, head) = self.head().unwrap_or_else(|why| panic!("{why}"));
        Answer { status, head, body: Vec::new() }
    }

    /// Reads the next response's head: its status and its text.
    pub fn head(&mut self) -> Result<(u16, String), String> {
        let end = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.received.drain(..end + 4).collect();
        let head = String::from_utf8(head).map_err(|error| error.to_string())?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.map(|status| (status, head.clone())).ok_or(format!("no status in {head:?}"))
    }

    /// Reads all chunks of a body up to the last one.
    pub fn chunks(&mut self) -> Result<Vec<Vec<u8>>, String> {
        let mut chunks = Vec::new();
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(chunks);
            }
            chunks.push(chunk);
        }
    }

    /// Reads the next chunk; an empty one is the last.
    pub fn chunk(&mut self) -> Result<Vec<u8>, String> {
        let line = loop {
            if let Some(end) = find(&self.received, b"\r\n") {
                break end;
            }
            self.more()?;
        };
        let size = std::str::from_utf8(&self.received[..line]).map_err(|e| e.to_string())?;
        let size = usize::from_str_radix(size, 16).map_err(|error| format!("{size}: {error}"))?;
        while self.received.len() < line + 2 + size + 2 {
            self.more()?;
        }
        let chunk = self.received[line + 2..line + 2 + size].to_vec();
        assert_eq!(&self.received[line + 2 + size..line + 4 + size], b"\r\n", "a chunk's end");
        self.received.drain(..line + 4 + size);
        Ok(chunk)
    }

    /// Panics unless the server closes the connection without another byte.
    pub fn expect_end(&mut self) {
        match self.more() {
            Ok(()) => panic!("more came: {:?}", self.received_text()),
            Err(why) => assert!(!why.contains("nothing within"), "the connection stays open"),
        }
    }

    /// Returns buffered bytes, or the next ones; empty at the end.
    pub fn some(&mut self) -> Vec<u8> {
        if self.received.is_empty() {
            let _ = self.more();
        }
        std::mem::take(&mut self.received)
    }

    /// Returns whether there are no unread bytes.
    pub fn is_clean(&self) -> bool {
        self.received.is_empty()
    }

    /// Reads everything until the connection's end.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more().is_ok() {}
        std::mem::take(&mut self.received)
    }

    fn more(&mut self) -> Result<(), String> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err("the server ended the connection".to_owned()),
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(format!("nothing within {PATIENCE:?}"));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn received_text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Waits until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    super::eventually(what, || condition().then_some(()));
}
