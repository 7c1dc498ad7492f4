//! Tools: a name, a description for a model, schemas, and a function.

use super::arguments::Arguments;
use super::error::ToolError;
use crate::auth::Principal;
use crate::ops::{Client, Provenance};
use crate::protocol::Scope;
use parking_lot::Mutex;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};
use std::sync::Arc;

/// The default limit of a tool's output, in bytes: together with the lines around it, less than 32
/// KiB.
pub const OUTPUT_BYTES_DEFAULT: u64 = 31 * 1024;

/// A tool that uses the operations `O`: those of an LLM Shell, or of services.
#[derive(Debug)]
pub struct Tool<O: 'static> {
    /// The name.
    pub name: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// When to use it, what it returns, and its limits.
    pub description: &'static str,
    /// Its side effects.
    pub effect: Effect,
    /// The scope that a client needs.
    pub scope: Scope,
    /// The JSON Schema of the arguments.
    pub input: fn() -> Value,
    /// The JSON Schema of the structured result.
    pub output: fn() -> Value,
    /// The function.
    pub call: fn(&Context<'_, O>, Arguments) -> Result<ToolResult, ToolError>,
}

/// The context of a call.
pub struct Context<'a, O> {
    /// The operations.
    pub ops: &'a O,
    /// The calling client.
    pub client: &'a dyn Client,
    /// The runs of the client, if the tools serve only one.
    pub client_runs: Option<&'a ClientRuns>,
}

impl<O> Context<'_, O> {
    /// Sets the last run of the client, if the tools serve only one.
    pub fn set_last_run(&self, run_id: &str) {
        if let Some(runs) = self.client_runs {
            runs.set_last(run_id);
        }
    }
}

/// The runs that one client has started.
#[derive(Debug, Default)]
pub struct ClientRuns(Mutex<Option<String>>);

impl ClientRuns {
    /// Returns the id of the last one.
    pub fn last(&self) -> Option<String> {
        self.0.lock().clone()
    }

    /// Sets the id of the last one.
    pub fn set_last(&self, run_id: &str) {
        *self.0.lock() = Some(run_id.to_owned());
    }
}

/// The client of a tool.
pub struct ToolClient<'a> {
    /// The client.
    pub client: &'a dyn Client,
    /// The tool's name.
    pub tool: &'static str,
}

impl Client for ToolClient<'_> {
    fn has_left(&self) -> bool {
        self.client.has_left()
    }

    fn has_left_fn(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        self.client.has_left_fn()
    }

    fn principal(&self) -> &Principal {
        self.client.principal()
    }

    fn provenance(&self) -> Provenance {
        Provenance { tool: Some(self.tool), ..self.client.provenance() }
    }

    fn may_retry(&self) -> bool {
        self.client.may_retry()
    }
}

/// The side effects of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None.
    Reads,
    /// Changes something.
    Changes,
    /// May end something that is still needed.
    Ends,
}

/// The result of a tool.
#[derive(Debug)]
pub struct ToolResult {
    /// The text for a model.
    pub text: String,
    /// Further fields of the structured result, by the tool's schema.
    pub data: Value,
}

impl<O> Tool<O> {
    /// Returns the tool's entry in a list.
    pub fn describe(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": (self.input)(),
            "outputSchema": (self.output)(),
            "annotations": self.annotations(),
        })
    }

    /// Returns the hints that differ from their defaults.
    fn annotations(&self) -> Value {
        let title = self.title;
        match self.effect {
            Effect::Reads => json!({"title": title, "readOnlyHint": true, "openWorldHint": false}),
            Effect::Changes => json!({"title": title, "destructiveHint": false}),
            Effect::Ends => json!({"title": title, "destructiveHint": true}),
        }
    }
}

/// Returns the JSON Schema of a type that is deserialized, with all definitions inlined.
pub fn input_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    // A tool has its own name and description.
    schema.remove("title");
    schema.remove("description");
    without_defaults(schema.to_value())
}

/// Removes Rust's number formats, which JSON Schema does not define and some clients reject, and
/// what says nothing: null as the default, and that further properties are allowed.
fn without_defaults(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            fields.retain(|name, value| match &**name {
                "format" => !value.is_string(),
                "default" => !value.is_null(),
                "additionalProperties" => *value != json!(true),
                _ => true,
            });
            for value in fields.values_mut() {
                *value = without_defaults(value.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_defaults(item.take());
            }
        }
        _ => {}
    }
    schema
}
