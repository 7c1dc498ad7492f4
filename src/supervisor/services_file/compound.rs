//! The kinds of compound values: commands, variables, dependencies, objects.

use super::fields::Fields;
use super::kinds::{Kind, Word};
use super::names::{NAME_PATTERN, is_service_name};
use super::node::Node;
use super::object_schema::Mapping;
use super::table::{Object, View};
use crate::nearest;
use crate::probe::Check;
use crate::process::{COMMAND_BYTES_MAX, CommandLine};
use crate::protocol::{Condition, patterns};
use crate::supervisor::Masking;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// A command: a list of arguments, or text for the shell. The shell expands `${NAME}` in its text
/// itself, so that is left as it is.
pub(super) struct Command;

/// A program with its arguments, or text for the shell.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "Command")]
#[allow(dead_code, reason = "only the schema is used")]
enum CommandShape {
    /// A program, found by PATH where it has no slash, with its arguments.
    Arguments(
        #[schemars(
            length(min = 1),
            extend("prefixItems" = [{"type": "string", "pattern": patterns::TEXT_NOT_BLANK}]),
            inner(regex(pattern = patterns::TEXT))
        )]
        Vec<String>,
    ),
    /// Text for the shell, which expands `$NAME` and `${NAME}` itself.
    Shell(#[schemars(regex(pattern = patterns::TEXT_NOT_BLANK))] String),
}

impl Kind for Command {
    type Value = CommandLine;

    fn read(&self, node: &Node<'_>) -> Option<CommandLine> {
        let command = if node.is_text() {
            CommandLine::Shell(argument(node, Node::plain_text)?)
        } else if node.is_list() {
            let items = node.items()?.into_iter();
            let arguments: Option<_> = items.map(|item| argument(&item, Node::text)).collect();
            CommandLine::Arguments(arguments?)
        } else {
            return node.refuse("a list of arguments, or a string for the shell");
        };
        let first = match &command {
            CommandLine::Shell(text) => Some(text),
            CommandLine::Arguments(arguments) => arguments.first(),
        };
        if first.is_none_or(|first| first.trim().is_empty()) {
            node.error("is empty: give a command to run");
            return None;
        }
        Some(command)
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<CommandShape>()
    }

    fn placeholder(&self) -> Option<CommandLine> {
        Some(CommandLine::Arguments(Vec::new()))
    }

    fn show(&self, value: &CommandLine, masking: &Masking) -> Value {
        match value {
            CommandLine::Shell(text) => masking.text(text).into(),
            CommandLine::Arguments(arguments) => masking.arguments(arguments).into(),
        }
    }
}

fn argument<'r>(node: &Node<'r>, read: impl FnOnce(&Node<'r>) -> Option<String>) -> Option<String> {
    let text = read(node)?;
    if text.len() > COMMAND_BYTES_MAX {
        node.error(format!("is longer than the {COMMAND_BYTES_MAX} bytes that the kernel accepts"));
        return None;
    }
    Some(text)
}

/// Environment variables by name; null removes one.
pub(super) struct Variables;

impl Kind for Variables {
    type Value = BTreeMap<String, Option<String>>;

    fn read(&self, node: &Node<'_>) -> Option<Self::Value> {
        let mut variables = BTreeMap::new();
        for entry in node.fields()?.all() {
            if entry.name.is_empty() || entry.name.contains('=') {
                entry
                    .key
                    .error("is not a valid variable name: it must not be empty or contain `=`");
            }
            let value = if entry.value.is_null() {
                None
            } else if entry.value.is_text() {
                Some(entry.value.text().unwrap_or_default())
            } else {
                // The value is not quoted: it may be a secret.
                entry.value.error("must be a string, or null to remove it");
                None
            };
            variables.insert(entry.name, value);
        }
        Some(variables)
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object", "propertyNames": {"pattern": patterns::VARIABLE_NAME},
            "additionalProperties": {"type": ["string", "null"], "pattern": patterns::TEXT},
        })
    }

    fn show(&self, value: &Self::Value, masking: &Masking) -> Value {
        let masked = value
            .iter()
            .map(|(name, value)| (name, value.as_ref().map(|value| masking.value(name, value))));
        json!(masked.collect::<BTreeMap<_, _>>())
    }
}

/// Services by name, each with the condition that it must meet. The names are those of
/// [`Node::known_services`].
pub(super) struct Dependencies;

#[derive(JsonSchema)]
#[schemars(rename = "Dependencies", untagged)]
#[allow(dead_code, reason = "only the schema is used")]
enum DependenciesShape {
    /// Services that must have been started.
    Started(Vec<String>),
    /// Services, each with the condition that it must meet.
    Conditions(BTreeMap<String, Condition>),
}

impl Kind for Dependencies {
    type Value = BTreeMap<String, Condition>;

    fn read(&self, node: &Node<'_>) -> Option<Self::Value> {
        let mut dependencies = BTreeMap::new();
        let mut add = |part: &Node<'_>, other: String, condition| {
            let known = part.known_services();
            if node.field().strip_suffix(".depends_on") == Some(&other) {
                part.error(format!("is a cycle: {other} -> {other}"));
            } else if !known.contains(&other) {
                let meant = nearest::meant(&other, known.iter().map(String::as_str));
                let hint = meant.map_or(String::new(), |it| format!(": did you mean \"{it}\"?"));
                part.error(format!("there is no service \"{other}\"{hint}"));
            } else if dependencies.insert(other, condition).is_some() {
                part.error("is given twice: remove one of them");
            }
        };
        if node.is_list() {
            for item in node.items()? {
                if let Some(other) = item.text() {
                    add(&item, other, Condition::Started);
                }
            }
        } else if node.json().starts_with('{') {
            for entry in node.fields()?.all() {
                if let Some(condition) = Word(Condition::ALL).read(&entry.value) {
                    add(&entry.key, entry.name, condition);
                }
            }
        } else {
            return node.refuse("a list of services, or an object from service to condition");
        }
        Some(dependencies)
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<DependenciesShape>()
    }

    fn show(&self, value: &Self::Value, _: &Masking) -> Value {
        json!(value)
    }

    fn shown_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Self::Value>()
    }
}

/// The target of a health check, given as text.
pub(super) struct Target {
    pub parse: fn(&str) -> Result<Check, String>,
    pub pattern: &'static str,
}

impl Kind for Target {
    type Value = Check;

    fn read(&self, node: &Node<'_>) -> Option<Check> {
        let check = (self.parse)(&node.nonempty_text()?);
        check.map_err(|wanted| node.refuse::<()>(&wanted)).ok()
    }

    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": self.pattern})
    }

    fn show(&self, value: &Check, masking: &Masking) -> Value {
        match value {
            Check::Http { url } => masking.text(&url.to_string()).into(),
            Check::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}").into(),
            Check::Tcp { host, port } => format!("{host}:{port}").into(),
            Check::Command(line) => Command.show(line, masking),
        }
    }
}

/// An object with fields of its own.
pub(super) struct Nested<T>(PhantomData<T>);

/// Returns the kind of an object.
pub(super) fn nested<T: Object>() -> Nested<T> {
    Nested(PhantomData)
}

impl<T: Object> Kind for Nested<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>) -> Option<T> {
        T::read(node)
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn show(&self, value: &T, masking: &Masking) -> Value {
        value.show(masking)
    }

    fn shown_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<View<T>>()
    }

    fn mappings(&self) -> Vec<(String, Mapping)> {
        T::mappings()
    }
}

/// Objects by name.
pub(super) struct Named<T>(PhantomData<T>);

/// Returns the kind of objects by name.
pub(super) fn named<T: Object>() -> Named<T> {
    Named(PhantomData)
}

impl<T: Object> Kind for Named<T> {
    type Value = Vec<(String, T)>;

    fn read(&self, node: &Node<'_>) -> Option<Self::Value> {
        let entries = node.fields().map(Fields::all).unwrap_or_default().into_iter();
        let read = entries.filter_map(|entry| {
            if !is_service_name(&entry.name) {
                entry.key.error(
                    "is not a valid name: use letters, digits, `.`, `_` and `-`, 64 at most",
                );
            }
            Some((entry.name, T::read(&entry.value)?))
        });
        Some(read.collect())
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object", "additionalProperties": generator.subschema_for::<T>(),
            "propertyNames": {"pattern": NAME_PATTERN},
        })
    }

    fn show(&self, value: &Self::Value, masking: &Masking) -> Value {
        let shown = value.iter().map(|(name, object)| (name, object.show(masking)));
        json!(shown.collect::<BTreeMap<_, _>>())
    }

    fn shown_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        let object = generator.subschema_for::<View<T>>();
        json_schema!({"type": "object", "additionalProperties": object})
    }
}
