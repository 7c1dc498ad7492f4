//! Arbitrary bytes as a body: with their length, which must come back, and as chunks.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let length = format!("Content-Length: {}", body.len());
    let response = send(&length, body);
    assert!(response.starts_with(b"HTTP/1.1 200 ") && response.ends_with(body), "{response:?}");
    send("Transfer-Encoding: chunked", body);
});

fn send(framing: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
    common::exchange(&[head.as_bytes(), body].concat())
}
