//! Handlers and bodies: what a request means, and what is answered.

mod accept;
mod bodies;
mod body;
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
mod run_marks;
mod run_source;
mod service_bodies;
mod service_detail;
mod service_lines;
mod service_source;
mod services;
mod shell;
mod shell_metrics;
mod slots;
mod talking;
pub mod told;
mod waiting;
mod wrong_type;

pub use parameters::WAIT_MAX;
pub use services::service_routes;
pub use shell::shell_routes;
