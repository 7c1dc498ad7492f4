//! The order among services: what must be up before what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Services and what each depends on, without a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// In the order in which they were given.
    names: Vec<String>,
    /// By place in `names`: what each depends on.
    dependencies: Vec<Vec<usize>>,
}

/// Services that wait for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    names: Vec<String>,
}

impl Cycle {
    /// Its services; each depends on the next, and the last on the first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let round = self.names.iter().chain(self.names.first());
        let round: Vec<&str> = round.map(String::as_str).collect();
        write!(out, "is a cycle: {}", round.join(" -> "))
    }
}

impl Graph {
    /// Takes services, each with the names that it depends on. A name that is not among the
    /// services is left out.
    ///
    /// # Errors
    /// A cycle, where there is one.
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

    /// All services, each after those that it depends on; otherwise as they were given.
    #[must_use]
    pub fn start_order(&self) -> Vec<&str> {
        self.places_in_order().into_iter().map(|place| self.names[place].as_str()).collect()
    }

    /// All services in groups: those of a group depend on nothing but earlier groups.
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

    /// Kahn's algorithm: always the first of those that wait for nothing more. What is on a cycle
    /// or waits for one is left out.
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

    /// Walks from a service that could not be placed to one that it waits for, until one comes
    /// round again. Each of them waits for another, or it would have been placed.
    fn cycle_from(&self, stuck: usize, placed: &BTreeSet<usize>) -> Cycle {
        let mut walk = vec![stuck];
        loop {
            let last = walk[walk.len() - 1];
            let next = self.dependencies[last].iter().copied().find(|next| !placed.contains(next));
            let next = next.unwrap_or(last);
            if let Some(start) = walk.iter().position(|place| *place == next) {
                let mut round = walk.split_off(start);
                // The one that was given first names it.
                let first = (0..round.len()).min_by_key(|i| round[*i]).unwrap_or(0);
                round.rotate_left(first);
                return Cycle { names: round.iter().map(|i| self.names[*i].clone()).collect() };
            }
            walk.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"a b:a c:a,b"` is three services.
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
    fn a_layer_depends_on_earlier_layers_alone() {
        let graph = graph("web:api,cache api:db db cache").unwrap();
        assert_eq!(graph.layers(), [vec!["db", "cache"], vec!["api"], vec!["web"]]);
    }

    #[test]
    fn a_cycle_is_named_from_its_first_service_on() {
        for (text, cycle) in [
            ("a:a", "a -> a"),
            ("a:b b:a", "a -> b -> a"),
            ("free x:c a:c b:a c:b", "a -> c -> b -> a"),
            ("a:d d:e,b e b:d", "d -> b -> d"),
        ] {
            let fault = graph(text).unwrap_err().to_string();
            assert_eq!(fault, format!("is a cycle: {cycle}"), "{text}");
        }
    }

    #[test]
    fn a_long_chain_is_no_cycle() {
        let chain: Vec<String> = (1..10_000).map(|i| format!("s{i}:s{}", i - 1)).collect();
        let graph = graph(&format!("{} s0", chain.join(" "))).unwrap();
        assert_eq!(graph.start_order().last(), Some(&"s9999"));
        assert_eq!(graph.layers().len(), 10_000);
    }
}
