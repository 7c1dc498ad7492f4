//! JSON Schemas of objects, put together field by field, and the exports of fields.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// The support of a field in `llm-shell export kubernetes`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mapping {
    /// It is expressed in the manifests; the exporter warns if that is not exact.
    Supported,
    /// There is no equivalent. The text completes "FIELD …" in a warning.
    Unsupported(&'static str),
    /// There is no equivalent in a Deployment.
    UnsupportedInDeployment(&'static str),
    /// There is no equivalent in a Job.
    UnsupportedInJob(&'static str),
}

/// The schema of an object, field by field.
#[derive(Default)]
pub(super) struct ObjectSchema {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl ObjectSchema {
    /// Adds a field that may be left out.
    pub(super) fn add(&mut self, name: &str, about: &str, schema: Schema, default: &Value) {
        let mut schema = described(schema, about);
        if !default.is_null() {
            schema.insert("default".to_owned(), default.clone());
        }
        self.properties.insert(name.to_owned(), schema.into());
    }

    /// Adds a field that is always there.
    pub(super) fn add_required(&mut self, name: &'static str, about: &str, schema: Schema) {
        self.properties.insert(name.to_owned(), described(schema, about).into());
        self.required.push(name);
    }

    /// Returns the whole schema, with further keywords.
    pub(super) fn finish(self, about: &str, constraints: &Value) -> Schema {
        let mut schema = json!({
            "type": "object", "description": about.trim(), "properties": self.properties,
            "additionalProperties": false,
        });
        if !self.required.is_empty() {
            schema["required"] = self.required.into();
        }
        for (keyword, value) in constraints.as_object().into_iter().flatten() {
            schema[keyword] = value.clone();
        }
        Schema::try_from(schema).unwrap_or_default()
    }
}

fn described(schema: Schema, about: &str) -> Map<String, Value> {
    let mut schema = match schema.to_value() {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    schema.insert("description".to_owned(), about.trim().into());
    schema
}

/// Returns a schema that admits null too.
pub(super) fn nullable(schema: Schema) -> Schema {
    let mut schema = schema.to_value();
    match &schema["type"] {
        Value::String(one) => schema["type"] = json!([one, "null"]),
        Value::Array(types) if types.iter().any(|it| it == "null") => {}
        _ => schema = json!({"anyOf": [schema, {"type": "null"}]}),
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    Schema::try_from(schema).unwrap_or_default()
}
