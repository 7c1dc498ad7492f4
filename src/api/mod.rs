//! Handlers and bodies: what a request means, and what is answered.

mod accept;
mod body;
mod client;
#[cfg(feature = "docs")]
mod docs;
mod events;
mod follow;
mod idempotency;
mod log_query;
mod login;
mod logs;
mod metrics;
mod openapi;
mod panel;
mod parameters;
mod problem;
mod service_detail;
mod services;
mod shell;
mod shell_metrics;
mod talking;
mod wrong_type;

pub use services::service_routes;
pub use shell::shell_routes;
