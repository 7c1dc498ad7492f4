//! An answer that is read as it comes.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The body of an answer that goes on.
pub struct Stream(BufReader<TcpStream>);

impl Stream {
    /// Asks for this path, and reads the head of an answer of 200.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers = [&[""], headers].concat().join("\r\n");
        // HTTP/1.0 has no chunks: what comes is the body.
        let request = format!("GET {path} HTTP/1.0{headers}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = Self(BufReader::new(stream));
        let status = stream.line();
        assert!(status.starts_with("HTTP/1.1 200"), "{request}{status}");
        while !stream.line().is_empty() {}
        stream
    }

    /// The next line.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// All that is still to come, up to the end.
    #[track_caller]
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the end in time");
        rest
    }
}
