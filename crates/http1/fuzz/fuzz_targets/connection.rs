//! Arbitrary bytes on a connection of their own.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(common::exchange(bytes)));
