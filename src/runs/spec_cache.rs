//! The specifications of runs that are over, by which they can be started again.

use super::spec::RunSpec;
use crate::process::CommandLine;
use std::collections::VecDeque;

/// Maximum number of specifications: as many as the ledger has runs.
const SPECS_MAX: usize = 1000;

/// Maximum size of all of them, in bytes: one request has up to 1 MiB.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The specifications by run id, the newest last.
#[derive(Debug, Default)]
pub(super) struct SpecCache {
    specs: VecDeque<(String, RunSpec)>,
    bytes: usize,
}

impl SpecCache {
    /// Adds the specification of a run, and evicts the oldest of too many.
    pub fn add(&mut self, run_id: &str, spec: RunSpec) {
        self.bytes += bytes(&spec);
        self.specs.push_back((run_id.to_owned(), spec));
        while self.specs.len() > SPECS_MAX || self.bytes > BYTES_MAX {
            let evicted = self.specs.pop_front();
            self.bytes -= evicted.map_or(0, |(_, spec)| bytes(&spec));
        }
    }

    /// Returns the specification of a run, if it is kept.
    pub fn get(&self, run_id: &str) -> Option<RunSpec> {
        self.specs.iter().find(|(id, _)| id == run_id).map(|(_, spec)| spec.clone())
    }

    /// Removes the specification of a run.
    pub fn remove(&mut self, run_id: &str) {
        let index = self.specs.iter().position(|(id, _)| id == run_id);
        let removed = index.and_then(|index| self.specs.remove(index));
        self.bytes -= removed.map_or(0, |(_, spec)| bytes(&spec));
    }
}

/// Returns the approximate size of a specification: that of its texts.
fn bytes(spec: &RunSpec) -> usize {
    let command = match &spec.command {
        CommandLine::Shell(text) => text.len(),
        CommandLine::Arguments(arguments) => arguments.iter().map(String::len).sum(),
    };
    let variables = spec.environment.iter();
    let environment: usize =
        variables.map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len)).sum();
    size_of::<RunSpec>() + command + environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_specifications_are_evicted() {
        let mut cache = SpecCache::default();
        for number in 0..=SPECS_MAX {
            cache.add(&number.to_string(), RunSpec::shell(&number.to_string()));
        }
        assert_eq!(cache.get("0"), None);
        assert_eq!(cache.get("1"), Some(RunSpec::shell("1")));
        cache.add("large", RunSpec::shell(&"x".repeat(BYTES_MAX)));
        assert_eq!((cache.specs.len(), cache.bytes), (0, 0));
        cache.add("last", RunSpec::shell("true"));
        cache.remove("last");
        assert_eq!((cache.get("last"), cache.bytes), (None, 0));
    }
}
