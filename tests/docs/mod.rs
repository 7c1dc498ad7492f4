//! What the documents show is what happens, what they promise has a test, what they link is there.

mod agent;
mod alike;
mod blocks;
mod links;
mod pages;
mod promises;
mod reference;
mod session;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A document, by its path from the root.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents, by their paths from the root: all Markdown but what comes with packages.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    collect(root(), &mut found);
    let inside = |path: PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    found.into_iter().map(inside).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    const FOREIGN: [&str; 5] = ["target", "node_modules", "data", "dist", "logs"];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !name.starts_with('.') && !FOREIGN.contains(&&*name) {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}
