//! The shapes of what is written by hand, so that it is streamed: only their schemas are of use.

#![allow(dead_code, reason = "the fields are never read: only their schema is of use")]

use crate::supervisor::services_file;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Every refusal and every failure (RFC 9457).
#[derive(ToSchema)]
pub struct Problem {
    /// `about:blank`: `code` says more.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// One sentence that says what was wrong and what to do.
    detail: String,
    /// A stable word for programs.
    #[schema(value_type = super::problems::ProblemCode)]
    code: String,
}

/// A message of JSON-RPC 2.0, as the Model Context Protocol has them.
#[derive(ToSchema)]
pub struct Message {
    /// `2.0`.
    jsonrpc: String,
    /// What the answer is to be known by; a notification has none.
    id: Option<Value>,
    /// What is asked for.
    method: Option<String>,
    /// With what.
    params: Option<Value>,
}

/// The schemas of `ServiceOverrides` and of what that refers to, by name.
pub fn overrides() -> Map<String, Value> {
    let text = services_file::schema().to_string();
    let text = text.replace("#/$defs/", "#/components/schemas/");
    // What was written as JSON can be read as JSON.
    let file: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(Value::Object(mut all)) = file.get("$defs").cloned() else { return Map::new() };
    let mut service = all.remove("Service").unwrap_or_default();
    if let Some(fields) = service.as_object_mut() {
        fields.remove("required");
        fields.insert(
            "description".to_owned(),
            json!(
                "Fields of the services file that differ for this run. A name that the file \
                   does not have needs a `cmd`."
            ),
        );
    }
    all.insert("ServiceOverrides".to_owned(), service);
    all
}
