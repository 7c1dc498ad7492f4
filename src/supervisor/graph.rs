//! The dependency graph of services, and the start order that follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Services and their dependencies, without a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Names in the order of the input.
    names: Vec<String>,
    /// By index in `names`: the indexes of the dependencies.
    dependencies: Vec<Vec<usize>>,
}

/// A dependency cycle of services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    names: Vec<String>,
}

impl Cycle {
    /// Returns its services: each depends on the next, and the last on the first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.iter().chain(self.names.first());
        let names: Vec<&str> = names.map(String::as_str).collect();
        write!(out, "is a cycle: {}", names.join(" -> "))
    }
}

impl Graph {
    /// Creates the graph of services, each with the names of its dependencies. Unknown names are
    /// ignored.
    ///
    /// # Errors
    /// A cycle, if there is one.
    pub fn new(services: Vec<(String, Vec<String>)>) -> Result<Self, Cycle> {
        let places = services.iter().enumerate().map(|(place, (name, _))| (name.as_str(), place));
        let places: BTreeMap<&str, usize> = places.collect();
        let find = |names: &Vec<String>| {
            names.iter().filter_map(|name| places.get(name.as_str()).copied()).collect()
        };
        let dependencies = services.iter().map(|(_, names)| find(names)).collect();
        let names = services.into_iter().map(|(name, _)| name).collect();
        let graph = Self { names, dependencies };
        let placed: BTreeSet<usize> = graph.places_in_order().into_iter().collect();
        match (0..graph.names.len()).find(|place| !placed.contains(place)) {
            Some(stuck) => Err(graph.cycle_from(stuck, &placed)),
            None => Ok(graph),
        }
    }

    /// Returns all services, each after its dependencies, otherwise in the order of the input.
    #[must_use]
    pub fn start_order(&self) -> Vec<&str> {
        self.places_in_order().into_iter().map(|place| self.names[place].as_str()).collect()
    }

    /// Returns all services in groups, each of which depends only on earlier groups.
    #[must_use]
    pub fn layers(&self) -> Vec<Vec<&str>> {
        let mut layer_of = vec![0; self.names.len()];
        for place in self.places_in_order() {
            let below = self.dependencies[place].iter().map(|other| layer_of[*other] + 1);
            layer_of[place] = below.max().unwrap_or(0);
        }
        let count = layer_of.iter().max().map_or(0, |last| last + 1);
        let mut layers = vec![Vec::new(); count];
        for (name, layer) in self.names.iter().zip(layer_of) {
            layers[layer].push(name.as_str());
        }
        layers
    }

    /// Sorts topologically (Kahn's algorithm), the first ready service first. Leaves out services
    /// on a cycle, and those that depend on one.
    fn places_in_order(&self) -> Vec<usize> {
        let mut waits: Vec<usize> = self.dependencies.iter().map(Vec::len).collect();
        let mut dependents = vec![Vec::new(); self.names.len()];
        for (place, others) in self.dependencies.iter().enumerate() {
            for other in others {
                dependents[*other].push(place);
            }
        }
        let mut ready: BTreeSet<usize> = (0..waits.len()).filter(|p| waits[*p] == 0).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(place) = ready.pop_first() {
            order.push(place);
            for dependent in &dependents[place] {
                waits[*dependent] -= 1;
                if waits[*dependent] == 0 {
                    ready.insert(*dependent);
                }
            }
        }
        order
    }

    /// Follows dependencies from an unplaced service until one repeats. Each unplaced service
    /// depends on another one, or it would have been placed.
    fn cycle_from(&self, stuck: usize, placed: &BTreeSet<usize>) -> Cycle {
        let mut walk = vec![stuck];
        loop {
            let last = walk[walk.len() - 1];
            let next = self.dependencies[last].iter().copied().find(|next| !placed.contains(next));
            let next = next.unwrap_or(last);
            if let Some(start) = walk.iter().position(|place| *place == next) {
                let mut cycle = walk.split_off(start);
                // Begin with the service that comes first in the input.
                let first = (0..cycle.len()).min_by_key(|i| cycle[*i]).unwrap_or(0);
                cycle.rotate_left(first);
                return Cycle { names: cycle.iter().map(|i| self.names[*i].clone()).collect() };
            }
            walk.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses services and their dependencies: `"a b:a c:a,b"` has three services.
    fn graph(text: &str) -> Result<Graph, Cycle> {
        let services = text.split_whitespace().map(|service| {
            let (name, others) = service.split_once(':').unwrap_or((service, ""));
            let others = others.split(',').filter(|other| !other.is_empty());
            (name.to_owned(), others.map(str::to_owned).collect())
        });
        Graph::new(services.collect())
    }

    #[test]
    fn start_order_follows_dependencies_then_the_file() {
        for (text, order) in [
            ("", ""),
            ("b a c", "b a c"),
            ("web:api api:db db cache", "db api web cache"),
            ("a:z b c:b z", "b c z a"),
            ("a:b,c b:c c", "c b a"),
            ("a:unknown", "a"),
        ] {
            let graph = graph(text).unwrap();
            assert_eq!(graph.start_order().join(" "), order, "{text}");
        }
    }

    #[test]
    fn layers_depend_only_on_earlier_layers() {
        let graph = graph("web:api,cache api:db db cache").unwrap();
        assert_eq!(graph.layers(), [vec!["db", "cache"], vec!["api"], vec!["web"]]);
    }

    #[test]
    fn cycles_are_named_from_their_first_service() {
        for (text, cycle) in [
            ("a:a", "a -> a"),
            ("a:b b:a", "a -> b -> a"),
            ("free x:c a:c b:a c:b", "a -> c -> b -> a"),
            ("a:d d:e,b e b:d", "d -> b -> d"),
        ] {
            let error = graph(text).unwrap_err().to_string();
            assert_eq!(error, format!("is a cycle: {cycle}"), "{text}");
        }
    }

    #[test]
    fn long_chain_is_no_cycle() {
        let chain: Vec<String> = (1..10_000).map(|i| format!("s{i}:s{}", i - 1)).collect();
        let graph = graph(&format!("{} s0", chain.join(" "))).unwrap();
        assert_eq!(graph.start_order().last(), Some(&"s9999"));
        assert_eq!(graph.layers().len(), 10_000);
    }
}
