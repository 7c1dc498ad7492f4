//! A web server with configurable answers.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A web server that runs until the test process ends.
pub struct Web {
    port: u16,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Web {
    /// Starts a server that answers every request with this status.
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let web = Self { port, answer: Arc::default() };
        web.answer(status, "");
        let answer = Arc::clone(&web.answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(&stream, &answer));
            }
        });
        web
    }

    /// Sets the status and the header lines of later answers.
    pub fn answer(&self, status: u16, headers: &str) {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{headers}\r\n");
        *self.answer.lock().unwrap() = head.into_bytes();
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Answers each request of a connection; `/ok` always with 200 and `/never` not at all, regardless
/// of the configured answer.
fn serve(mut stream: &TcpStream, answer: &Mutex<Vec<u8>>) {
    let mut path = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(asked) = line.strip_prefix("GET ") {
            asked.split(' ').next().unwrap_or_default().clone_into(&mut path);
        }
        if line.is_empty() && path != "/never" {
            let ok = || b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
            let bytes = if path == "/ok" { ok() } else { answer.lock().unwrap().clone() };
            // The client may be gone.
            let _gone = stream.write_all(&bytes);
        }
    }
}
