//! The fields of an object of a services file.

use super::node::Node;
use crate::nearest;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;

impl<'r> Node<'r> {
    /// The fields of an object.
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
                key.fault("is given twice: take one of them out");
            }
        }
        Some(fields)
    }
}

/// A field of an object.
#[derive(Clone, Debug)]
pub(super) struct Entry<'r> {
    /// Its name.
    pub name: String,
    /// The name as a value, for its place.
    pub key: Node<'r>,
    /// Its value.
    pub value: Node<'r>,
}

/// The fields of an object. Each is taken by its name; what is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Fields<'r> {
    object: Node<'r>,
    entries: Vec<Entry<'r>>,
    known: Vec<&'static str>,
}

impl<'r> Fields<'r> {
    /// The value of a field, if it is there. One that is null is as good as left out.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Node<'r>> {
        self.known.push(name);
        let place = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(place).value).filter(|value| !value.is_null())
    }

    /// Returns the names of the fields that have a value. To be called before any is taken.
    pub(super) fn given(&self) -> Given {
        let given = self.entries.iter().filter(|entry| !entry.value.is_null());
        Given(given.map(|entry| entry.name.clone()).collect())
    }

    /// Notes a fault of the object itself.
    pub(super) fn fault(&self, sentence: impl Into<String>) {
        self.object.fault(sentence);
    }

    /// Ends the taking: every field that is left is noted as unknown.
    pub(super) fn finish(self) {
        for entry in self.entries {
            let meant = nearest::meant(&entry.name, self.known.iter().copied());
            entry.key.fault(match meant {
                Some(name) => format!("is unknown: did you mean \"{name}\"?"),
                None => format!("is unknown: the fields here are {}", self.known.join(", ")),
            });
        }
    }

    /// The fields of an object whose names are free.
    pub(super) fn all(self) -> Vec<Entry<'r>> {
        self.entries
    }
}

/// The names of the fields that an object gives, with a value that is not null.
pub(super) struct Given(BTreeSet<String>);

impl Given {
    /// Whether a field is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// An object as it is written, with the texts of its names.
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
