//! Whatever bytes for a message of the Model Context Protocol, in both of its eras.

#![no_main]

mod common;

use serde_json::Value;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    ask("MCP-Protocol-Version: 2025-11-25\r\n", body);
    // The stateless era wants headers that say what the body says.
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let header = |name: &str, value: &Value| match value.as_str() {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            format!("{name}: {text}\r\n")
        }
        _ => String::new(),
    };
    let method = header("Mcp-Method", &value["method"]);
    let name = header("Mcp-Name", &value["params"]["name"]);
    ask(&format!("MCP-Protocol-Version: 2026-07-28\r\n{method}{name}"), body);
});

fn ask(headers: &str, body: &[u8]) {
    let (token, length) = (common::TOKEN, body.len());
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\n{token}Accept: application/json, \
         text/event-stream\r\nContent-Type: application/json\r\n{headers}Content-Length: \
         {length}\r\n\r\n"
    );
    common::exchange(&[head.as_bytes(), body].concat());
}
