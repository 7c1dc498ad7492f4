//! A service with its text, so that single fields of it can be replaced.

use super::config::ServiceConfig;
use super::fault::Faults;
use super::fields::Fields;
use super::file::{NAME_FAULT, is_service_name};
use super::node::{Node, Reading};
use super::table::Object;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

/// What a service is read in view of.
#[derive(Clone, Copy, Debug)]
pub struct ParseContext<'a> {
    /// What `${NAME}` is taken from.
    pub environment: &'a [(OsString, OsString)],
    /// The services that it can depend on.
    pub known: &'a [&'a str],
}

impl<'a> ParseContext<'a> {
    fn reading(self) -> Reading<'a> {
        let known = self.known.iter().map(|name| (*name).to_owned());
        Reading::of_request(self.environment, known)
    }
}

/// A service: its name, what is known of it, and the text that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name, which can be that of a folder.
    pub name: String,
    /// What is known of it. Shared with all who go by it.
    pub config: Arc<ServiceConfig>,
    /// The JSON object that says so, `${NAME}` not yet replaced.
    text: String,
}

impl Service {
    pub(super) fn new(name: String, config: ServiceConfig, text: String) -> Self {
        Self { name, config: Arc::new(config), text }
    }

    /// A service that stands in no file.
    ///
    /// # Errors
    /// All that is wrong with it; each fault's field begins with its name.
    pub fn parse_new(name: &str, fields: &Value, around: ParseContext<'_>) -> Result<Self, Faults> {
        if !is_service_name(name) {
            return Err(Faults::of_whole(None, format!("{name:?} {NAME_FAULT}")));
        }
        Self::read(name, fields.to_string(), around)
    }

    /// The same service with some of its fields replaced; `env` is added to by name. Null gives a
    /// field its default again.
    ///
    /// # Errors
    /// All that is wrong with it then; each fault's field begins with its name.
    pub fn with(&self, overrides: &Value, around: ParseContext<'_>) -> Result<Self, Faults> {
        let Value::Object(overrides) = overrides else {
            return Self::read(&self.name, overrides.to_string(), around);
        };
        let reading = around.reading();
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
        Self::read(&self.name, text, around)
    }

    /// The JSON object that says so, `${NAME}` not yet replaced.
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

    fn read(name: &str, text: String, around: ParseContext<'_>) -> Result<Self, Faults> {
        let unread = |error: serde_json::Error| Faults::of_whole(None, error.to_string());
        let raw: &RawValue = serde_json::from_str(&text).map_err(unread)?;
        let reading = around.reading();
        let config = ServiceConfig::read(&Node::whole(&reading, raw).named(name));
        let config = reading.finish(config)?;
        Ok(Self { name: name.to_owned(), config: Arc::new(config), text })
    }

    fn raw(&self) -> serde_json::Result<&RawValue> {
        serde_json::from_str(&self.text)
    }
}

/// An `env` with another laid over it. One that is no object takes its place, to be refused.
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

    const AROUND: ParseContext<'_> = ParseContext { environment: &[], known: &["db"] };

    fn service() -> Service {
        let fields = json!({
            "cmd": ["serve", "--port", "80"], "cwd": "/srv", "env": {"A": "1", "B": "2"},
        });
        Service::parse_new("tts", &fields, AROUND).unwrap()
    }

    #[test]
    fn fields_are_replaced_and_env_is_added_to() {
        let service = service();
        let over = json!({"cmd": "run -p 81", "env": {"B": null, "C": "3"}, "depends_on": ["db"]});
        let changed = service.with(&over, AROUND).unwrap();
        assert_eq!(changed.config.command, CommandLine::Shell("run -p 81".into()));
        assert_eq!(changed.config.port, Some(81));
        assert_eq!(changed.config.directory, service.config.directory);
        let expected = [("A", Some("1")), ("B", None), ("C", Some("3"))];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(changed.config.environment, expected.into());
        assert!(changed.config.depends_on.contains_key("db"));
        assert_eq!(service.with(&json!({}), AROUND).unwrap().config, service.config);
    }

    #[test]
    fn null_gives_a_field_its_default_again() {
        let changed = service().with(&json!({"cwd": null, "env": null}), AROUND).unwrap();
        assert_eq!(changed.config.directory.to_str(), Some("."));
        assert!(changed.config.environment.is_empty());
    }

    #[test]
    fn faults_of_a_request_name_their_fields() {
        let over = json!({"prot": 1, "env": {"A": 1}, "health_check": {"timeout": -1}});
        let faults = service().with(&over, AROUND).unwrap_err().to_string();
        for said in [
            "tts.prot: is unknown: did you mean \"port\"?",
            "tts.env.A: must be a string, or null to remove it",
            "tts.health_check: looks at nothing",
            "tts.health_check.timeout: must be a number of seconds from 0.001 to 86400, and it",
        ] {
            assert!(faults.lines().any(|line| line.starts_with(said)), "{faults}");
        }
        let faults = service().with(&json!([]), AROUND).unwrap_err().to_string();
        assert_eq!(faults, "tts: must be an object, and it is a list");
        let faults = Service::parse_new("a/b", &json!({"cmd": "x"}), AROUND).unwrap_err();
        assert!(faults.to_string().contains("\"a/b\" cannot be the name of a service"));
        let faults = Service::parse_new("a", &json!({"cmd": null}), AROUND).unwrap_err();
        assert_eq!(faults.to_string(), "a: has no cmd: give it something to run");
    }
}
