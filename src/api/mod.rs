//! HTTP routes: handlers, request bodies and answers.

mod accept;
mod body;
mod client;
#[cfg(feature = "docs")]
mod docs;
mod entries;
mod events;
mod follow;
mod idempotency;
mod input;
mod log_query;
mod login;
mod logs;
mod mcp;
mod metrics;
mod openapi;
mod panel;
mod parameters;
mod problem;
mod request_metrics;
mod route;
mod services;
mod shell;
mod shell_metrics;
mod terminal;
mod wrong_type;

pub use route::{McpHandler, router};
