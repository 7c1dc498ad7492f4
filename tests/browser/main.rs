//! Tests of the web panel in a real browser, with real servers and processes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail at any line")]

mod access;
mod astra;
mod away;
mod detail;
mod driver;
#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other tests use the rest")]
mod harness;
mod login;
mod logs;
mod page;
mod screenshots;
mod shell;
mod speed;
