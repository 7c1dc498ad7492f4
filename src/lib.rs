//! llm-shell: one shell command at a time over HTTP, with every line of its output on disk.

pub mod api;
pub mod app;
pub mod error;
pub mod http;
pub mod logs;
pub mod manager;
pub mod process;
pub mod settings;
pub mod shutdown;
