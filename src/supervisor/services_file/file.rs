//! The parser of a whole services file.

use super::config::ServiceConfig;
use super::error::{Position, ServicesFileErrors, without_place};
use super::fields::Entry;
use super::names::{INVALID_NAME, is_service_name};
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

/// The maximum size of the file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The contents of a services file.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicesFile {
    /// Services in the order of the file.
    pub services: Vec<Service>,
}

impl ServicesFile {
    /// Reads and parses a file. `environment` is the source of `${NAME}`.
    ///
    /// # Errors
    /// All errors of the file, each with its path.
    pub fn read(
        path: &Path,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, ServicesFileErrors> {
        let text = read_text(path);
        let text = text
            .map_err(|why| ServicesFileErrors::of_whole(None, format!("cannot be read: {why}")));
        let parsed = text.and_then(|text| Self::parse(&text, environment));
        parsed.map_err(|errors| errors.in_file(&path.display().to_string()))
    }

    /// Returns the dependency graph of its services.
    #[must_use]
    pub fn graph(&self) -> Graph {
        // A file with a cycle was refused.
        graph_of(&self.services).unwrap_or_default()
    }

    /// Parses the text of a file. `environment` is the source of `${NAME}`.
    ///
    /// # Errors
    /// All errors of the file.
    pub fn parse(
        text: &str,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, ServicesFileErrors> {
        // A byte order mark, which some editors write.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
            // Parsing a value gives better messages for some errors, such as a trailing comma.
            let error = serde_json::from_str::<Value>(text).err().unwrap_or(error);
            let position = Position { line: error.line().max(1), column: error.column().max(1) };
            ServicesFileErrors::of_whole(
                Some(position),
                format!("invalid JSON: {}", without_place(&error)),
            )
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
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn read_services(entries: &[Entry<'_>], reading: &Reading<'_>) -> Vec<Service> {
    reading.set_known(entries.iter().map(|entry| entry.name.clone()).collect());
    let mut services = Vec::new();
    for entry in entries {
        if !is_service_name(&entry.name) {
            entry.key.error(INVALID_NAME);
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
        key.error(cycle.to_string());
    }
}

#[cfg(test)]
mod tests;
