//! llm-shell: one shell command at a time over HTTP, with every line of its output on disk.

pub mod error;
pub mod http;
pub mod logs;
pub mod process;
