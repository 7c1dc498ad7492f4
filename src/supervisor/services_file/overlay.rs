//! A service with its JSON text, so that single fields can be overridden.

use super::config::ServiceConfig;
use super::error::ServicesFileErrors;
use super::fields::Fields;
use super::names::{INVALID_NAME, is_service_name};
use super::node::{Node, Reading};
use super::table::Object;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

/// The context in which a service is parsed.
#[derive(Clone, Copy, Debug)]
pub struct ParseContext<'a> {
    /// Source of `${NAME}`.
    pub environment: &'a [(OsString, OsString)],
    /// Names of the services that it can depend on.
    pub known: &'a [&'a str],
}

impl<'a> ParseContext<'a> {
    fn reading(self) -> Reading<'a> {
        let known = self.known.iter().map(|name| (*name).to_owned());
        Reading::of_request(self.environment, known)
    }
}

/// A service: its name, its configuration, and the JSON text that defines it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Name, also valid as a directory name.
    pub name: String,
    /// Configuration.
    pub config: Arc<ServiceConfig>,
    /// JSON object that defines it, `${NAME}` not yet expanded.
    text: String,
}

impl Service {
    pub(super) fn new(name: String, config: ServiceConfig, text: String) -> Self {
        Self { name, config: Arc::new(config), text }
    }

    /// Parses a service that is not in a file.
    ///
    /// # Errors
    /// All of its errors; the field of each begins with the service's name.
    pub fn parse_new(
        name: &str,
        fields: &Value,
        context: ParseContext<'_>,
    ) -> Result<Self, ServicesFileErrors> {
        if !is_service_name(name) {
            return Err(ServicesFileErrors::of_whole(None, format!("{name:?} {INVALID_NAME}")));
        }
        Self::read(name, fields.to_string(), context)
    }

    /// Returns a copy with some fields replaced; `env` is merged by name. Null resets a field to
    /// its default.
    ///
    /// # Errors
    /// All errors of the result; the field of each begins with the service's name.
    pub fn with_overrides(
        &self,
        overrides: &Value,
        context: ParseContext<'_>,
    ) -> Result<Self, ServicesFileErrors> {
        let Value::Object(overrides) = overrides else {
            return Self::read(&self.name, overrides.to_string(), context);
        };
        let reading = context.reading();
        let own = self.raw().ok().and_then(|raw| Node::whole(&reading, raw).fields());
        let own = own.map(Fields::all).unwrap_or_default();
        let mut fields: Vec<(String, String)> =
            own.into_iter().map(|entry| (entry.name, entry.value.json().to_owned())).collect();
        for (name, value) in overrides {
            match fields.iter_mut().find(|(own, _)| own == name) {
                Some((_, text)) if name == "env" => *text = merged(text, value),
                Some((_, text)) => *text = value.to_string(),
                None => fields.push((name.clone(), value.to_string())),
            }
        }
        let fields = fields.iter().map(|(name, text)| format!("{}:{text}", Value::from(&**name)));
        let text = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        Self::read(&self.name, text, context)
    }

    /// Returns the JSON object that defines it, `${NAME}` not yet expanded.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text gives this field, with a value or null.
    #[must_use]
    pub fn gives(&self, field: &str) -> bool {
        let fields: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(&self.text).ok();
        fields.is_some_and(|fields| fields.contains_key(field))
    }

    fn read(
        name: &str,
        text: String,
        context: ParseContext<'_>,
    ) -> Result<Self, ServicesFileErrors> {
        let unread =
            |error: serde_json::Error| ServicesFileErrors::of_whole(None, error.to_string());
        let raw: &RawValue = serde_json::from_str(&text).map_err(unread)?;
        let reading = context.reading();
        let config = ServiceConfig::read(&Node::whole(&reading, raw).named(name));
        let config = reading.finish(config)?;
        Ok(Self { name: name.to_owned(), config: Arc::new(config), text })
    }

    fn raw(&self) -> serde_json::Result<&RawValue> {
        serde_json::from_str(&self.text)
    }
}

/// Merges `over` into an `env`. A value that is no object replaces it, to be refused later.
fn merged(text: &str, over: &Value) -> String {
    match (serde_json::from_str(text), over) {
        (Ok(Value::Object(mut own)), Value::Object(over)) => {
            own.extend(over.clone());
            Value::Object(own).to_string()
        }
        _ => over.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::CommandLine;
    use serde_json::json;

    const CONTEXT: ParseContext<'_> = ParseContext { environment: &[], known: &["db"] };

    fn service() -> Service {
        let fields = json!({
            "cmd": ["serve", "--port", "80"], "cwd": "/srv", "env": {"A": "1", "B": "2"},
        });
        Service::parse_new("tts", &fields, CONTEXT).unwrap()
    }

    #[test]
    fn fields_are_replaced_and_env_is_merged() {
        let service = service();
        let over = json!({"cmd": "run -p 81", "env": {"B": null, "C": "3"}, "depends_on": ["db"]});
        let changed = service.with_overrides(&over, CONTEXT).unwrap();
        assert_eq!(changed.config.command, CommandLine::Shell("run -p 81".into()));
        assert_eq!(changed.config.port, Some(81));
        assert_eq!(changed.config.directory, service.config.directory);
        let expected = [("A", Some("1")), ("B", None), ("C", Some("3"))];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(changed.config.environment, expected.into());
        assert!(changed.config.depends_on.contains_key("db"));
        assert_eq!(service.with_overrides(&json!({}), CONTEXT).unwrap().config, service.config);
    }

    #[test]
    fn null_resets_a_field_to_its_default() {
        let changed =
            service().with_overrides(&json!({"cwd": null, "env": null}), CONTEXT).unwrap();
        assert_eq!(changed.config.directory.to_str(), Some("."));
        assert!(changed.config.environment.is_empty());
    }

    #[test]
    fn errors_of_a_request_name_their_fields() {
        let over = json!({"prot": 1, "env": {"A": 1}, "health_check": {"timeout": -1}});
        let errors = service().with_overrides(&over, CONTEXT).unwrap_err().to_string();
        for expected in [
            "tts.prot: is unknown: did you mean \"port\"?",
            "tts.env.A: must be a string, or null to remove it",
            "tts.health_check: needs exactly one of url",
            "tts.health_check.timeout: must be a number of seconds from 0.001 to 86400, got",
        ] {
            assert!(errors.lines().any(|line| line.starts_with(expected)), "{errors}");
        }
        let errors = service().with_overrides(&json!([]), CONTEXT).unwrap_err().to_string();
        assert_eq!(errors, "tts: must be an object, got a list");
        let errors = Service::parse_new("a/b", &json!({"cmd": "x"}), CONTEXT).unwrap_err();
        assert!(errors.to_string().contains("\"a/b\" is not a valid service name"));
        let errors = Service::parse_new("a", &json!({"cmd": null}), CONTEXT).unwrap_err();
        assert_eq!(errors.to_string(), "a: has no cmd: give a command to run");
    }
}
