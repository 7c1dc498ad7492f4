//! The contents of the published package. `make package` builds it.

use std::path::Path;
use std::process::Command;

/// The files of the package besides its sources and tests.
const NEEDED: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "build.rs",
    "docs/MCP.md",
    "llm-shell.service",
];

/// Files for development only.
const LEFT_OUT: [&str; 9] = [
    ".ci/",
    ".git",
    "benches/",
    "crates/",
    "docs/screenshots/",
    "fuzz/",
    "logs/",
    "node_modules/",
    "target/",
];

/// The maximum size of the package.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

#[test]
fn package_has_only_required_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--offline", "--quiet"]);
    let output = cargo.current_dir(root).output().unwrap();
    let (listed, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    let files: Vec<_> = listed.lines().collect();
    for needed in NEEDED {
        assert!(files.contains(&needed), "{needed} is missing");
    }
    for file in &files {
        let is_left_out = LEFT_OUT.iter().any(|part| file.starts_with(part));
        assert!(!is_left_out && !file.contains("node_modules/"), "{file}");
    }
    let bytes = files.iter().filter_map(|file| root.join(file).metadata().ok());
    assert!(bytes.map(|file| file.len()).sum::<u64>() < BYTES_MAX);
}
