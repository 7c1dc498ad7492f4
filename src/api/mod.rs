//! Handlers and bodies: what a request means, and what is answered.

mod body;
mod login;
mod logs;
mod parameters;
mod problem;
mod shell;

pub use shell::shell_routes;
