//! Arbitrary bytes as the query of a route that takes parameters.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|query: &[u8]| {
    let rest = b" HTTP/1.1\r\nHost: localhost\r\n\r\n";
    common::exchange(&[b"GET /logs?", query, rest].concat());
});
