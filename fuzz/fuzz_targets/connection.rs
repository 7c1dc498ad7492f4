//! Whatever bytes, on a connection of their own.

#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| common::exchange(bytes));
