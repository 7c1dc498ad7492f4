//! Tests of the documents: commands work, promises have tests, links exist.

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

/// Returns the paths of all documents: all Markdown except that of packages.
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
