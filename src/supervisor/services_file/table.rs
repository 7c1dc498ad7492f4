//! The tables of fields: each object of the services file is declared once. Parsing, the JSON
//! Schema, the masked view, the effect of a change and the export to Kubernetes follow from the
//! rows.
//!
//! A row is a field of a struct, its doc comment (the description in the schema too), and an
//! expression that implements [`Row`], mostly a [`Field`].

use super::fields::{Fields, Given};
use super::kinds::Kind;
use super::node::{Node, Reading};
use super::object_schema::{Mapping, ObjectSchema, nullable};
use crate::supervisor::Masking;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::marker::PhantomData;

/// An object of the services file. Implemented by the macros `object!` and `object_rows!`.
pub(super) trait Object: Clone + PartialEq + JsonSchema + Rules {
    /// Its name in the schema.
    const NAME: &'static str;

    /// Returns its fields, those of objects in it behind their names and a dot.
    fn mappings() -> Vec<(String, Mapping)>;

    /// Reads it. Errors are noted in the node's reading.
    fn read(node: &Node<'_>) -> Option<Self>;

    /// Returns it as JSON, with secrets masked and every default filled in.
    fn show(&self, masking: &Masking) -> Value;

    /// Returns the schema of what [`Self::show`] returns.
    fn shown_schema(generator: &mut SchemaGenerator) -> Schema;

    /// Whether a running process has to be replaced when `self` becomes `new`.
    fn needs_restart(&self, new: &Self) -> bool;
}

/// The rules between the fields of an object.
pub(super) trait Rules {
    /// Fills in defaults that depend on other fields.
    fn complete(&mut self, given: &Given) {
        let _ = given;
    }

    /// Returns keywords of the schema beside its properties.
    fn constraints() -> Value {
        json!({})
    }
}

/// A row of a table: a field of the struct, and one or more of the file.
pub(super) trait Row {
    /// The type of the struct's field.
    type Value: Clone + PartialEq;

    /// Reads it; a field that is missing or null has its default.
    fn read(&self, fields: &mut Fields<'_>) -> Option<Self::Value>;

    /// Adds the schemas of the file's fields.
    fn add_schema(&self, about: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema);

    /// Adds what is shown of it.
    fn show(&self, value: &Self::Value, masking: &Masking, shown: &mut Map<String, Value>);

    /// Adds the schema of what is shown.
    fn add_shown(&self, about: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema);

    /// Whether a change takes effect only in a new process.
    fn needs_restart(&self) -> bool;

    /// Adds the file's fields and what the export makes of them.
    fn add_mappings(&self, into: &mut Vec<(String, Mapping)>);
}

/// A field of the file that is a field of the struct.
pub(super) struct Field<K> {
    name: &'static str,
    kind: K,
    mapping: Mapping,
    /// As JSON.
    default: &'static str,
    /// Error if it is missing.
    required: Option<&'static str>,
    needs_restart: bool,
}

/// Declares a field by its name in the file. Its default is null.
pub(super) fn field<K>(name: &'static str, kind: K, mapping: Mapping) -> Field<K> {
    Field { name, kind, mapping, default: "null", required: None, needs_restart: false }
}

impl<K> Field<K> {
    /// Sets the default, as JSON.
    pub(super) fn default(self, json: &'static str) -> Self {
        Self { default: json, ..self }
    }

    /// Makes it an error to leave the field out. The text completes "SERVICE: …".
    pub(super) fn required(self, sentence: &'static str) -> Self {
        Self { required: Some(sentence), ..self }
    }

    /// Declares that a change takes effect only in a new process.
    pub(super) fn restarts(self) -> Self {
        Self { needs_restart: true, ..self }
    }
}

impl<K: Kind> Row for Field<K> {
    type Value = K::Value;

    fn read(&self, fields: &mut Fields<'_>) -> Option<K::Value> {
        let value = match (fields.take(self.name), self.required) {
            (Some(node), _) => self.kind.read(&node),
            (None, Some(sentence)) => {
                fields.error(sentence);
                None
            }
            (None, None) => None,
        };
        let fallback = || match self.required {
            Some(_) => self.kind.placeholder(),
            None => parse(&self.kind, self.default),
        };
        value.or_else(fallback)
    }

    fn add_schema(&self, about: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema) {
        let schema = self.kind.schema(generator);
        if self.required.is_some() {
            into.add_required(self.name, about, schema);
        } else {
            let default = serde_json::from_str(self.default).unwrap_or_default();
            into.add(self.name, about, nullable(schema), &default);
        }
    }

    fn show(&self, value: &K::Value, masking: &Masking, shown: &mut Map<String, Value>) {
        shown.insert(self.name.to_owned(), self.kind.show(value, masking));
    }

    fn add_shown(&self, about: &str, generator: &mut SchemaGenerator, into: &mut ObjectSchema) {
        into.add_required(self.name, about, self.kind.shown_schema(generator));
    }

    fn needs_restart(&self) -> bool {
        self.needs_restart
    }

    fn add_mappings(&self, into: &mut Vec<(String, Mapping)>) {
        into.push((self.name.to_owned(), self.mapping));
        let inner = self.kind.mappings().into_iter();
        into.extend(inner.map(|(name, mapping)| (format!("{}.{name}", self.name), mapping)));
    }
}

/// Parses a default value from JSON.
fn parse<K: Kind>(kind: &K, json: &str) -> Option<K::Value> {
    let reading = Reading::of_request(&[], std::iter::empty());
    let raw: &RawValue = serde_json::from_str(json).ok()?;
    kind.read(&Node::whole(&reading, raw))
}

/// An object as it is shown, for its schema.
pub struct View<T>(PhantomData<T>);

impl<T: Object> JsonSchema for View<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}View", T::NAME).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::shown_schema(generator)
    }
}

/// Declares a struct and the object of the file that it holds.
macro_rules! object {
    (
        $(#[doc = $about:literal])+
        pub struct $object:ident named $name:literal {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $row:expr, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $object {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        object_rows! {
            $(#[doc = $about])+
            $object named $name { $( $(#[doc = $doc])+ $field = $row, )+ }
        }
    };
}

/// Declares the object of the file that a struct of another module holds.
macro_rules! object_rows {
    (
        $(#[doc = $about:literal])+
        $object:ident named $name:literal {
            $( $(#[doc = $doc:literal])+ $field:ident = $row:expr, )+
        }
    ) => {
        impl Object for $object {
            const NAME: &'static str = $name;

            fn mappings() -> Vec<(String, Mapping)> {
                let mut all = Vec::new();
                $( $row.add_mappings(&mut all); )+
                all
            }

            fn read(node: &Node<'_>) -> Option<Self> {
                let mut fields = node.fields()?;
                let given = fields.given();
                $( let $field = $row.read(&mut fields); )+
                fields.finish();
                let mut object = Self { $( $field: $field? ),+ };
                object.complete(&given);
                Some(object)
            }

            fn show(&self, masking: &Masking) -> Value {
                let mut shown = Map::new();
                $( $row.show(&self.$field, masking, &mut shown); )+
                shown.into()
            }

            fn shown_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut schema = ObjectSchema::default();
                $( $row.add_shown(concat!($($doc),+), generator, &mut schema); )+
                schema.finish(concat!($($about),+), &json!({}))
            }

            #[allow(clippy::float_cmp, reason = "any other value is a change")]
            fn needs_restart(&self, new: &Self) -> bool {
                $( ($row.needs_restart() && self.$field != new.$field) )||+
            }
        }

        impl JsonSchema for $object {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut schema = ObjectSchema::default();
                $( $row.add_schema(concat!($($doc),+), generator, &mut schema); )+
                schema.finish(concat!($($about),+), &Self::constraints())
            }
        }
    };
}

pub(super) use {object, object_rows};
