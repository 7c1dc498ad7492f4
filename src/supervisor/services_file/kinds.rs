//! The kinds of plain values that fields of the services file have: how each is read, described and
//! shown.

use super::node::Node;
use super::object_schema::{Mapping, nullable};
use crate::process::Signal;
use crate::protocol::{RestartMode, patterns};
use crate::runs::SECONDS_MAX;
use crate::supervisor::Masking;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// A kind of value.
pub(super) trait Kind {
    /// The type of the parsed value.
    type Value: Clone + PartialEq;

    /// Reads a value. Errors are noted in the node's reading.
    fn read(&self, node: &Node<'_>) -> Option<Self::Value>;

    /// Returns its schema in the file, where it is not null.
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// Returns a value as JSON, with secrets masked.
    fn show(&self, value: &Self::Value, masking: &Masking) -> Value;

    /// Returns the schema of what [`Self::show`] returns.
    fn shown_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.schema(generator)
    }

    /// Returns a value for a required field that is missing or invalid, so that the rest of its
    /// object is still checked. With `None` the whole object is skipped.
    fn placeholder(&self) -> Option<Self::Value> {
        None
    }

    /// Returns the fields of an object, with what the export makes of them.
    fn mappings(&self) -> Vec<(String, Mapping)> {
        Vec::new()
    }
}

/// A value that may be omitted, which is null then.
pub(super) struct Optional<K>(pub K);

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;

    fn read(&self, node: &Node<'_>) -> Option<Self::Value> {
        if node.is_null() { Some(None) } else { self.0.read(node).map(Some) }
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.0.schema(generator)
    }

    fn show(&self, value: &Self::Value, masking: &Masking) -> Value {
        value.as_ref().map_or(Value::Null, |value| self.0.show(value, masking))
    }

    fn shown_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        nullable(self.0.shown_schema(generator))
    }

    fn mappings(&self) -> Vec<(String, Mapping)> {
        self.0.mappings()
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, node: &Node<'_>) -> Option<bool> {
        node.flag()
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "boolean"})
    }

    fn show(&self, value: &bool, _: &Masking) -> Value {
        (*value).into()
    }
}

/// A duration in seconds, from this minimum to [`SECONDS_MAX`].
pub(super) struct Seconds(pub f64);

impl Kind for Seconds {
    type Value = Duration;

    fn read(&self, node: &Node<'_>) -> Option<Duration> {
        node.seconds_from(self.0)
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": self.0, "maximum": SECONDS_MAX})
    }

    fn show(&self, value: &Duration, _: &Masking) -> Value {
        crate::protocol::seconds(*value).into()
    }
}

/// A number in a range.
pub(super) struct Number(pub RangeInclusive<f64>);

impl Kind for Number {
    type Value = f64;

    fn read(&self, node: &Node<'_>) -> Option<f64> {
        node.number(&self.0)
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": self.0.start(), "maximum": self.0.end()})
    }

    fn show(&self, value: &f64, _: &Masking) -> Value {
        (*value).into()
    }
}

/// An integer in a range.
pub(super) struct Whole<T>(RangeInclusive<u64>, PhantomData<T>);

/// The largest number of 32 bits, as the end of a range.
pub(super) const U32_MAX: Option<u64> = Some(u32::MAX as u64);

/// Returns the kind of integers from `least` to `most`; `None` stands for no maximum.
pub(super) fn whole<T>(least: u64, most: Option<u64>) -> Whole<T> {
    Whole(least..=most.unwrap_or(u64::MAX), PhantomData)
}

impl<T: TryFrom<u64> + Copy + PartialEq + serde::Serialize> Kind for Whole<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>) -> Option<T> {
        node.whole_number(&self.0)
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        let (least, most) = (self.0.start(), self.0.end());
        if *most == u64::MAX {
            return json_schema!({"type": "integer", "minimum": least});
        }
        json_schema!({"type": "integer", "minimum": least, "maximum": most})
    }

    fn show(&self, value: &T, _: &Masking) -> Value {
        json!(value)
    }
}

/// A path that is not empty.
pub(super) struct Path;

impl Kind for Path {
    type Value = PathBuf;

    fn read(&self, node: &Node<'_>) -> Option<PathBuf> {
        node.nonempty_text().map(PathBuf::from)
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "pattern": patterns::TEXT})
    }

    fn show(&self, value: &PathBuf, _: &Masking) -> Value {
        value.to_string_lossy().into()
    }
}

/// A keyword of a list.
pub(super) struct Word<T: 'static>(pub &'static [T]);

/// The kind of [`RestartMode`].
pub(super) const MODE: Word<RestartMode> = Word(RestartMode::ALL);

impl<T: Copy + PartialEq + std::fmt::Display + JsonSchema> Kind for Word<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>) -> Option<T> {
        let text = node.text()?;
        let found = self.0.iter().find(|word| word.to_string() == text);
        if found.is_none() {
            let all: Vec<_> = self.0.iter().map(|word| format!("\"{word}\"")).collect();
            node.error(format!("must be {}, got {text:?}", all.join(" or ")));
        }
        found.copied()
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn show(&self, value: &T, _: &Masking) -> Value {
        value.to_string().into()
    }
}

/// A signal by its name or number.
pub(super) struct SignalName;

/// A signal: SIGTERM, TERM or 15.
#[derive(JsonSchema)]
#[schemars(rename = "Signal", untagged)]
#[allow(dead_code, reason = "only the schema is used")]
enum SignalShape {
    Name(#[schemars(regex(pattern = SIGNAL_NAME))] String),
    Number(#[schemars(range(min = 1, max = 64))] u8),
}

/// The texts that can name a signal: its name, its number, or `${NAME}`.
pub(super) const SIGNAL_NAME: &str = concat!(
    r"^((SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD",
    r"|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|PWR|SYS",
    r"|RTMIN(\+([1-9]|[12]\d|30))?)",
    r"|[1-9]|[1-5]\d|6[0-4]|.*\$\{.*)$"
);

impl Kind for SignalName {
    type Value = Signal;

    fn read(&self, node: &Node<'_>) -> Option<Signal> {
        // A number is a number, a name a string.
        let text = match node.integer() {
            Some(number) => number.to_string(),
            None => node.text()?,
        };
        text.parse().map_err(|wanted: String| node.refuse::<()>(&wanted)).ok()
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<SignalShape>()
    }

    fn show(&self, value: &Signal, _: &Masking) -> Value {
        value.to_string().into()
    }

    fn shown_schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}
