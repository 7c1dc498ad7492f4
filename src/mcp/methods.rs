//! The methods of the protocol.

use super::arguments::Arguments;
use super::endpoint::Tools;
use super::era::{Era, HANDSHAKE, versions};
use super::message::{Call, Code, Fault};
use super::routes::Routes;
use super::tool::{Told, Tool};
use crate::http::Request;
use serde_json::{Map, Value, json};

/// How long a client may keep a list of tools, in milliseconds: it changes with the binary alone.
const TTL_MILLISECONDS: u64 = 3_600_000;

/// What a request is answered with.
///
/// # Errors
/// The fault that is told instead.
pub fn answer(
    tools: &Tools,
    era: Era,
    call: &Call,
    request: &mut Request<'_>,
) -> Result<Value, Fault> {
    let result = match (era, &*call.method) {
        (Era::Handshake, "initialize") => initialize(tools, call),
        (Era::Handshake, "ping") => json!({}),
        (Era::Stateless, "server/discover") => cacheable(json!({
            "supportedVersions": versions(),
            "capabilities": {"tools": {}},
            "instructions": tools.instructions,
        })),
        (_, "tools/list") => {
            let list = json!({"tools": described(tools)});
            if era == Era::Stateless { cacheable(list) } else { list }
        }
        (_, "tools/call") => call_tool(tools, call, request)?,
        (_, other) => {
            let message = format!("There is no method {other:?}: tools/list and tools/call are.");
            return Err(Fault::new(Code::MethodNotFound, message));
        }
    };
    Ok(if era == Era::Stateless { complete(result) } else { result })
}

fn initialize(tools: &Tools, call: &Call) -> Value {
    let wanted = call.param("protocolVersion").and_then(Value::as_str);
    let version = HANDSHAKE.into_iter().find(|version| Some(*version) == wanted);
    json!({
        "protocolVersion": version.unwrap_or(HANDSHAKE[0]),
        "capabilities": {"tools": {}},
        "serverInfo": server_info(),
        "instructions": tools.instructions,
    })
}

fn server_info() -> Value {
    json!({"name": "llm-shell", "title": "llm-shell", "version": env!("CARGO_PKG_VERSION")})
}

fn described(tools: &Tools) -> Vec<Value> {
    tools.tools.iter().map(Tool::described).collect()
}

/// A result that a client may keep for a while, for itself.
fn cacheable(mut result: Value) -> Value {
    result["ttlMs"] = json!(TTL_MILLISECONDS);
    result["cacheScope"] = json!("private");
    result
}

/// A result as the stateless revision wants it.
fn complete(mut result: Value) -> Value {
    result["resultType"] = json!("complete");
    result["_meta"] = json!({"io.modelcontextprotocol/serverInfo": server_info()});
    result
}

fn call_tool(tools: &Tools, call: &Call, request: &mut Request<'_>) -> Result<Value, Fault> {
    let name = call.param("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("tools/call needs the name of a tool"))?;
    let tool = tools.tools.iter().find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| invalid(&format!("there is no tool {name:?}")))?;
    let arguments = match call.param("arguments") {
        Some(Value::Object(arguments)) => arguments.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(invalid("arguments are an object")),
    };
    Ok(match (tool.call)(&mut Routes::new(request), Arguments::new(arguments)) {
        Ok(Told { text, data }) => {
            let content = json!([{"type": "text", "text": text}]);
            json!({"content": content, "structuredContent": data, "isError": false})
        }
        Err(failure) => {
            json!({"content": [{"type": "text", "text": failure.shown()}], "isError": true})
        }
    })
}

fn invalid(what: &str) -> Fault {
    Fault::new(Code::InvalidParams, format!("This cannot be called ({what}): see tools/list."))
}
