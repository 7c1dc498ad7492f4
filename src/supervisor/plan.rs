//! The changes that a new version of the services file requires.

use super::services_file::{Service, ServiceConfig};
use std::collections::{BTreeMap, BTreeSet};

/// The effect of a changed configuration of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// The run continues; the new values apply from now on.
    Adopt,
    /// The run is sent its `reload_signal`.
    Signal,
    /// The run is replaced.
    Restart,
}

impl Change {
    /// Returns the effect of a change from `old` to `new`.
    #[must_use]
    pub fn between(old: &ServiceConfig, new: &ServiceConfig) -> Self {
        if old == new {
            return Self::Nothing;
        }
        if !old.needs_restart(new) {
            return Self::Adopt;
        }
        // A process that was started without one may not handle the signal, which would kill it.
        match (old.reload_signal, new.reload_signal) {
            (Some(_), Some(_)) => Self::Signal,
            _ => Self::Restart,
        }
    }
}

/// The services affected by a changed file, by effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Removed from the file: to be stopped, in reverse order of the old file.
    pub stop: Vec<String>,
    /// To be restarted with their new configuration.
    pub restart: Vec<String>,
    /// To be sent their `reload_signal`.
    pub signal: Vec<String>,
    /// To apply their new values without a restart.
    pub adopt: Vec<String>,
    /// New in the file. Only those with `autostart` are started.
    pub start: Vec<String>,
}

impl Plan {
    /// Compares the previous services with those of the file. Services that were `added` over the
    /// API stay, unless the file names them.
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
    fn only_changes_of_the_process_need_a_restart() {
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
            "signalled": {"cmd": "x", "reload_signal": "HUP"}, "policy": {"cmd": "x"},
            "by_hand": {"cmd": "x"}, "taken": {"cmd": "x"},
        }));
        let new = services(&json!({
            "new": {"cmd": "x"}, "policy": {"cmd": "x", "optional": true}, "cmd": {"cmd": "y"},
            "signalled": {"cmd": "y", "reload_signal": "HUP"}, "same": {"cmd": "x"},
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
            signal: names(&["signalled"]),
            adopt: names(&["policy"]),
            start: names(&["new"]),
        };
        assert_eq!(Plan { stop, ..plan.clone() }, expected);
        assert!(!plan.is_empty());
        let plan = Plan::between(&old, &old, &BTreeSet::new());
        assert!(plan.is_empty());
    }
}
