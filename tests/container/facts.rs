//! Checks of the Dockerfile and .dockerignore.

use super::dockerfile::{Dockerfile, root};
use llm_shell::settings::SETTINGS;
use std::fs;

/// A line of Cargo.toml.
fn manifest(field: &str) -> String {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let start = format!("{field} = \"");
    let value = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
    value.trim_end_matches('"').to_owned()
}

/// Whether a path is in the build context: decided by the last pattern that matches it or a parent
/// folder. Our patterns are plain paths, and one star.
fn is_sent(path: &str) -> bool {
    let text = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let patterns = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut is_sent = true;
    for pattern in patterns {
        let (name, sends) = match pattern.strip_prefix('!') {
            Some(name) => (name, true),
            None => (pattern, false),
        };
        assert!(name == "*" || !name.contains(['*', '?', '[']), "not known here: {pattern}");
        let is_meant = name == "*" || path == name || path.starts_with(&format!("{name}/"));
        is_sent = if is_meant { sends } else { is_sent };
    }
    is_sent
}

#[test]
fn build_context_has_only_copied_files() {
    let copied = Dockerfile::read().copied().into_iter().map(str::to_owned).collect::<Vec<_>>();
    for source in &copied {
        assert!(root().join(source).exists(), "{source} is not there");
        assert!(is_sent(source), "{source} is excluded");
    }
    assert!(is_sent("src/panel/astra/index.html"));
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert_eq!(is_sent(&name), copied.contains(&name), "{name}");
    }
    for other in [".git/HEAD", "target/debug/llm-shell", "tests/mcp/node_modules/x", ".env"] {
        assert!(!is_sent(other), "{other} is sent");
    }
}

#[test]
fn copied_files_are_enough_to_build() {
    let folder = tempfile::tempdir().unwrap();
    for source in Dockerfile::read().copied() {
        let mut copy = std::process::Command::new("cp");
        let copied = copy.arg("-r").arg(root().join(source)).arg(folder.path()).status().unwrap();
        assert!(copied.success(), "{source}");
    }
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(folder.path());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages.find(|package| package["name"] == "llm-shell").unwrap();
    let targets = package["targets"].as_array().unwrap();
    let binary = targets.iter().find(|target| target["kind"][0] == "bin").unwrap();
    assert_eq!(binary["name"], "llm-shell");
    assert!(fs::exists(binary["src_path"].as_str().unwrap()).unwrap());
    // The sources refer to no file outside of them.
    let mut grep = std::process::Command::new("grep");
    grep.args(["-rnE", r#"include(_str|_bytes)?!\("(\.\./){3}"#, "src"]);
    assert_eq!(grep.current_dir(folder.path()).output().unwrap().stdout, b"");
}

#[test]
fn image_stages_share_a_debian_and_a_recent_compiler() {
    let file = Dockerfile::read();
    let from = |stage: usize| file.stages[stage][0].rest.clone();
    let (compiler, debian) = (from(0), from(1));
    let (version, debian_of_build) = compiler
        .strip_prefix("rust:")
        .and_then(|tag| tag.strip_suffix(" AS build"))
        .and_then(|tag| tag.split_once("-slim-"))
        .unwrap_or_else(|| panic!("{compiler}"));
    assert_eq!(version, manifest("rust-version"));
    assert_eq!(debian, format!("debian:{debian_of_build}-slim"), "the same libraries");
    let build = &file.stages[0].last().unwrap().rest;
    assert!(build.contains("cargo build --release --locked --bin llm-shell"), "{build}");
}

#[test]
fn image_variables_and_ports_match_the_settings() {
    let file = Dockerfile::read();
    for (name, value) in file.environment() {
        let setting = SETTINGS.iter().find(|setting| setting.environment == name);
        let setting = setting.unwrap_or_else(|| panic!("{name} is not a setting"));
        assert_ne!(setting.default, value, "{name} is that anyway");
    }
    let port = SETTINGS.iter().find(|setting| setting.flag == Some("port")).unwrap();
    let ports = format!("{} {}", port.default, port.astra_default.unwrap());
    assert_eq!(file.only("EXPOSE"), ports);
    let secrets = ["TOKEN", "BASIC_AUTH"];
    let text = file.stages.iter().flatten().filter(|found| found.word != "HEALTHCHECK");
    for found in text {
        let is_secret = secrets.iter().any(|secret| found.rest.contains(secret));
        assert!(!is_secret, "a secret in the image: {found:?}");
    }
}

#[test]
fn image_labels_match_the_package() {
    let file = Dockerfile::read();
    let labels = file.only("LABEL");
    for (label, field) in [("title", "name"), ("licenses", "license")] {
        let expected = format!("org.opencontainers.image.{label}=\"{}\"", manifest(field));
        assert!(labels.contains(&expected), "{labels}");
    }
}

#[test]
fn container_page_matches_the_image() {
    let page = fs::read_to_string(root().join("docs/CONTAINERS.md")).unwrap();
    let file = Dockerfile::read();
    let volume = file.exec("VOLUME").concat();
    let named = [file.only("WORKDIR"), &volume, "10001", "8000", "7031", "LLM_SHELL_ALLOWED_HOSTS"];
    for word in named {
        assert!(page.contains(word), "{word}");
    }
    for word in regex::Regex::new("LLM_SHELL_[A-Z_]+").unwrap().find_iter(&page) {
        let is_setting = SETTINGS.iter().any(|setting| setting.environment == word.as_str());
        assert!(is_setting, "{} is not a setting", word.as_str());
    }
}
