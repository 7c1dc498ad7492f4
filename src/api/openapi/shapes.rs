//! The shapes of what is written by hand, so that it is streamed: only their schemas are of use.

#![allow(dead_code, reason = "the fields are never read: only their schema is of use")]

use crate::api::bodies::is_zero;
use crate::supervisor::services_file;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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

/// Lines of a service's log.
#[derive(JsonSchema, Serialize, ToSchema)]
pub struct ServiceLogs {
    /// Which service.
    service: String,
    /// How many lines the whole log has.
    total_lines: u64,
    /// The lines, each as `[YYYY-MM-DD HH:MM:SS] text`.
    logs: Vec<String>,
    /// How many lines these are.
    lines_returned: u64,
    /// The number of the first of them.
    #[schema(required)]
    first: Option<u64>,
    /// The number of the last line that was looked at: give it as `after` for what is new.
    next: u64,
    /// Whether something was left out: to keep to `max_bytes`, or of a line over 16 MiB.
    truncated: bool,
    /// How many lines of those that were asked for are not in `logs`, or not whole.
    omitted_lines: u64,
    /// Whether the service runs.
    running: bool,
    /// A last line that has not ended: a prompt, maybe.
    #[schema(required)]
    prompt: Option<String>,
    /// How many lines behind `after` are no longer kept: these begin behind those. Left out where
    /// there are none.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "is_zero")]
    skipped: u64,
    /// True where `after` is beyond the log: these begin with the first line. Left out otherwise.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cursor_reset: bool,
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

/// Fields of the services file that differ for a run: its schema is that of the file, where
/// nothing must be given.
pub struct ServiceOverrides;

impl PartialSchema for ServiceOverrides {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().into()
    }
}

impl ToSchema for ServiceOverrides {}

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
