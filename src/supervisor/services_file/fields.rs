//! The fields of an object of a services file.

use super::node::Node;
use crate::nearest;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;

impl<'r> Node<'r> {
    /// Returns the fields of an object.
    pub(super) fn fields(&self) -> Option<Fields<'r>> {
        if !self.json().starts_with('{') {
            return self.refuse("an object");
        }
        let mut fields = Fields { object: self.clone(), entries: Vec::new(), known: Vec::new() };
        let mut names = BTreeSet::new();
        for (key, raw) in self.parse::<Entries<'_>>()?.0 {
            let name = self.below(key, self.field().to_owned()).plain_text()?;
            let path = match self.field() {
                "" => name.clone(),
                field => format!("{field}.{name}"),
            };
            let (key, value) = (self.below(key, path.clone()), self.below(raw, path));
            if names.insert(name.clone()) {
                fields.entries.push(Entry { name, key, value });
            } else {
                key.error("is given twice: remove one of them");
            }
        }
        Some(fields)
    }
}

/// A field of an object.
#[derive(Clone, Debug)]
pub(super) struct Entry<'r> {
    /// Name.
    pub name: String,
    /// Name as a node, for its position.
    pub key: Node<'r>,
    /// Value.
    pub value: Node<'r>,
}

/// The fields of an object. Each is taken by name; those left at the end are unknown.
#[derive(Debug)]
pub(super) struct Fields<'r> {
    object: Node<'r>,
    entries: Vec<Entry<'r>>,
    known: Vec<&'static str>,
}

impl<'r> Fields<'r> {
    /// Takes the value of a field, if there is one. Null counts as missing.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Node<'r>> {
        self.known.push(name);
        let place = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(place).value).filter(|value| !value.is_null())
    }

    /// Returns the names of the fields with a value. To be called before any is taken.
    pub(super) fn given(&self) -> Given {
        let given = self.entries.iter().filter(|entry| !entry.value.is_null());
        Given(given.map(|entry| entry.name.clone()).collect())
    }

    /// Notes an error of the object itself.
    pub(super) fn error(&self, sentence: impl Into<String>) {
        self.object.error(sentence);
    }

    /// Notes an error for each field that was not taken.
    pub(super) fn finish(self) {
        for entry in self.entries {
            let meant = nearest::meant(&entry.name, self.known.iter().copied());
            entry.key.error(match meant {
                Some(name) => format!("is unknown: did you mean \"{name}\"?"),
                None => format!("is unknown: the known fields are {}", self.known.join(", ")),
            });
        }
    }

    /// Returns all fields, for an object with arbitrary names.
    pub(super) fn all(self) -> Vec<Entry<'r>> {
        self.entries
    }
}

/// The names of the fields of an object that are not null.
pub(super) struct Given(BTreeSet<String>);

impl Given {
    /// Whether the object has this field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// The entries of an object, with the JSON texts of names and values.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
