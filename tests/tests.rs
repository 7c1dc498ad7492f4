//! Behaviour tests, in one binary, with a folder per area.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail at any line")]

mod agents;
mod architecture;
mod astra;
mod container;
mod ctl;
mod docs;
mod export;
mod faults;
mod harness;
mod mcp;
mod openapi;
mod package;
mod panel;
mod prometheus;
mod security;
mod settings;
mod shell;
mod systemd;
