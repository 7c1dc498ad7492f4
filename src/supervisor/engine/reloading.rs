//! Going by another services file.

use super::Engine;
use super::message::{Reload, Reloaded};
use crate::error::{Error, Result};
use crate::manager::EndedBy;
use crate::supervisor::plan::{Change, Plan};
use crate::supervisor::services_file::Service;
use crate::supervisor::supervised::{Facts, Standing};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Engine {
    /// Does what another file asks for, as far as that goes without waiting.
    pub(super) fn reload(&mut self, reload: Reload) -> Result<Reloaded> {
        if self.is_closing {
            return Err(Error::ShuttingDown);
        }
        let Reload { services, only } = reload;
        match only {
            Some(name) => self.reload_one(&name, &services),
            None => self.reload_all(Arc::unwrap_or_clone(services)),
        }
    }

    fn reload_one(&mut self, name: &str, services: &[Service]) -> Result<Reloaded> {
        let Some(entry) = self.entries.get(name) else { return Err(self.unknown(name)) };
        let Some(new) = services.iter().find(|service| service.name == name) else {
            return Err(Error::NotInFile { name: name.to_owned() });
        };
        self.check_dependencies(new)?;
        let change = Change::between(&entry.definition.config, &new.config);
        let done = match change {
            Change::Restart | Change::Signal if entry.is_down_for_good() => Change::Adopt,
            change => change,
        };
        let message = match done {
            Change::Nothing => "Nothing has changed in the file: nothing was restarted.",
            Change::Adopt => "What has changed holds from now on: nothing was restarted.",
            Change::Signal => "It was sent its reload signal.",
            Change::Restart => "It is restarted as the file says now.",
        };
        self.change(new.clone(), change);
        let touched = if done == Change::Restart { vec![name.to_owned()] } else { Vec::new() };
        Ok(Reloaded { message: message.to_owned(), touched })
    }

    fn reload_all(&mut self, services: Vec<Service>) -> Result<Reloaded> {
        let old: Vec<Service> = self
            .roster
            .all()
            .iter()
            .filter_map(|it| self.entries.get(it.name()).map(|entry| entry.definition.clone()))
            .collect();
        let added = self.entries.iter().filter(|(_, entry)| entry.standing == Standing::Added);
        let added: BTreeSet<String> = added.map(|(name, _)| name.clone()).collect();
        let plan = Plan::between(&old, &services, &added);
        // What can fail comes first: no service that runs is touched then.
        for service in services.iter().filter(|service| plan.start.contains(&service.name)) {
            self.add(service.clone(), Standing::InFile)?;
        }
        let starts: Vec<String> = services
            .iter()
            .filter(|it| plan.start.contains(&it.name) && it.config.autostart)
            .map(|it| it.name.clone())
            .collect();
        let is_down = |name: &str| self.entries.get(name).is_some_and(|it| it.is_down_for_good());
        let done = plan.clone().sparing(is_down);
        for service in services {
            let change = match &service.name {
                name if plan.restart.contains(name) => Change::Restart,
                name if plan.signal.contains(name) => Change::Signal,
                name if plan.adopt.contains(name) => Change::Adopt,
                _ => Change::Nothing,
            };
            self.change(service, change);
        }
        for name in &plan.stop {
            self.leave(name);
        }
        for name in &starts {
            self.autostart(name);
        }
        let touched = [&done.stop, &done.restart, &starts].into_iter().flatten().cloned();
        Ok(Reloaded { message: told(&done), touched: touched.collect() })
    }

    /// Starts a service because its file says so.
    pub(super) fn autostart(&mut self, name: &str) {
        let ask =
            super::Ask { verb: super::Verb::Start, service: name.to_owned(), overrides: None };
        // It may have been started already, by one that depends on it.
        if let Err(error) = self.ask(&ask) {
            log::debug!("{error}");
        }
    }

    /// Has a service go by what the file says of it now.
    fn change(&mut self, new: Service, change: Change) {
        let name = new.name.clone();
        let Some(entry) = self.entries.get_mut(&name) else { return };
        let is_back = entry.standing == Standing::Leaving;
        let has_overrides = entry.config != entry.definition.config;
        let config = Arc::clone(&new.config);
        (entry.definition, entry.standing) = (new, Standing::InFile);
        entry.it.replace(Facts { standing: entry.standing, ..entry.it.facts() });
        if is_back {
            entry.config = config;
            return self.restart_for(&name, "It is started again, because the file has it again.");
        }
        if change == Change::Nothing || (has_overrides && change == Change::Adopt) {
            return;
        }
        let checks_changed = entry.config.health_checks != config.health_checks;
        entry.config = config;
        if change == Change::Adopt {
            // What is run is as good as one of the new values: it is ended by those, too.
            entry.launched_by = Arc::clone(&entry.config);
        }
        let (is_down, is_up) = (entry.life.state().is_down(), entry.life.is_up());
        match change {
            Change::Signal if is_up => self.send_reload_signal(&name),
            Change::Restart | Change::Signal if !is_down => {
                return self.restart_for(&name, "It is restarted, because the file has changed.");
            }
            Change::Adopt if checks_changed && is_up => {
                entry.health = crate::probe::HealthStatus::Unknown;
                self.begin_generation(&name);
                self.watch(&name);
            }
            Change::Adopt if self.is_waiting(&name) => self.await_dependencies(&name),
            Change::Restart | Change::Signal | Change::Adopt | Change::Nothing => {}
        }
        let message = self.entries.get(&name).map(|entry| entry.message.clone());
        self.tell(&name, &message.unwrap_or_default());
        // One that lost its checks may be all that another one waits for, as it is.
        self.release_waiting(&name);
    }

    fn restart_for(&mut self, name: &str, reason: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let action = entry.life.restart(EndedBy::Reload);
        self.tell(name, reason);
        if action.is_some() {
            self.perform(name, action);
        } else if self.is_waiting(name) {
            // What it waits for may be other than it was.
            self.await_dependencies(name);
        }
    }

    fn send_reload_signal(&mut self, name: &str) {
        let Some(entry) = self.entries.get(name) else { return };
        let (Some(signal), Some(run)) = (entry.config.reload_signal, entry.it.last_run()) else {
            return;
        };
        if let Err(error) = run.tree().signal_leader(signal) {
            log::warn!("{name} could not be sent {signal}: {error}");
        }
    }

    /// Stops a service that is gone from the file, and forgets it then.
    fn leave(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.standing = Standing::Leaving;
        // One that is down has nothing to stop.
        let left = entry.leftovers();
        let action = entry.life.stop(EndedBy::Reload, left).unwrap_or_default();
        self.perform(name, action);
        self.tell(name, "It is being ended, because the file does not have it any more.");
    }

    /// Forgets a service that was to be, once it is down. Whether it was.
    pub(super) fn remove_if_leaving(&mut self, name: &str) -> bool {
        let is_over = |entry: &super::Entry| {
            entry.standing == Standing::Leaving && entry.life.state().is_down()
        };
        if self.is_closing || !self.entries.get(name).is_some_and(|entry| is_over(entry)) {
            return false;
        }
        if let Some(entry) = self.entries.remove(name) {
            self.roster.remove(name);
            let (state, message) = (entry.life.state(), "It is gone from the file.".to_owned());
            let facts = Facts { state, message, ..entry.it.facts() };
            entry.it.replace(facts.clone());
            // Who follows its log is told what it was in the end.
            entry.it.manager().close();
            self.tell_removed(name, &facts);
        }
        true
    }
}

/// What a reload of the whole file does, in a sentence.
fn told(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing has changed in the file: nothing was restarted.".to_owned();
    }
    let parts = [
        ("started", &plan.start),
        ("stopped", &plan.stop),
        ("restarted", &plan.restart),
        ("signalled", &plan.signal),
        ("changed without a restart", &plan.adopt),
    ];
    let said = parts.iter().filter(|(_, names)| !names.is_empty());
    let said: Vec<String> =
        said.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
    format!("The file has changed; {}.", said.join("; "))
}
