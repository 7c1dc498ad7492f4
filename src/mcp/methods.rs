//! The methods of the protocol.

use super::arguments::Arguments;
use super::endpoint::Toolbox;
use super::era::{Era, HANDSHAKE, versions};
use super::message::{Call, Code, Fault};
use super::tool::{Context, Tool, ToolResult};
use crate::ops::Client;
use serde_json::{Map, Value, json};

/// How long a client may keep a list of tools, in milliseconds: it changes with the binary alone.
const TTL_MILLISECONDS: u64 = 3_600_000;

/// What a request is answered with.
///
/// # Errors
/// The fault that is told instead.
pub fn answer<O>(
    toolbox: &Toolbox<O>,
    era: Era,
    call: &Call,
    client: &dyn Client,
) -> Result<Value, Fault> {
    let result = match (era, &*call.method) {
        (Era::Handshake, "initialize") => initialize(toolbox, call),
        (Era::Handshake, "ping") => json!({}),
        (Era::Stateless, "server/discover") => cacheable(json!({
            "supportedVersions": versions(),
            "capabilities": {"tools": {}},
            "instructions": toolbox.instructions,
        })),
        (_, "tools/list") => {
            let list = json!({"tools": described(toolbox)});
            if era == Era::Stateless { cacheable(list) } else { list }
        }
        (_, "tools/call") => call_tool(toolbox, call, client)?,
        (_, other) => {
            let message = format!("There is no method {other:?}: tools/list and tools/call are.");
            return Err(Fault::new(Code::MethodNotFound, message));
        }
    };
    Ok(if era == Era::Stateless { complete(result) } else { result })
}

fn initialize<O>(toolbox: &Toolbox<O>, call: &Call) -> Value {
    let wanted = call.param("protocolVersion").and_then(Value::as_str);
    let version = HANDSHAKE.into_iter().find(|version| Some(*version) == wanted);
    json!({
        "protocolVersion": version.unwrap_or(HANDSHAKE[0]),
        "capabilities": {"tools": {}},
        "serverInfo": server_info(),
        "instructions": toolbox.instructions,
    })
}

fn server_info() -> Value {
    json!({"name": "llm-shell", "title": "llm-shell", "version": env!("CARGO_PKG_VERSION")})
}

fn described<O>(toolbox: &Toolbox<O>) -> Vec<Value> {
    toolbox.tools.iter().map(Tool::described).collect()
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

fn call_tool<O>(toolbox: &Toolbox<O>, call: &Call, client: &dyn Client) -> Result<Value, Fault> {
    let name = call.param("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("tools/call needs the name of a tool"))?;
    let tool = toolbox.tools.iter().find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| invalid(&format!("there is no tool {name:?}")))?;
    let arguments = match call.param("arguments") {
        Some(Value::Object(arguments)) => arguments.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(invalid("arguments are an object")),
    };
    Ok(match (tool.call)(&Context { ops: &*toolbox.ops, client }, Arguments::new(arguments)) {
        Ok(ToolResult { text, data }) => {
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
