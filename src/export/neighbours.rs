//! Addresses of other services: loopback on this machine, names in the cluster.

use super::notes::Notes;
use crate::supervisor::Service;
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A loopback address with a port. The text before it is checked separately.
static LOOPBACK_PORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})\b").ok());

/// The listening services, by port. A port used by several services maps to none.
#[derive(Debug)]
pub(super) struct Neighbours<'a>(BTreeMap<u16, Option<Neighbour<'a>>>);

#[derive(Clone, Copy, Debug)]
struct Neighbour<'a> {
    service: &'a str,
    name: &'a str,
}

impl<'a> Neighbours<'a> {
    pub(super) fn of(services: &'a [Service], names: &'a BTreeMap<String, String>) -> Self {
        let mut ports = BTreeMap::new();
        for service in services {
            let (Some(port), Some(name)) = (service.config.port, names.get(&service.name)) else {
                continue;
            };
            let neighbour = Neighbour { service: &service.name, name };
            ports.entry(port).and_modify(|it| *it = None).or_insert(Some(neighbour));
        }
        Self(ports)
    }

    /// Replaces loopback addresses with the ports of other services by their names. Notes each
    /// replacement, and each address that stays loopback.
    pub(super) fn substitute(
        &self,
        text: &str,
        (own, field): (&Service, &str),
        notes: &mut Notes<'_>,
    ) -> String {
        let Some(place) = &*LOOPBACK_PORT else { return text.to_owned() };
        let replaced = place.replace_all(text, |found: &Captures<'_>| {
            let (whole, port) = (&found[0], found[2].parse::<u16>().unwrap_or(0));
            let start = found.get(0).map_or(0, |found| found.start());
            let is_own = own.config.port == Some(port);
            // The end of another name: my-localhost:80, 1.127.0.0.1:80.
            let is_part =
                text[..start].ends_with(|c: char| c.is_alphanumeric() || "-._".contains(c));
            if is_own || is_part {
                return whole.to_owned();
            }
            if let Some(Neighbour { service, name }) = self.0.get(&port).copied().flatten() {
                let moved = format!("{name}:{port}");
                notes.add(field, format!("{whole} is {service}, and becomes {moved}"));
                return moved;
            }
            let why = "no single other service in the file has that port";
            notes.add(field, format!("{whole} is unchanged, and refers to the pod itself: {why}"));
            whole.to_owned()
        });
        replaced.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;
    use crate::supervisor::ServicesFile;

    #[test]
    fn loopback_addresses_become_names_in_the_cluster() {
        let text = r#"{"my_db": {"cmd": "x", "port": 5432}, "web": {"cmd": "x", "port": 80},
            "a": {"cmd": "x", "port": 9}, "b": {"cmd": "x", "port": 9}}"#;
        let services = ServicesFile::parse(text, &[]).unwrap().services;
        let names = names::of_services(services.iter().map(|service| &*service.name)).unwrap();
        let neighbours = Neighbours::of(&services, &names);
        let mut notes = Notes::of("web");
        let mut put = |text: &str| neighbours.substitute(text, (&services[1], "env.A"), &mut notes);
        for (text, moved) in [
            ("http://127.0.0.1:5432/x", "http://my-db:5432/x"),
            ("postgres://u:p@localhost:5432", "postgres://u:p@my-db:5432"),
            ("[::1]:5432,localhost:5432", "my-db:5432,my-db:5432"),
            ("http://localhost:80/", "http://localhost:80/"),
            ("notlocalhost:5432 x.localhost:5432", "notlocalhost:5432 x.localhost:5432"),
            ("localhost:54321 localhost:9", "localhost:54321 localhost:9"),
            ("0.0.0.0:5432", "0.0.0.0:5432"),
        ] {
            assert_eq!(put(text), moved, "{text}");
        }
        let warnings: Vec<String> = notes.finish().iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 5, "{warnings:#?}");
        assert_eq!(warnings[0], "web.env.A: 127.0.0.1:5432 is my_db, and becomes my-db:5432");
        assert!(warnings[3].starts_with("web.env.A: localhost:54321 is unchanged, and refers to"));
    }
}
