//! Runs every command block of the documents.

use super::blocks::{Block, blocks};
use super::session::Session;
use super::{documents, read};
use std::collections::BTreeSet;
use std::process::Command;

/// The pages whose command blocks are run here.
const RUN: [&str; 8] = [
    "README.md",
    "docs/configuration.md",
    "docs/KUBERNETES.md",
    "docs/SCALE.md",
    "docs/agents.md",
    "docs/frontends.md",
    "docs/operators.md",
    "docs/tour.md",
];

/// The pages whose `console` blocks are run elsewhere, and where.
const RUN_BY_OTHERS: [(&str, &str); 1] =
    [("examples/astra/README.md", "make example: tests/astra/readme.py, on the whole system")];

/// The blocks marked as `not-run`: the page, the beginning of the block, and the reason.
const NOT_RUN: [(&str, &str, &str); 13] = [
    ("README.md", "cargo install", "builds and writes to the machine"),
    ("README.md", "llm-shell   #", "the test starts it"),
    ("README.md", "llm-shell astra", "the test starts it, with the file that stands above it"),
    ("docs/tour.md", "llm-shell astra", "the test starts it, with the file that stands above it"),
    ("docs/operators.md", "cargo install", "builds and writes to the machine"),
    ("docs/operators.md", "useradd", "needs systemd; tests/systemd verifies these units"),
    ("docs/operators.md", "openssl", "needs systemd; security::secrets has the credential"),
    (
        "docs/operators.md",
        "llm-shell token",
        "writes to the machine; security::scopes does what it says",
    ),
    ("docs/CONTAINERS.md", "docker run", "needs a daemon; tests/container does what it says"),
    ("docs/CONTAINERS.md", "docker run", "the same, of Astra"),
    ("docs/KUBERNETES.md", "kubectl", "needs a cluster"),
    ("examples/astra/README.md", "./setup.sh", "fetches packages; make example does the same"),
    ("examples/astra/README.md", "cd web", "fetches packages; make example runs each line"),
];

fn command_blocks(page: &str) -> Vec<Block> {
    blocks(&read(page)).0.into_iter().filter(Block::is_commands).collect()
}

#[test]
fn command_blocks_are_run_or_excused() {
    let mut not_run: Vec<(String, String)> = Vec::new();
    for page in documents() {
        for block in command_blocks(&page) {
            let (first, place) = (block.lines[0].clone(), format!("{page}, line {}", block.line));
            match (&*block.language, &*block.mark) {
                ("sh", "not-run") => not_run.push((page.clone(), first)),
                ("console" | "sh", "") if RUN.contains(&&*page) => {}
                ("console" | "sh", "") => {
                    let is_run = RUN_BY_OTHERS.iter().any(|(by_others, _)| *by_others == page);
                    assert!(is_run, "{place} is run by nobody: {first}");
                }
                other => panic!("{place} is marked {other:?}: {first}"),
            }
        }
    }
    for (page, first) in &not_run {
        let is_known = |(known, begin, _): &&(&str, &str, &str)| {
            known == page && first.trim_start_matches("# ").starts_with(begin)
        };
        assert!(NOT_RUN.iter().any(|row| is_known(&row)), "{page}: {first} has no reason");
    }
    assert_eq!(not_run.len(), NOT_RUN.len(), "{not_run:#?}");
}

#[test]
fn commands_are_in_command_blocks() {
    for page in documents() {
        for block in blocks(&read(&page)).0.iter().filter(|block| !block.is_commands()) {
            let is_prompt = block.lines.first().is_some_and(|line| line.starts_with("$ "));
            assert!(!is_prompt && !block.language.is_empty(), "{page}, line {}", block.line);
        }
    }
}

#[test]
fn shell_blocks_have_valid_syntax() {
    for page in documents() {
        for block in command_blocks(&page).iter().filter(|block| block.language == "sh") {
            let mut shell = Command::new("sh");
            let output = shell.args(["-n", "-c", &block.text()]).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{page}, line {}: {stderr}", block.line);
        }
    }
}

/// Runs a page, which must have at least this many commands.
fn follow(session: &Session, page: &str, count_min: usize) {
    assert!(RUN.contains(&page), "{page} is not in the list");
    let count = session.follow(page);
    assert!(count >= count_min, "{page} has {count} commands");
}

/// Returns the block of a page that contains this file.
fn file_of(page: &str, name: &str) -> String {
    let blocks = blocks(&read(page)).0;
    let found = blocks.iter().find(|block| block.mark == name);
    found.unwrap_or_else(|| panic!("{page} has no {name}")).text()
}

#[test]
fn quick_starts_of_the_readme_work() {
    let services = file_of("README.md", "astra_services.json");
    let session = Session::alone().with_shell().with_astra(&services);
    follow(&session, "README.md", 10);
}

#[test]
fn tour_works() {
    let services = file_of("docs/tour.md", "astra_services.json");
    let session = Session::alone().with_shell().with_astra(&services);
    follow(&session, "docs/tour.md", 23);
}

#[test]
fn commands_in_the_configuration_page_work() {
    follow(&Session::alone().with_shell(), "docs/configuration.md", 2);
}

#[test]
fn session_of_the_agents_page_works() {
    let session = Session::alone().with_shell().with_copy_of("examples/agent");
    follow(&session, "docs/agents.md", 14);
}

#[test]
fn manifests_of_the_kubernetes_page_match() {
    let session = Session::alone().with_copy_of("examples/astra/astra_services.json");
    follow(&session, "docs/KUBERNETES.md", 9);
}

#[test]
fn services_of_the_scale_page_match() {
    follow(&Session::alone(), "docs/SCALE.md", 2);
}

#[test]
fn session_of_the_front_end_page_works() {
    let services = file_of("docs/frontends.md", "astra_services.json");
    let session = Session::alone().with_shell().with_astra(&services);
    follow(&session, "docs/frontends.md", 8);
}

#[test]
fn operator_page_works() {
    let services = file_of("docs/operators.md", "astra_services.json");
    let session = Session::alone().with_astra(&services);
    follow(&session, "docs/operators.md", 8);
}

#[test]
fn every_list_is_used() {
    let pages: BTreeSet<_> = documents().into_iter().collect();
    let named = RUN.iter().chain(RUN_BY_OTHERS.iter().map(|(page, _)| page));
    for page in named {
        assert!(pages.contains(*page), "{page}");
        assert!(!command_blocks(page).is_empty(), "{page} has no commands");
    }
}
