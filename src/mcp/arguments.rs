//! The arguments of a tool, checked.

use super::error::ToolError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The longest wait of a tool, in seconds: many clients give up after 60.
pub const WAIT_SECONDS_MAX: f64 = 50.0;

/// The arguments of a call.
#[derive(Debug)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// Wraps the arguments of a call.
    pub fn new(arguments: Map<String, Value>) -> Self {
        Self(arguments)
    }

    /// Removes `wait` and returns it, in seconds.
    pub fn wait(&mut self, default: f64) -> Result<f64, ToolError> {
        let Some(given) = self.0.remove("wait").filter(|given| !given.is_null()) else {
            return Ok(default);
        };
        let seconds = given.as_f64().filter(|seconds| (0.0..=WAIT_SECONDS_MAX).contains(seconds));
        seconds.ok_or_else(|| {
            ToolError(format!(
                "The argument wait is {given}: give 0 to {WAIT_SECONDS_MAX} seconds, and call \
                 again if that is too short."
            ))
        })
    }

    /// Deserializes the remaining arguments.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, ToolError> {
        serde_path_to_error::deserialize(Value::Object(self.0)).map_err(|error| {
            ToolError(format!("Invalid arguments ({error}): see the tool's inputSchema."))
        })
    }
}

/// Adds the property `wait` to a schema.
pub fn with_wait(mut schema: Value, default: f64) -> Value {
    schema["properties"]["wait"] = json!({
        "type": "number", "maximum": WAIT_SECONDS_MAX, "default": default,
        "description": "Seconds.",
    });
    schema
}
