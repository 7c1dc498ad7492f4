//! Arbitrary bytes between a valid request line and the empty line.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|headers: &[u8]| {
    let start = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n";
    common::exchange(&[start, headers, b"\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n"].concat());
});
