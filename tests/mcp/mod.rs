//! The Model Context Protocol, as clients speak it.

mod detached;
mod eras;
mod progress;
mod services;
mod shell;
mod speaker;
mod stdio;

use crate::harness::{Answer, Instance};
use serde_json::{Value, json};

/// Returns the headers of a stateless request for this method, and tool if any.
fn stateless_headers(method: &str, tool: Option<&str>) -> Vec<String> {
    let mut headers =
        vec!["MCP-Protocol-Version: 2026-07-28".to_owned(), format!("Mcp-Method: {method}")];
    headers.extend(tool.map(|tool| format!("Mcp-Name: {tool}")));
    headers
}

/// Returns the `_meta` of a stateless request.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn post(server: &Instance, headers: &[String], message: &Value) -> Answer {
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    server.request("POST /mcp", &headers, message.to_string().as_bytes())
}

/// The result of a tool: its text, the structured content, and whether it failed.
#[derive(Debug)]
struct Given {
    text: String,
    data: Value,
    is_error: bool,
}

/// Calls a tool as a stateless client.
#[track_caller]
fn call(server: &Instance, tool: &str, arguments: &Value) -> Given {
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta()});
    let headers = stateless_headers("tools/call", Some(tool));
    let answer = post(server, &headers, &request("tools/call", &params)).expect(200).json();
    let result = &answer["result"];
    assert_eq!(result["resultType"], "complete", "{answer}");
    Given {
        text: result["content"][0]["text"].as_str().expect("a text").to_owned(),
        data: result["structuredContent"].clone(),
        is_error: result["isError"].as_bool().expect("a verdict"),
    }
}

/// Calls a tool, asserts success, and returns its text.
#[track_caller]
fn tool_text(server: &Instance, tool: &str, arguments: &Value) -> String {
    let given = call(server, tool, arguments);
    assert!(!given.is_error, "{given:?}");
    given.text
}

/// Calls a tool, asserts its failure, and returns its text.
#[track_caller]
fn refused(server: &Instance, tool: &str, arguments: &Value) -> String {
    let given = call(server, tool, arguments);
    assert!(given.is_error && given.data.is_null(), "{given:?}");
    given.text
}

/// Asserts that the first and the last line end in the same number, and removes it.
#[track_caller]
fn unframed(text: &str) -> String {
    let first = text.lines().next().unwrap();
    let number = &first[first.len() - 13..];
    assert!(number.starts_with(" | #") && number.ends_with(']'), "{text}");
    assert!(text.trim_end().ends_with(number) && text.matches(number).count() == 2, "{text}");
    text.replace(number, "]")
}

/// Returns the list of tools, as a stateless client gets it.
fn listed(server: &Instance) -> Value {
    let headers = stateless_headers("tools/list", None);
    let listed = post(server, &headers, &request("tools/list", &json!({"_meta": meta()})));
    listed.expect(200).json()
}
