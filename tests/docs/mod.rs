//! What the documents show is what happens.

use crate::harness::Server;
use serde_json::Value;
use std::ffi::OsString;
use std::iter::once;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Fields whose values differ from run to run; their types do not.
const VARYING: [&str; 10] = [
    "process_pid",
    "created_at",
    "stopped_at",
    "log_file",
    "run_id",
    "uptime",
    "cpu_percent",
    "memory_mb",
    "cwd",
    "leftover_pids",
];

/// The commands of a document's `console` blocks, each with the output that is shown below it.
fn examples(document: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    for block in document.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => {
                    *output += line;
                    output.push('\n');
                }
                (None, None) => panic!("output without a command: {line}"),
            }
        }
    }
    examples
}

/// A text with its numbers of several digits taken out: pids and ports in a sentence.
fn without_numbers(text: &str) -> String {
    let is_number = |word: &str| word.len() > 2 && word.chars().all(|c| c.is_ascii_digit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let numbers: Vec<&str> = words.filter(|word| is_number(word)).collect();
    numbers.iter().fold(text.to_owned(), |text, number| text.replacen(number, "N", 1))
}

/// Fails unless both answers have the same fields with the same values, or with values of the
/// same type where those vary.
fn assert_alike(command: &str, shown: &str, given: &str) {
    let fields = |text: &str| -> Vec<String> {
        let parsed: serde_json::Map<String, Value> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"));
        parsed.keys().cloned().collect()
    };
    assert_eq!(fields(shown), fields(given), "{command}\nshown: {shown}\ngiven: {given}");
    let (shown, given): (Value, Value) =
        (serde_json::from_str(shown).unwrap(), serde_json::from_str(given).unwrap());
    for (field, shown) in shown.as_object().unwrap() {
        let given = &given[field];
        if field == "idle" {
            // Null until the first output, which may come before the question or after it.
            assert!(given.is_null() || given.is_number(), "{command}: {given}");
        } else if VARYING.contains(&field.as_str()) {
            let kind = std::mem::discriminant::<Value>;
            assert_eq!(kind(shown), kind(given), "{command}: {field}: {shown}, {given}");
        } else {
            let (shown, given) = (shown.to_string(), given.to_string());
            let message = format!("{command}: {field}");
            assert_eq!(without_numbers(&shown), without_numbers(&given), "{message}");
        }
    }
}

/// The path that programs are found by, ours first.
fn path() -> OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_llm-shell")).parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(once(ours).chain(std::env::split_paths(&others))).unwrap()
}

/// Runs the examples of a document with a server's address in the place of the usual one, in the
/// server's folder, and compares what they print.
fn check_examples(document: &str, server: &Server, examples_min: usize) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let examples = examples(document);
    assert!(examples.len() >= examples_min, "{examples:?}");
    for (command, shown) in examples {
        let here = command
            .replace("localhost:8000", &server.address().to_string())
            .replace("8765", &port.to_string());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&here).current_dir(server.folder()).env("PATH", path());
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{here}");
        let given = String::from_utf8(output.stdout).unwrap();
        if shown.starts_with('{') {
            assert_alike(&command, &shown, &given);
        } else {
            assert_eq!(masked(given.trim()), masked(shown.trim()), "{command}");
        }
    }
}

/// A text with its ids and numbers taken out.
fn masked(text: &str) -> String {
    let varying = regex::Regex::new("[0-9a-f]{16}|[0-9]+").unwrap();
    varying.replace_all(text, "N").into_owned()
}

#[test]
fn the_tour_in_the_readme_is_what_happens() {
    check_examples(include_str!("../../README.md"), &Server::start(), 15);
}

#[test]
fn the_session_in_the_page_for_agents_is_what_happens() {
    let server = Server::start();
    copy_agent(&server);
    check_examples(include_str!("../../docs/agents.md"), &server, 12);
}

#[test]
fn the_manifests_in_the_page_for_kubernetes_are_what_is_printed() {
    let server = Server::start();
    let folder = server.folder().join("examples/astra");
    std::fs::create_dir_all(&folder).unwrap();
    let file = include_str!("../../examples/astra/astra_services.json");
    std::fs::write(folder.join("astra_services.json"), file).unwrap();
    check_examples(include_str!("../../docs/KUBERNETES.md"), &server, 9);
}

fn copy_agent(server: &Server) {
    let to = server.folder().join("examples");
    std::fs::create_dir(&to).unwrap();
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/agent");
    assert!(Command::new("cp").args(["-r", from]).arg(to).status().unwrap().success());
}

#[test]
fn the_agent_mends_a_build_in_under_ten_calls_and_twenty_kilobytes() {
    let server = Server::start();
    copy_agent(&server);
    let mut agent = Command::new("python3");
    agent.arg("examples/agent/agent.py").arg(format!("http://{}", server.address()));
    let output = agent.current_dir(server.folder()).output().unwrap();
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    let costs: Vec<u32> =
        said.lines().next_back().unwrap().split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(costs[0] < 10 && costs[1] < 20 * 1024, "{costs:?}");
}

#[test]
fn numbers_are_taken_out_of_a_sentence() {
    assert_eq!(without_numbers("Process 4242 on port 8765, 5 s"), "Process N on port N, 5 s");
}
