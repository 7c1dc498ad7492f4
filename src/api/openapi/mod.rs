//! GET /openapi.json: a description of the whole API for programs (`OpenAPI` 3.1).
//!
//! The document is generated from the table of routes; the schemas of bodies come from the types
//! that are parsed and serialized. Tests compare parameters, statuses and fields with the binary.

pub mod examples;
mod operation;
pub mod parameters;
pub mod problems;
mod schemas;
mod shapes;

pub use operation::Operation;
pub use shapes::Message;

use super::route::{Api, Mode, Route, Verb};
use crate::protocol::Scope;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use schemas::Schemas;
use serde_json::{Map, Value, json};

/// Description of the whole API.
const CONVENTIONS: &str = "JSON is UTF-8. Timestamps are RFC 3339 in UTC, durations are seconds. \
    Unknown fields and parameters are refused with 400, unknown paths with 404 and other methods \
    with 405; HEAD answers wherever GET does. Every error is `application/problem+json`: `detail` \
                           says what was wrong and what to do, `code` is a stable identifier.";

/// Returns the route of the document.
pub fn routes<O: Mode>() -> &'static [Route<O>] {
    const {
        &[Route::of_api(Verb::Get, Scope::Read, "/openapi.json", answer, |it| {
            it.does(
                "openapi",
                "server",
                "OpenAPI document",
                "OpenAPI 3.1, of every route of this server.",
            )
            .answers_any((200, "The document."))
        })]
    }
}

fn answer<O: Mode>(api: &Api<O>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let text = api.document.get_or_init(|| document::<O>().to_string().into_bytes());
    Ok(Reply::bytes(StatusCode::OK, "application/json", text.clone()))
}

/// Creates the document.
fn document<O: Mode>() -> Value {
    let mut schemas = Schemas::new();
    schemas.of_answer::<shapes::Problem>();
    let mut paths = Map::new();
    for route in Route::<O>::all() {
        add(&mut paths, route, &mut schemas);
    }
    let tags = O::TAGS.iter().map(|(name, says)| json!({"name": name, "description": says}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": O::TITLE,
            "version": env!("CARGO_PKG_VERSION"),
            "description": CONVENTIONS,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": components::<O>(schemas),
    })
}

fn add<O: Mode>(paths: &mut Map<String, Value>, route: &Route<O>, schemas: &mut Schemas) {
    let item = paths.entry(route.path).or_insert_with(|| json!({}));
    if let Some((prefix, meaning)) = O::ALIAS
        && route.path.starts_with(meaning)
        && let Some(server) = prefix.strip_suffix(meaning)
    {
        item["servers"] = json!([
            {"url": "/", "description": "This server."},
            {"url": server, "description": "The same routes under another prefix."},
        ]);
    }
    let method = match route.verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Delete => "delete",
    };
    item[method] = Operation::of(route, schemas);
}

fn components<O: Mode>(schemas: Schemas) -> Value {
    let mut schemas = schemas.into_components();
    if schemas.contains_key("ServiceRequest") {
        shapes::add_overrides(&mut schemas);
    }
    let id = json!({
        "description": "The request's id, for the log: that of the request, if it had one.",
        "schema": {"type": "string"},
    });
    json!({
        "schemas": schemas,
        "responses": problems::components(),
        "headers": {"X-Request-Id": id},
        "securitySchemes": {
            "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "Where LLM_SHELL_TOKEN or LLM_SHELL_TOKENS_FILE is set: a token, or \
                                that of a session from `POST /login`. The scope that an operation \
                                needs is in its `security`.",
            },
            "basic": {
                "type": "http", "scheme": "basic",
                "description": "Where LLM_SHELL_BASIC_AUTH is set.",
            },
        },
    })
}
