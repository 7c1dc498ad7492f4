//! The methods of the protocol.

use super::arguments::Arguments;
use super::era::{Era, HANDSHAKE, versions};
use super::error::ToolError;
use super::message::{Call, Code, RpcError};
use super::tool::{Context, Tool, ToolClient, ToolResult};
use super::toolbox::Toolbox;
use crate::ops::{Audited, Change, Client, require};
use serde_json::{Map, Value, json};

/// How long a client may cache the list of tools, in milliseconds: it only changes with the
/// binary and the client's scope.
const TTL_MILLISECONDS: u64 = 3_600_000;

/// Handles a request, and returns its result.
///
/// # Errors
/// The error response.
pub fn answer<O: Audited>(
    toolbox: &Toolbox<O>,
    era: Era,
    call: &Call,
    client: &dyn Client,
) -> Result<Value, RpcError> {
    let result = match (era, &*call.method) {
        (Era::Handshake, "initialize") => initialize(toolbox, call),
        (Era::Handshake, "ping") => json!({}),
        (Era::Stateless, "server/discover") => cacheable(json!({
            "supportedVersions": versions(),
            "capabilities": {"tools": {}},
            "instructions": toolbox.instructions,
        })),
        (_, "tools/list") => {
            let list = json!({"tools": describe(toolbox, client)});
            if era == Era::Stateless { cacheable(list) } else { list }
        }
        (_, "tools/call") => call_tool(toolbox, call, client)?,
        (_, other) => {
            let message = format!("Unknown method {other:?}: use tools/list or tools/call.");
            return Err(RpcError::new(Code::MethodNotFound, message));
        }
    };
    Ok(if era == Era::Stateless { complete(result) } else { result })
}

fn initialize<O>(toolbox: &Toolbox<O>, call: &Call) -> Value {
    let requested = call.param("protocolVersion").and_then(Value::as_str);
    let version = HANDSHAKE.into_iter().find(|version| Some(*version) == requested);
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

/// Describes the tools that this client may use.
fn describe<O>(toolbox: &Toolbox<O>, client: &dyn Client) -> Vec<Value> {
    let granted = client.principal().scope;
    toolbox.tools.iter().filter(|tool| granted >= tool.scope).map(Tool::describe).collect()
}

/// Marks a result as cacheable by this client.
fn cacheable(mut result: Value) -> Value {
    result["ttlMs"] = json!(TTL_MILLISECONDS);
    result["cacheScope"] = json!("private");
    result
}

/// Adds the fields that the stateless revision requires.
fn complete(mut result: Value) -> Value {
    result["resultType"] = json!("complete");
    result["_meta"] = json!({"io.modelcontextprotocol/serverInfo": server_info()});
    result
}

fn call_tool<O: Audited>(
    toolbox: &Toolbox<O>,
    call: &Call,
    client: &dyn Client,
) -> Result<Value, RpcError> {
    let name = call.param("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("the name of the tool is missing"))?;
    let tool = toolbox.tools.iter().find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| invalid(&format!("unknown tool {name:?}")))?;
    let arguments = match call.param("arguments") {
        Some(Value::Object(arguments)) => arguments.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(invalid("arguments is not an object")),
    };
    let client = &ToolClient { client, tool: tool.name };
    let allowed = require(client, tool.scope, "This tool");
    if allowed.is_err() {
        toolbox.ops.audit().record(client, &Change::new("refused"), &allowed);
    }
    let call = || {
        (tool.call)(
            &Context { ops: &*toolbox.ops, client, client_runs: toolbox.client_runs.as_deref() },
            Arguments::new(arguments),
        )
    };
    Ok(match allowed.map_err(ToolError::from).and_then(|()| call()) {
        Ok(ToolResult { text, mut data }) => {
            // Many clients pass only one of the two to the model.
            data["text"] = text.clone().into();
            let content = json!([{"type": "text", "text": text}]);
            json!({"content": content, "structuredContent": data, "isError": false})
        }
        Err(failure) => {
            json!({"content": [{"type": "text", "text": failure.into_text()}], "isError": true})
        }
    })
}

fn invalid(what: &str) -> RpcError {
    RpcError::new(Code::InvalidParams, format!("Invalid tool call ({what}): see tools/list."))
}
