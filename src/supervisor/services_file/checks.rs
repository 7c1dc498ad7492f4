//! The health checks of a service: one by `health_check`, or several by `health_checks`.

use super::compound::{Command, Target, named, nested};
use super::fields::Fields;
use super::kinds::{Flag, Kind, Seconds, U32_MAX, whole};
use super::node::Node;
use super::object_schema::Mapping::Supported;
use super::object_schema::{Mapping, ObjectSchema, nullable};
use super::table::{Object, Row, Rules, field, object, object_rows};
use crate::probe::Check;
use crate::supervisor::Masking;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// The shortest interval and timeout of a health check, in seconds.
const INTERVAL_SECONDS_MIN: f64 = 0.1;
const TIMEOUT_SECONDS_MIN: f64 = 0.001;

object! {
    /// A health check: exactly one of `url`, `tcp` and `cmd`.
    pub struct HealthCheck named "HealthCheck" {
        /// What it probes.
        check: Check = Subject,
        /// Seconds until a check fails.
        timeout: Duration = field("timeout", Seconds(TIMEOUT_SECONDS_MIN), Supported).default("5"),
        /// Seconds from one check to the next.
        interval: Duration =
            field("interval", Seconds(INTERVAL_SECONDS_MIN), Supported).default("10"),
        /// Seconds after a start in which failures do not count.
        start_period: Duration = field("start_period", Seconds(0.0), Supported).default("0"),
        /// How many failures in a row make it unhealthy.
        retries: u32 = field("retries", whole::<u32>(1, U32_MAX), Supported).default("3"),
        /// Whether the service is restarted when it is unhealthy.
        restart_on_failure: bool =
            field("restart_on_failure", Flag, Supported).default("false"),
    }
}

impl Rules for HealthCheck {
    fn constraints() -> Value {
        json!({"oneOf": [{"required": ["url"]}, {"required": ["tcp"]}, {"required": ["cmd"]}]})
    }
}

/// The name of the single `health_check`.
const SINGLE_NAME: &str = "http_endpoint";

/// The row of `health_check` and `health_checks`, of which at most one is given.
pub(super) struct Checks;

impl Row for Checks {
    type Value = Vec<(String, HealthCheck)>;

    fn read(&self, fields: &mut Fields<'_>) -> Option<Self::Value> {
        let (single, several) = (fields.take("health_check"), fields.take("health_checks"));
        let checks = match (single, several) {
            (Some(_), Some(several)) => {
                several.error(
                    "cannot be combined with health_check: move that check into health_checks",
                );
                Vec::new()
            }
            (Some(single), None) => {
                let check = nested().read(&single);
                check.map(|check| (SINGLE_NAME.to_owned(), check)).into_iter().collect()
            }
            (None, Some(several)) => named().read(&several).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        Some(checks)
    }

    fn add_schema(&self, _: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema) {
        let single = nullable(nested::<HealthCheck>().schema(generator));
        let several = nullable(named::<HealthCheck>().schema(generator));
        let about = "Health check, named `http_endpoint`.";
        into.add("health_check", about, single, &Value::Null);
        into.add("health_checks", "Several health checks, by name.", several, &Value::Null);
    }

    fn show(&self, value: &Self::Value, masking: &Masking, shown: &mut Map<String, Value>) {
        shown.insert("health_checks".to_owned(), named().show(value, masking));
    }

    fn add_shown(&self, about: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema) {
        let schema = named::<HealthCheck>().shown_schema(generator);
        into.add_required("health_checks", about, schema);
    }

    fn needs_restart(&self) -> bool {
        false
    }

    fn add_mappings(&self, into: &mut Vec<(String, Mapping)>) {
        for name in ["health_check", "health_checks"] {
            into.push((name.to_owned(), Mapping::Supported));
        }
        let inner = nested::<HealthCheck>().mappings().into_iter();
        into.extend(inner.map(|(name, mapping)| (format!("health_check.{name}"), mapping)));
    }
}

const URL: Target = Target { parse: Check::http, pattern: r"^(https?://|.*\$\{)" };
const TCP: Target = Target { parse: Check::tcp, pattern: r":\d+$|\$\{" };

/// The row of `url`, `tcp` and `cmd`, of which exactly one is given.
pub(super) struct Subject;

impl Row for Subject {
    type Value = Check;

    fn read(&self, fields: &mut Fields<'_>) -> Option<Check> {
        let subjects = ["url", "tcp", "cmd"].map(|name| (name, fields.take(name)));
        let mut given = subjects.into_iter().filter_map(|(name, node)| Some((name, node?)));
        let Some((name, node)) = given.next() else {
            fields.error("needs exactly one of url, tcp or cmd");
            return None;
        };
        if let Some((other, node)) = given.next() {
            node.error(format!(
                "cannot be combined with {name}: define a separate check for {other}"
            ));
        }
        match name {
            "cmd" => Command.read(&node).map(Check::Command),
            "tcp" => TCP.read(&node),
            _ => URL.read(&node),
        }
    }

    fn add_schema(&self, _: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema) {
        let (url, tcp) = (URL.schema(generator), TCP.schema(generator));
        let command = nullable(Command.schema(generator));
        let about = "URL that must answer 2xx, after at most 5 redirects.";
        into.add("url", about, nullable(url), &Value::Null);
        let about = "`host:port` that must accept a connection.";
        into.add("tcp", about, nullable(tcp), &Value::Null);
        into.add("cmd", "Command that must exit with code 0.", command, &Value::Null);
    }

    fn show(&self, value: &Check, masking: &Masking, shown: &mut Map<String, Value>) {
        let (name, text) = match value {
            Check::Http { .. } => ("url", URL.show(value, masking)),
            Check::Tcp { .. } => ("tcp", TCP.show(value, masking)),
            Check::Command(line) => ("cmd", Command.show(line, masking)),
        };
        shown.insert(name.to_owned(), text);
    }

    fn add_shown(&self, _: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema) {
        let (url, tcp) = (URL.schema(generator), TCP.schema(generator));
        let command = Command.shown_schema(generator);
        for (name, schema) in [("url", url), ("tcp", tcp), ("cmd", command)] {
            into.add(name, "What it probes.", schema, &Value::Null);
        }
    }

    fn needs_restart(&self) -> bool {
        false
    }

    fn add_mappings(&self, into: &mut Vec<(String, Mapping)>) {
        let names = ["url", "tcp", "cmd"].map(str::to_owned);
        into.extend(names.map(|name| (name, Mapping::Supported)));
    }
}
