//! The JSON Schemas of the services file, for editors, and of its masked view.

use super::config::ServiceConfig;
use super::names::NAME_PATTERN;
use super::table::View;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// Returns the JSON Schema of a services file.
#[must_use]
pub fn schema() -> Value {
    schema_for!(FileShape).to_value()
}

/// A services file, for its schema.
struct FileShape;

impl JsonSchema for FileShape {
    fn schema_name() -> Cow<'static, str> {
        "Services file of llm-shell astra".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Services by name: letters, digits, `.`, `_` and `-`, 64 at most. \
                            `${NAME}` and `${NAME:-default}` are replaced from the environment in \
                            every string except a `cmd` for the shell.",
            "propertyNames": {"pattern": NAME_PATTERN},
            "additionalProperties": generator.subschema_for::<ServiceConfig>(),
        })
    }
}

/// The configuration of a service as [`ServiceConfig::shown`] returns it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ShownConfig(Value);

impl ShownConfig {
    /// Returns what is shown of a configuration.
    #[must_use]
    pub fn of(config: &ServiceConfig) -> Self {
        Self(config.shown())
    }
}

impl JsonSchema for ShownConfig {
    fn schema_name() -> Cow<'static, str> {
        View::<ServiceConfig>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        View::<ServiceConfig>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServicesFile;
    use super::super::kinds::SIGNAL_NAME;
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    /// Creates a service from the fields of one of its objects.
    type Service = fn(Value) -> Value;

    /// Each object of the schema, with a service that has one.
    const OBJECTS: [(&str, Service); 5] = [
        ("Service", |fields| over(json!({"cmd": "x"}), fields)),
        (
            "HealthCheck",
            |fields| json!({"cmd": "x", "health_check": over(json!({"cmd": "x"}), fields)}),
        ),
        ("RestartPolicy", |fields| json!({"cmd": "x", "restart_policy": fields})),
        ("LogLimits", |fields| json!({"cmd": "x", "log": fields})),
        ("ResourceLimits", |fields| json!({"cmd": "x", "limits": fields})),
    ];

    fn over(mut fields: Value, other: Value) -> Value {
        if let (Value::Object(fields), Value::Object(other)) = (&mut fields, other) {
            fields.extend(other);
        }
        fields
    }

    fn parse(service: &Value) -> Result<ServiceConfig, String> {
        let file = ServicesFile::parse(&json!({"a": service}).to_string(), &[]);
        file.map(|file| (*file.services[0].config).clone()).map_err(|errors| errors.to_string())
    }

    /// Returns the properties of an object of the schema.
    fn properties(object: &str) -> serde_json::Map<String, Value> {
        schema()["$defs"][object]["properties"].as_object().unwrap().clone()
    }

    #[test]
    fn schema_and_parser_know_the_same_fields() {
        for (object, service) in OBJECTS {
            let error = parse(&service(json!({"an_unknown_field": 1}))).unwrap_err();
            let (_, known) = error.split_once("the known fields are ").unwrap();
            let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
            let properties = properties(object);
            assert_eq!(properties.keys().cloned().collect::<BTreeSet<_>>(), known, "{object}");
            let all = schema()["$defs"][object].clone();
            assert_eq!(all["additionalProperties"], false, "{object}");
        }
    }

    #[test]
    fn schema_and_parser_have_the_same_defaults() {
        let mut compared = 0;
        for (object, service) in OBJECTS {
            for (field, property) in properties(object) {
                if let Some(default) = property.get("default") {
                    let given = parse(&service(json!({&field: default}))).unwrap();
                    assert_eq!(given, parse(&service(json!({}))).unwrap(), "{object}.{field}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 0);
    }

    #[test]
    fn schema_and_parser_have_the_same_bounds() {
        let mut compared = 0;
        for (object, service) in OBJECTS {
            for (field, property) in properties(object) {
                let ends = [("minimum", -0.001, -1), ("maximum", 0.001, 1)];
                for (end, fraction, whole) in ends {
                    let Some(bound) = property.get(end) else { continue };
                    let is_number = property["type"][0] == "number";
                    let beyond = match bound.as_i64() {
                        Some(bound) if !is_number => json!(bound + whole),
                        _ => json!(bound.as_f64().unwrap() + fraction),
                    };
                    let tried = |value: &Value| parse(&service(json!({&field: value})));
                    assert!(tried(bound).is_ok(), "{object}.{field}: {bound}");
                    assert!(tried(&beyond).is_err(), "{object}.{field}: {beyond}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 0);
    }

    #[test]
    fn schema_and_parser_know_the_same_signals() {
        let pattern = regex::Regex::new(SIGNAL_NAME).unwrap();
        for number in 1..=64 {
            let text = number.to_string();
            assert!(pattern.is_match(&text), "{text}");
            let name = text.parse::<crate::process::Signal>().unwrap().to_string();
            // Two have no name, and two more belong to the C library.
            assert!(pattern.is_match(&name) || name.starts_with("signal "), "{name}");
        }
        assert!(parse(&json!({"cmd": "x", "stop_signal": 15.0, "port": 80.0})).is_ok());
        for wrong in ["", "0", "65", "SIGNOTHING", "RTMIN+31", "SIG"] {
            assert!(!pattern.is_match(wrong), "{wrong}");
            assert!(parse(&json!({"cmd": "x", "stop_signal": wrong})).is_err(), "{wrong}");
        }
    }

    #[test]
    fn schema_and_parser_take_the_same_texts() {
        type Place = (&'static str, fn(&str) -> Value);
        let schema = schema();
        let pattern = |pointer: &str| {
            let text = schema.pointer(&format!("/$defs/{pointer}")).and_then(Value::as_str);
            regex::Regex::new(&text.unwrap().replace(r"\u0000", r"\x00")).unwrap()
        };
        let places: [Place; 6] = [
            ("Command/anyOf/0/prefixItems/0/pattern", |it| json!({"cmd": [it, "a"]})),
            ("Command/anyOf/0/items/pattern", |it| json!({"cmd": ["a", it]})),
            ("Command/anyOf/1/pattern", |it| json!({"cmd": it})),
            ("Service/properties/cwd/pattern", |it| json!({"cmd": "a", "cwd": it})),
            (
                "Service/properties/env/propertyNames/pattern",
                |it| json!({"cmd": "a", "env": {it: "a"}}),
            ),
            (
                "Service/properties/env/additionalProperties/pattern",
                |it| json!({"cmd": "a", "env": {"A": it}}),
            ),
        ];
        for (pointer, service) in places {
            for text in ["a", " ", "a\0b", "\n", "a\nb", "\0", "A=b", "ä"] {
                let taken = parse(&service(text)).is_ok();
                assert_eq!(pattern(pointer).is_match(text), taken, "{pointer}: {text:?}");
            }
        }
    }

    #[test]
    fn schema_and_parser_know_the_same_keywords() {
        let words = |list: &str| -> Vec<String> {
            let schema = schema();
            let words = schema["$defs"][list]["enum"].as_array().unwrap();
            words.iter().map(Value::to_string).collect()
        };
        let modes = json!({"cmd": "x", "restart_policy": {"mode": "no"}});
        assert!(parse(&modes).unwrap_err().contains(&words("RestartMode").join(" or ")));
        let depends = json!({"a": {"cmd": "x", "depends_on": {"b": "no"}}, "b": {"cmd": "x"}});
        let errors = ServicesFile::parse(&depends.to_string(), &[]).unwrap_err().to_string();
        assert!(errors.contains(&words("Condition").join(" or ")), "{errors}");
    }
}
