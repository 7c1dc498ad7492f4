//! What a tool is: a name, words for a model, schemas, and a function.

use super::arguments::Arguments;
use crate::error::{Error, ErrorKind};
use crate::ops::Client;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// How much output a tool tells where it is not asked for more, in bytes: with the lines around it
/// that is less than 32 KiB.
pub const OUTPUT_BYTES_DEFAULT: u64 = 31 * 1024;

/// How much is told of a failure, in bytes.
const FAILURE_BYTES_MAX: usize = 4096;

/// A tool that works on operations `O`: the command of an LLM Shell, or services.
#[derive(Debug)]
pub struct Tool<O: 'static> {
    /// What it is called by.
    pub name: &'static str,
    /// What it is called for people.
    pub title: &'static str,
    /// When to use it, what it gives, and its limits.
    pub description: &'static str,
    /// What it does to the world.
    pub effect: Effect,
    /// The JSON Schema of its arguments.
    pub input: fn() -> Value,
    /// The JSON Schema of its structured result.
    pub output: fn() -> Value,
    /// What it does.
    pub call: fn(&Context<'_, O>, Arguments) -> Result<ToolResult, ToolError>,
}

/// What a call of a tool works with.
pub struct Context<'a, O> {
    /// The operations.
    pub ops: &'a O,
    /// The client that called it.
    pub client: &'a dyn Client,
}

/// What a tool does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// It changes something.
    Changes,
    /// It may end what somebody wants to go on.
    Ends,
}

/// What a tool gives.
#[derive(Debug)]
pub struct ToolResult {
    /// For a model.
    pub text: String,
    /// For a program, by the tool's schema.
    pub data: Value,
}

/// Why a tool could not do what it was asked, in words for a model.
#[derive(Debug, PartialEq, Eq)]
pub struct ToolError(pub String);

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::Internal && !error.is_of_client_that_left() {
            log::error!("{error}");
        }
        Self(error.for_tools())
    }
}

/// Why a name that is needed is none.
pub fn empty(argument: &str) -> ToolError {
    ToolError(format!("The argument {argument} is empty: give one, or leave it out."))
}

impl ToolError {
    /// What is told of it: its beginning, where it repeats something long.
    pub fn shown(mut self) -> String {
        if self.0.len() > FAILURE_BYTES_MAX {
            self.0.truncate(self.0.floor_char_boundary(FAILURE_BYTES_MAX));
            self.0.push_str(" … (the rest is left out)");
        }
        self.0
    }
}

impl ToolResult {
    /// The same with a line before the last that tells of what was not done, where something was
    /// not.
    #[must_use]
    pub fn noting(mut self, failure: Option<ToolError>) -> Self {
        if let Some(failure) = failure {
            let end = self.text.trim_end().rfind('\n').map_or(0, |end| end + 1);
            self.text.insert_str(end, &format!("[{}]\n", failure.shown()));
        }
        self
    }

    /// The same with one more field for programs.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.data[field] = value;
        self
    }
}

impl<O> Tool<O> {
    /// What is told of it in a list.
    pub fn described(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": (self.input)(),
            "outputSchema": (self.output)(),
            "annotations": {
                "title": self.title,
                "readOnlyHint": self.effect == Effect::Reads,
                "destructiveHint": self.effect == Effect::Ends,
                "openWorldHint": self.effect != Effect::Reads,
            },
        })
    }
}

/// The JSON Schema of what is read into a type.
pub fn input_of<T: JsonSchema>() -> Value {
    schema_of::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The JSON Schema of what a type is written as.
pub fn output_of<T: JsonSchema>() -> Value {
    schema_of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

/// The JSON Schema of a type, with everything in it.
fn schema_of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    // A tool has a name and a description of its own.
    schema.remove("title");
    schema.remove("description");
    without_formats(schema.to_value())
}

/// The formats of Rust's numbers are none of JSON Schema's, and clients complain of them.
fn without_formats(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            fields.retain(|name, value| name != "format" || !value.is_string());
            for value in fields.values_mut() {
                *value = without_formats(value.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_formats(item.take());
            }
        }
        _ => {}
    }
    schema
}
