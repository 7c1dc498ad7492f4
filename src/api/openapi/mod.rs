//! GET /openapi.json: the whole API, for programs (`OpenAPI` 3.1).
//!
//! The bodies' schemas are those of the types that are read and answered. What no type knows, the
//! parameters, statuses and examples of each route, is a row of `shell`, `services` or `shared`;
//! tests ask the binary whether they are right.

mod examples;
mod parameters;
mod problems;
mod route;
mod services;
mod shapes;
mod shared;
mod shell;

use crate::http::{Problem, Reply, Request, Router};
use http::StatusCode;
use route::{Route, Schemas};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use utoipa::{PartialSchema, ToSchema};

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentOf {
    /// The LLM Shell.
    Shell,
    /// Astra.
    Services,
}

/// What every document begins with.
const CONVENTIONS: &str = "JSON is UTF-8. Instants are RFC 3339 in UTC, durations are seconds. \
    Unknown fields and parameters are refused with 400, unknown paths with 404 and other methods \
    with 405; HEAD answers wherever GET does. Every error is `application/problem+json`: `detail` \
    says what was wrong and what to do, `code` is a stable word.";

/// Adds the routes that document the others.
pub fn documented(router: Router, of: DocumentOf) -> Router {
    let router = router.get("/openapi.json", handler(of));
    #[cfg(feature = "docs")]
    let router = super::docs::add_routes(router);
    router
}

/// The handler of GET /openapi.json. The text is made once.
fn handler(
    of: DocumentOf,
) -> impl Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync + 'static {
    let text: OnceLock<Vec<u8>> = OnceLock::new();
    move |request| {
        request.query()?.finish()?;
        let text = text.get_or_init(|| document(of).to_string().into_bytes());
        Ok(Reply::bytes(StatusCode::OK, "application/json", text.clone()))
    }
}

/// The whole document.
fn document(of: DocumentOf) -> Value {
    let (title, own, tags) = match of {
        DocumentOf::Shell => ("LLM Shell", shell::routes(), shell::TAGS.as_slice()),
        DocumentOf::Services => ("Astra supervisor", services::routes(), services::TAGS.as_slice()),
    };
    let mut schemas = Schemas::new();
    let problem = (shapes::Problem::name().into_owned(), shapes::Problem::schema());
    shapes::Problem::schemas(&mut schemas);
    schemas.push(problem);
    let mut paths = Map::new();
    for mut route in own.into_iter().chain(shared::routes()) {
        schemas.append(&mut route.schemas);
        add(&mut paths, route);
    }
    let tags = tags.iter().map(|(name, says)| json!({"name": name, "description": says}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": CONVENTIONS,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": components(schemas, of),
    })
}

fn add(paths: &mut Map<String, Value>, route: Route) {
    let (path, method) = (route.path, route.method);
    let item = paths.entry(path).or_insert_with(|| json!({}));
    if path.starts_with("/supervisor/") {
        let other = services::OTHER_PREFIX;
        item["servers"] = json!([
            {"url": "/", "description": "This server."},
            {"url": other, "description": "The same routes under another prefix."},
        ]);
    }
    item[method] = route.operation();
}

fn components(schemas: Schemas, of: DocumentOf) -> Value {
    let schema = |(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default());
    let mut schemas: Map<_, _> = schemas.into_iter().map(schema).collect();
    if of == DocumentOf::Services {
        schemas.extend(shapes::overrides());
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
                "description": "Where LLM_SHELL_TOKEN is set: that, or what `POST /login` gave.",
            },
            "basic": {
                "type": "http", "scheme": "basic",
                "description": "Where LLM_SHELL_BASIC_AUTH is set.",
            },
        },
    })
}
