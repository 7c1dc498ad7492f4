//! The arguments of the LLM Shell's tools. Their doc comments are what a model reads, and count
//! against the size of the list of tools: one that only repeats the name is left out.

use super::tool::OUTPUT_BYTES_DEFAULT;
use crate::protocol::{Pty, whole_or_null};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The default number of runs in a list.
pub const RUNS_DEFAULT: u64 = 20;

/// The arguments of `start_command`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartCommand {
    pub command: String,
    /// To find the run by.
    pub name: Option<String>,
    /// Run it in the session of this name (started if there is none), where cd, variables and
    /// functions last.
    pub session: Option<String>,
    #[schemars(with = "Option<String>")]
    pub cwd: Option<PathBuf>,
    /// Variables to set; null removes one.
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    /// Keep stdin open.
    #[serde(default)]
    pub stdin: bool,
    /// Run on a terminal.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub pty: Pty,
    /// Kill it after these seconds.
    pub timeout: Option<f64>,
    /// line | end | match:REGEX | idle:SECONDS: ends the wait early.
    pub until: Option<String>,
    #[serde(default, deserialize_with = "whole_or_null")]
    pub max_bytes: Option<u64>,
}

/// The arguments of `wait`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForRuns {
    /// Id or name, or a list of them.
    pub run: Option<OneOrMany>,
    /// With a list: "all" (default) or "any".
    #[serde(rename = "for")]
    pub wanted: Option<String>,
    pub until: Option<String>,
    /// Last line already read.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub after: Option<u64>,
    #[serde(default, deserialize_with = "whole_or_null")]
    pub max_bytes: Option<u64>,
}

/// A run, or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a run, or a list of runs")]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// The arguments of `read_logs`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadLogs {
    pub run: Option<String>,
    /// Only lines after this one.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub after: Option<u64>,
    /// Only the last N.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub lines: Option<u64>,
    /// Only of the last N seconds.
    pub seconds: Option<f64>,
    /// At most N, from the first on.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub limit: Option<u64>,
    /// Regex; (?i) ignores case.
    pub grep: Option<String>,
    /// Lines around each match.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub context: Option<u64>,
    /// The terminal's screen as it is now, instead of lines.
    #[serde(default)]
    pub screen: bool,
    /// With after and wait.
    pub until: Option<String>,
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(extend("default" = OUTPUT_BYTES_DEFAULT))]
    pub max_bytes: Option<u64>,
}

/// The arguments of `send_input`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendInput {
    pub run: Option<String>,
    #[serde(default)]
    pub text: String,
    /// Keys to press after it, on a terminal: ctrl-c, up, enter.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Close stdin after it.
    #[serde(default)]
    pub eof: bool,
    pub until: Option<String>,
}

/// The arguments of `send_signal`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendSignal {
    pub run: Option<String>,
    /// Name or number, such as SIGINT.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The arguments of `kill`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    pub run: Option<String>,
    /// SIGTERM (default) or SIGKILL.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// The arguments of `restart`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    pub run: Option<String>,
    /// Seconds until SIGKILL (10).
    pub timeout: Option<f64>,
}

/// The arguments of `list_runs`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRuns {
    pub name: Option<String>,
    /// running, exited or killed.
    pub status: Option<String>,
    #[serde(default, deserialize_with = "whole_or_null")]
    #[schemars(extend("default" = RUNS_DEFAULT))]
    pub limit: Option<u64>,
    /// Only those before this id.
    pub before: Option<String>,
}
