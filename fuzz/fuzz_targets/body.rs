//! Whatever bytes for the JSON body of a route that reads it from anybody.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let length = body.len();
    let head =
        format!("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    common::exchange(&[head.as_bytes(), body].concat());
});
