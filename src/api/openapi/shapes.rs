//! The shapes of what is written by hand, so that it is streamed: only their schemas are of use.

#![allow(dead_code, reason = "the fields are never read: only their schema is of use")]

use crate::supervisor::services_file;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// Every refusal and every failure (RFC 9457).
#[derive(JsonSchema)]
pub struct Problem {
    /// `about:blank`: `code` says more.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// One sentence that says what was wrong and what to do.
    detail: String,
    /// A stable word for programs.
    #[schemars(with = "super::problems::ProblemCode")]
    code: String,
}

/// A message of JSON-RPC 2.0, as the Model Context Protocol has them.
#[derive(JsonSchema)]
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

/// Adds the schema of the fields that `config` of a `ServiceRequest` overrides, with what that
/// refers to: the services file defines them.
pub fn add_overrides(schemas: &mut Map<String, Value>) {
    let text = services_file::schema().to_string();
    let text = text.replace("#/$defs/", "#/components/schemas/");
    // What was written as JSON can be read as JSON.
    let mut file: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(Value::Object(mut all)) = file.get_mut("$defs").map(Value::take) else { return };
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
    schemas.extend(all);
    schemas.insert("ServiceOverrides".to_owned(), service);
    let overrides = json!({"$ref": "#/components/schemas/ServiceOverrides"});
    schemas["ServiceRequest"]["properties"]["config"] =
        json!({"anyOf": [overrides, {"type": "null"}]});
}
