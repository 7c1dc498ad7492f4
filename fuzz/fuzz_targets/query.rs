//! Whatever bytes for the query of a route that takes parameters.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|query: &[u8]| {
    let rest = format!(" HTTP/1.1\r\nHost: localhost\r\n{}\r\n", common::TOKEN);
    common::exchange(&[b"GET /logs?", query, rest.as_bytes()].concat());
});
