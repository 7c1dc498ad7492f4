//! Types that exist for their schemas only: the bodies are written by hand, or streamed.

#![allow(dead_code, reason = "only the schemas of these types are used")]

use crate::supervisor::services_file;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// An error (RFC 9457).
#[derive(JsonSchema)]
pub struct Problem {
    /// `about:blank`: `code` says more.
    r#type: String,
    /// Reason phrase of the status.
    title: String,
    /// Status code.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// One sentence that says what was wrong and what to do.
    detail: String,
    /// A stable word for programs.
    #[schemars(with = "super::problems::ProblemCode")]
    code: String,
}

/// A message of JSON-RPC 2.0, as the Model Context Protocol uses it.
#[derive(JsonSchema)]
pub struct Message {
    /// `2.0`.
    jsonrpc: String,
    /// Id of the request, repeated in the answer; a notification has none.
    id: Option<Value>,
    /// Method.
    method: Option<String>,
    /// Arguments of the method.
    params: Option<Value>,
}

/// Adds the schema of `config` of a `ServiceRequest`, with the components it refers to: its fields
/// are those of the services file.
pub fn add_overrides(schemas: &mut Map<String, Value>) {
    let text = services_file::schema().to_string();
    let text = text.replace("#/$defs/", "#/components/schemas/");
    // Serialized JSON always parses.
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
