//! The test harness: a server for each test, a client, and waiting that ends as soon as the
//! condition holds.

mod astra;
mod client;
mod instance;
mod server;
mod stream;
mod support;
mod web;

pub use astra::Astra;
pub use client::{Answer, send};
pub use instance::{Instance, binary, kill, open_folder};
pub use server::Server;
pub use stream::{Event, Stream};
pub use support::{PATIENCE, eventually, eventually_or, raw};
pub use web::Web;

/// Returns the processes that work in a folder or below it, with their command lines.
pub fn processes_in(folder: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let works_there = |process: &std::path::PathBuf| {
        std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
    };
    let processes = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(works_there);
    let describe = |process: std::path::PathBuf| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        format!("{} {line}", process.file_name().unwrap_or_default().display())
    };
    processes.map(describe).collect()
}

/// Returns the path of a file of `tests/fixtures`.
pub fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}
