//! The arguments of Astra's tools. Their doc comments are what a model reads, and count against the
//! size of the list of tools: one that only repeats the name is left out.

use crate::protocol::{BulkAction, ReloadKind, whole_or_null};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The arguments of a tool for one service or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameOrAll {
    pub name: Option<String>,
}

/// The arguments of a tool for one service.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameOnly {
    pub name: String,
}

/// The arguments of `start_service` and `restart_service`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartService {
    pub name: String,
    /// Fields that override the file for this run.
    pub config: Option<Map<String, Value>>,
}

/// The arguments of `add_service`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddService {
    pub name: String,
    /// Fields of the services file: cmd, cwd, env, port, …
    pub config: Map<String, Value>,
}

/// The arguments of `reload_service`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadService {
    pub name: Option<String>,
    #[serde(rename = "type", default)]
    pub kind: ReloadKind,
}

/// The arguments of `service_logs`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLines {
    pub name: String,
    /// Id of one run; all if omitted.
    pub run: Option<String>,
    /// Only lines after this one.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub after: Option<u64>,
    /// Only the last N (100).
    #[serde(default, deserialize_with = "whole_or_null")]
    pub lines: Option<u64>,
    /// Only of the last N seconds.
    pub seconds: Option<f64>,
    /// At most N.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub limit: Option<u64>,
    /// Regex; (?i) ignores case.
    pub grep: Option<String>,
    /// Lines around each match.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub context: Option<u64>,
    /// line | end | match:REGEX | idle:SECONDS: ends the wait early.
    pub until: Option<String>,
    #[serde(default, deserialize_with = "whole_or_null")]
    pub max_bytes: Option<u64>,
}

/// The arguments of `read_events`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadEvents {
    /// Only events after this one.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub after: Option<u64>,
}

/// The arguments of `bulk`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActOnSeveral {
    pub action: BulkAction,
    pub services: Vec<String>,
    /// false: one by one.
    #[serde(default = "yes")]
    pub parallel: bool,
}

fn yes() -> bool {
    true
}
