//! What a changed services file asks for.

use super::services_file::{Service, ServiceConfig};
use std::collections::{BTreeMap, BTreeSet};

/// What a change of one service asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// What is run stays as it is: the new values are gone by from now on.
    Adopt,
    /// What is run must be another, and its `reload_signal` makes it so.
    Signal,
    /// What is run must be another.
    Restart,
}

impl Change {
    /// What becoming `new` asks of a service that is `old`.
    #[must_use]
    pub fn between(old: &ServiceConfig, new: &ServiceConfig) -> Self {
        if old == new {
            return Self::Nothing;
        }
        if !old.needs_restart(new) {
            return Self::Adopt;
        }
        // A process that was started without one may not know the signal, and end by it.
        match (old.reload_signal, new.reload_signal) {
            (Some(_), Some(_)) => Self::Signal,
            _ => Self::Restart,
        }
    }
}

/// What becoming another file asks for, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Gone from the file: to be stopped. The last of the old file first.
    pub stop: Vec<String>,
    /// To be stopped, and started as they are now.
    pub restart: Vec<String>,
    /// To be sent their `reload_signal`.
    pub signal: Vec<String>,
    /// Only their new values are to be gone by.
    pub adopt: Vec<String>,
    /// New in the file. Only those with `autostart` are to be started.
    pub start: Vec<String>,
}

impl Plan {
    /// What is asked for where `old` were the services and `new` is what the file says. Those that
    /// were `added` otherwise than by the file stay, as long as it does not name them.
    #[must_use]
    pub fn between(old: &[Service], new: &[Service], added: &BTreeSet<String>) -> Self {
        let before: BTreeMap<_, _> = old.iter().map(|old| (&old.name, &old.config)).collect();
        let named: BTreeSet<_> = new.iter().map(|new| &new.name).collect();
        let is_gone = |name: &&String| !named.contains(name) && !added.contains(*name);
        let gone = old.iter().rev().map(|old| &old.name).filter(is_gone);
        let mut plan = Self { stop: gone.cloned().collect(), ..Self::default() };
        for service in new {
            let change = before.get(&service.name).map(|old| Change::between(old, &service.config));
            let list = match change {
                None => &mut plan.start,
                Some(Change::Nothing) => continue,
                Some(Change::Adopt) => &mut plan.adopt,
                Some(Change::Signal) => &mut plan.signal,
                Some(Change::Restart) => &mut plan.restart,
            };
            list.push(service.name.clone());
        }
        plan
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { stop, restart, signal, adopt, start } = self;
        [stop, restart, signal, adopt, start].iter().all(|names| names.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::services_file::ServicesFile;
    use super::*;
    use serde_json::{Value, json};

    fn services(file: &Value) -> Vec<Service> {
        ServicesFile::parse(&file.to_string(), &[]).unwrap().services
    }

    #[test]
    fn only_another_process_needs_a_restart() {
        let config = |fields: &Value| {
            let mut all = json!({"cmd": "x", "depends_on": []});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            services(&json!({"a": all, "b": {"cmd": "x"}}))[0].config.as_ref().clone()
        };
        let old = config(&json!({}));
        for (fields, change) in [
            (json!({}), Change::Nothing),
            (json!({"cwd": ".", "optional": false}), Change::Nothing),
            (json!({"cmd": "y"}), Change::Restart),
            (json!({"cmd": ["x"]}), Change::Restart),
            (json!({"cwd": "/"}), Change::Restart),
            (json!({"env": {"A": null}}), Change::Restart),
            (json!({"env_file": "x"}), Change::Restart),
            (json!({"pty": true}), Change::Restart),
            (json!({"pty": true, "reload_signal": "HUP"}), Change::Restart),
            (json!({"reload_signal": "HUP"}), Change::Adopt),
            (json!({"health_check": {"cmd": "x"}}), Change::Adopt),
            (json!({"restart_policy": {"max_restarts": 1}}), Change::Adopt),
            (json!({"optional": true}), Change::Adopt),
            (json!({"autostart": false}), Change::Adopt),
            (json!({"depends_on": ["b"]}), Change::Adopt),
            (json!({"port": 1}), Change::Adopt),
            (json!({"log": {"keep": 1}}), Change::Adopt),
            (json!({"stop_timeout": 1, "start_seconds": 2, "stop_signal": 2}), Change::Adopt),
        ] {
            assert_eq!(Change::between(&old, &config(&fields)), change, "{fields}");
        }
        let (one, other) = (json!({"reload_signal": 1}), json!({"reload_signal": 10, "pty": true}));
        assert_eq!(Change::between(&config(&one), &config(&other)), Change::Signal);
    }

    #[test]
    fn a_plan_names_each_service_once() {
        let old = services(&json!({
            "same": {"cmd": "x"}, "gone": {"cmd": "x"}, "too": {"cmd": "x"}, "cmd": {"cmd": "x"},
            "told": {"cmd": "x", "reload_signal": "HUP"}, "policy": {"cmd": "x"},
            "by_hand": {"cmd": "x"}, "taken": {"cmd": "x"},
        }));
        let new = services(&json!({
            "new": {"cmd": "x"}, "policy": {"cmd": "x", "optional": true}, "cmd": {"cmd": "y"},
            "told": {"cmd": "y", "reload_signal": "HUP"}, "same": {"cmd": "x"},
            "taken": {"cmd": "z"},
        }));
        let added = ["by_hand", "taken"].map(str::to_owned).into();
        let plan = Plan::between(&old, &new, &added);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut stop = plan.stop.clone();
        stop.sort();
        let expected = Plan {
            stop: names(&["gone", "too"]),
            restart: names(&["cmd", "taken"]),
            signal: names(&["told"]),
            adopt: names(&["policy"]),
            start: names(&["new"]),
        };
        assert_eq!(Plan { stop, ..plan.clone() }, expected);
        assert!(!plan.is_empty());
        let plan = Plan::between(&old, &old, &BTreeSet::new());
        assert!(plan.is_empty());
    }
}
