//! What the documents show is what happens.

use crate::harness::Server;
use serde_json::Value;
use std::net::TcpListener;
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
                (None, Some((_, output))) => *output += line,
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

#[test]
fn the_tour_in_the_readme_is_what_happens() {
    let server = Server::start();
    let readme = include_str!("../../README.md");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let examples = examples(readme);
    assert!(examples.len() > 15, "{examples:?}");
    for (command, shown) in examples {
        let here = command
            .replace("localhost:8000", &server.address().to_string())
            .replace("8765", &port.to_string());
        let output = Command::new("sh").arg("-c").arg(&here).output().unwrap();
        assert!(output.status.success(), "{here}");
        let given = String::from_utf8(output.stdout).unwrap();
        if command.starts_with("curl") {
            assert_alike(&command, &shown, &given);
        } else {
            assert_eq!(given.trim(), shown, "{command}");
        }
    }
}

#[test]
fn numbers_are_taken_out_of_a_sentence() {
    assert_eq!(without_numbers("Process 4242 on port 8765, 5 s"), "Process N on port N, 5 s");
}
