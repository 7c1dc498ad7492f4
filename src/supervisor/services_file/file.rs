//! A whole services file: services by name.

use super::config::ServiceConfig;
use super::fault::{Faults, Position, without_place};
use super::fields::Entry;
use super::node::{Node, Reading};
use super::overlay::Service;
use super::table::Object;
use crate::supervisor::graph::{Cycle, Graph};
use serde_json::Value;
use serde_json::value::RawValue;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The longest name of a service.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is told of a name that cannot be one.
pub(super) const NAME_FAULT: &str =
    "cannot be the name of a service: use letters, digits, `.`, `_` and `-`, 64 at most";

/// The same as a pattern of JSON Schema; `.lock` is refused by the parser alone.
pub(super) const NAME_PATTERN: &str = r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$";

/// Whether a text can be the name of a service. It becomes the name of a folder, too.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && !matches!(name, "." | ".." | ".lock")
}

/// What a services file says.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicesFile {
    /// Its services, in the order of the file.
    pub services: Vec<Service>,
}

impl ServicesFile {
    /// Reads a file. `environment` is what `${NAME}` is taken from.
    ///
    /// # Errors
    /// All that is wrong with it, under its name.
    pub fn read(path: &Path, environment: &[(OsString, OsString)]) -> Result<Self, Faults> {
        let text = read_text(path);
        let text = text.map_err(|why| Faults::of_whole(None, format!("cannot be read: {why}")));
        let parsed = text.and_then(|text| Self::parse(&text, environment));
        parsed.map_err(|faults| faults.in_file(&path.display().to_string()))
    }

    /// The order among its services.
    #[must_use]
    pub fn graph(&self) -> Graph {
        // A file with a cycle was refused.
        graph_of(&self.services).unwrap_or_default()
    }

    /// Reads the text of a file. `environment` is what `${NAME}` is taken from.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str, environment: &[(OsString, OsString)]) -> Result<Self, Faults> {
        // What some editors put before everything.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
            // Reading it whole finds better words for some faults, a comma too many above all.
            let error = serde_json::from_str::<Value>(text).err().unwrap_or(error);
            let position = Position { line: error.line().max(1), column: error.column().max(1) };
            Faults::of_whole(Some(position), format!("is no JSON: {}", without_place(&error)))
        })?;
        let reading = Reading::of_file(text, environment);
        let services =
            Node::whole(&reading, raw).fields().map(|it| read_services(&it.all(), &reading));
        reading.finish(services.map(|services| Self { services }))
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn read_services(entries: &[Entry<'_>], reading: &Reading<'_>) -> Vec<Service> {
    reading.set_known(entries.iter().map(|entry| entry.name.clone()).collect());
    let mut services = Vec::new();
    for entry in entries {
        if !is_service_name(&entry.name) {
            entry.key.fault(NAME_FAULT);
        }
        if let Some(config) = ServiceConfig::read(&entry.value) {
            services.push(Service::new(entry.name.clone(), config, entry.value.json().to_owned()));
        }
    }
    note_cycle(entries, &services);
    services
}

fn graph_of(services: &[Service]) -> Result<Graph, Cycle> {
    let dependencies = |service: &Service| service.config.depends_on.keys().cloned().collect();
    let nodes = services.iter().map(|service| (service.name.clone(), dependencies(service)));
    Graph::new(nodes.collect())
}

fn note_cycle(entries: &[Entry<'_>], services: &[Service]) {
    let Err(cycle) = graph_of(services) else { return };
    let first = entries.iter().find(|entry| cycle.names().first() == Some(&entry.name));
    if let Some(entry) = first {
        let key = entry.key.clone().named(&format!("{}.depends_on", entry.name));
        key.fault(cycle.to_string());
    }
}

#[cfg(test)]
mod tests;
