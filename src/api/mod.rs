//! Handlers and bodies: what a request means, and what is answered.

mod bodies;
mod body;
mod follow;
mod log_query;
mod login;
mod logs;
mod parameters;
mod problem;
mod run_marks;
mod run_source;
mod service_lines;
mod shell;
mod slots;

pub use shell::shell_routes;
