//! Whatever text for a services file, and another behind a NUL that it is changed to.

#![no_main]

use llm_shell::supervisor::{Plan, ServicesFile};
use std::collections::{BTreeSet, HashMap};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (old, new) = text.split_once('\0').unwrap_or((text, "{}"));
    let (Some(old), Some(new)) = (read(old), read(new)) else { return };
    let none = BTreeSet::new();
    assert!(Plan::between(&old.services, &old.services, &none).is_empty());
    let plan = Plan::between(&old.services, &new.services, &none);
    let has = |file: &ServicesFile, name: &String| {
        file.services.iter().any(|service| service.name == *name)
    };
    assert!(plan.stop.iter().all(|name| has(&old, name) && !has(&new, name)));
    assert!(plan.start.iter().all(|name| !has(&old, name) && has(&new, name)));
    let kept = [&plan.restart, &plan.signal, &plan.adopt];
    assert!(kept.iter().all(|names| names.iter().all(|name| has(&old, name) && has(&new, name))));
});

/// The services of a text, which are in an order that keeps what they depend on; or faults, each
/// of which says something.
fn read(text: &str) -> Option<ServicesFile> {
    let environment = [("HOME".into(), "/home/ann".into())];
    let file = match ServicesFile::parse(text, &environment) {
        Ok(file) => file,
        Err(faults) => {
            assert!(!faults.errors().is_empty());
            assert!(faults.in_file("services.json").to_string().starts_with("services.json"));
            return None;
        }
    };
    let graph = file.graph();
    let order = graph.start_order();
    let places: HashMap<_, _> = order.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    assert_eq!((order.len(), places.len()), (file.services.len(), file.services.len()));
    for service in &file.services {
        for name in service.config.depends_on.keys() {
            assert!(places[&**name] < places[&*service.name], "{name}, {}", service.name);
        }
    }
    assert_eq!(graph.layers().concat().len(), order.len());
    Some(file)
}
