//! The `OpenAPI` document of a server, and comparisons with real answers.

use crate::harness::Answer;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

pub struct Document {
    whole: Value,
    /// Fields seen in answers, as `Schema.field`.
    seen: RefCell<BTreeSet<String>>,
}

/// An operation of the document.
pub struct Operation<'a> {
    /// Method, in capitals.
    pub method: String,
    /// Path with the prefix of the server.
    pub path: String,
    pub about: &'a Value,
}

impl Document {
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        Self { whole: answer.json(), seen: RefCell::default() }
    }

    pub fn whole(&self) -> &Value {
        &self.whole
    }

    /// Returns every operation, once for each prefix.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in object(&self.whole["paths"]) {
            let servers = item.get("servers").unwrap_or(&self.whole["servers"]).as_array().unwrap();
            for (method, about) in object(item).iter().filter(|(key, _)| *key != "servers") {
                for server in servers {
                    let prefix = server["url"].as_str().unwrap().trim_end_matches('/');
                    let (method, path) = (method.to_uppercase(), format!("{prefix}{path}"));
                    operations.push(Operation { method, path, about });
                }
            }
        }
        operations
    }

    /// Fails unless the answer has exactly the documented fields.
    #[track_caller]
    pub fn check(&self, method: &str, path: &str, answer: &Answer) {
        let about = &self.whole["paths"][path][method.to_lowercase()];
        let response = self.resolved(&about["responses"][answer.status.to_string()]);
        let media_type = answer.header("content-type").expect("a Content-Type");
        let schema = &response["content"][media_type]["schema"];
        assert!(schema.is_object(), "{method} {path}: {} {media_type}: {response}", answer.status);
        let why = self.mismatch(schema, &answer.json());
        assert_eq!(why, None, "{method} {path}: {}", answer.text());
    }

    /// Fails unless a value matches a named schema.
    #[track_caller]
    pub fn check_named(&self, name: &str, value: &Value) {
        let schema = serde_json::json!({"$ref": format!("#/components/schemas/{name}")});
        let why = self.mismatch(&schema, value);
        assert_eq!(why, None, "{name}: {value}");
    }

    /// Returns the fields of schemas, as `Schema.field`, that no answer had. Request schemas are
    /// ignored.
    pub fn unseen(&self) -> Vec<String> {
        let schemas = object(&self.whole["components"]["schemas"]).iter();
        // The messages of the protocol have tests of their own.
        let answered = schemas
            .filter(|(name, schema)| schema["additionalProperties"] != false && *name != "Message");
        let fields = answered.flat_map(|(name, schema)| {
            let fields = schema["properties"].as_object().into_iter().flat_map(Map::keys);
            fields.map(move |field| format!("{name}.{field}"))
        });
        fields.filter(|field| !self.seen.borrow().contains(field)).collect()
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(to) => self.whole.pointer(&to[1..]).unwrap_or_else(|| panic!("there is no {to}")),
            None => value,
        }
    }

    /// Returns how a value violates its schema; types are checked elsewhere.
    fn mismatch(&self, schema: &Value, value: &Value) -> Option<String> {
        let name = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next()).unwrap_or_default();
        let schema = self.resolved(schema);
        for word in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[word].as_array() {
                let mut why = choices.iter().map(|choice| self.mismatch(choice, value));
                return why.all(|why| why.is_some()).then(|| format!("{value} is none of {word}"));
            }
        }
        if let Some(words) = schema["enum"].as_array() {
            return (!words.contains(value)).then(|| format!("{value} is none of {words:?}"));
        }
        match value {
            Value::Array(items) => items.iter().find_map(|it| self.mismatch(&schema["items"], it)),
            Value::Object(fields) => self.mismatch_of_fields(name, schema, fields),
            _ => None,
        }
    }

    fn mismatch_of_fields(
        &self,
        name: &str,
        schema: &Value,
        fields: &Map<String, Value>,
    ) -> Option<String> {
        let parts: Vec<&Value> = match schema["allOf"].as_array() {
            Some(parts) => parts.iter().collect(),
            None => vec![schema],
        };
        let parts = parts.into_iter().map(|part| self.resolved(part));
        let mut known = Map::new();
        for part in parts {
            for field in part["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(field.as_str().unwrap()) {
                    return Some(format!("{name} lacks {field}"));
                }
            }
            known.extend(part["properties"].as_object().cloned().unwrap_or_default());
        }
        for (field, value) in fields {
            let others = &schema["additionalProperties"];
            let schema = match known.get(field) {
                Some(schema) => schema,
                None if others.is_object() || *schema == serde_json::json!({"type": "object"}) => {
                    others
                }
                None => return Some(format!("{name} has {field}, which is not described")),
            };
            self.seen.borrow_mut().insert(format!("{name}.{field}"));
            if let Some(why) = self.mismatch(schema, value) {
                return Some(format!("{field}: {why}"));
            }
        }
        None
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}
