//! POST /mcp: the route of the Model Context Protocol, handled by `mcp`.

use super::openapi::Message;
use super::route::{Mode, Route, Verb};
use crate::protocol::Scope;
use serde_json::json;

/// Returns the route.
pub fn routes<O: Mode>() -> &'static [Route<O>] {
    const {
        &[Route::of_api(
            Verb::Post,
            Scope::Read,
            "/mcp",
            |api, request| (api.mcp)(request),
            |it| {
                it.does("mcp", "server", "The Model Context Protocol", MCP)
                    .reads::<Message>(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
                    .answers_any((200, "Result, or in the revisions before 2026-07-28 an error."))
                    .answers_nothing((202, "Notification accepted."))
                    .answers_any((400, "Invalid message."))
                    .answers_any((404, "Unknown method."))
            },
        )]
    }
}

const MCP: &str = "Streamable HTTP, in the stateless revision 2026-07-28 and in those that begin \
                   with `initialize`. `tools/list` describes the tools and their arguments.";
