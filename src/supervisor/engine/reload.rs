//! Going by another services file.

use super::Engine;
use super::message::{Answer, NewLogs, Reload, Reloaded};
use crate::protocol::{EndedBy, HealthStatus, ServiceState};
use crate::runs;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::plan::{Change, Plan};
use crate::supervisor::service_handle::{ServiceOrigin, ServiceSnapshot};
use crate::supervisor::services_file::{Service, ServiceConfig};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is said where there is nothing to do.
const NOTHING: &str = "The file has not changed: nothing was restarted.";

impl Engine {
    /// Does what another file asks for, as far as that goes without waiting.
    pub(super) fn reload(&mut self, reload: Reload, logs: NewLogs) -> Result<Answer<Reloaded>> {
        if self.is_closing {
            return Err(runs::Error::ShuttingDown.into());
        }
        let Reload { services, only } = reload;
        match only {
            Some(name) => self.reload_one(&name, &services).map(Answer::Done),
            None => Ok(self.reload_all(Arc::unwrap_or_clone(services), logs)),
        }
    }

    fn reload_one(&mut self, name: &str, services: &[Service]) -> Result<Reloaded> {
        let Some(entry) = self.entries.get(name) else { return Err(self.unknown(name)) };
        let Some(new) = services.iter().find(|service| service.name == name) else {
            return Err(Error::NotInFile { name: name.to_owned() });
        };
        self.check_dependencies(new, true)?;
        let change = Change::between(&entry.definition.config, &new.config);
        let has_overrides = entry.overrides.is_some();
        let done = self.change(new.clone(), change);
        let message = match done {
            Done::Adopted if has_overrides => {
                "Changes apply from now on, except for fields that it was started with; nothing \
                 was restarted."
            }
            Done::Adopted => "Changes apply from now on; nothing was restarted.",
            Done::Signalled => "Sent its reload signal.",
            Done::Restarted => "Restart with its new configuration.",
            _ => NOTHING,
        };
        let touched = Some(name.to_owned()).filter(|_| done.takes_time());
        Ok(Reloaded { message: message.to_owned(), touched: touched.into_iter().collect() })
    }

    fn reload_all(&mut self, services: Vec<Service>, mut logs: NewLogs) -> Answer<Reloaded> {
        let old: Vec<Service> = self
            .roster
            .all()
            .iter()
            .filter_map(|it| self.entries.get(it.name()).map(|entry| entry.definition.clone()))
            .collect();
        let added = self.entries.iter().filter(|(_, entry)| entry.standing == ServiceOrigin::Added);
        let added: BTreeSet<String> = added.map(|(name, _)| name.clone()).collect();
        let plan = Plan::between(&old, &services, &added);
        let is_new = |service: &&Service| plan.start.contains(&service.name);
        let missing = services.iter().filter(is_new).filter(|it| !logs.contains_key(&it.name));
        let missing: Vec<_> = missing.map(|it| (it.name.clone(), Arc::clone(&it.config))).collect();
        if !missing.is_empty() {
            return Answer::NeedsLogs(missing);
        }
        for service in services.iter().filter(is_new) {
            if let Some(folder) = logs.remove(&service.name) {
                self.add(service.clone(), ServiceOrigin::InFile, folder);
            }
        }
        let (starts, added): (Vec<_>, Vec<_>) = services
            .iter()
            .filter(|it| plan.start.contains(&it.name))
            .map(|it| (it.name.clone(), it.config.autostart))
            .partition(|(_, autostart)| *autostart);
        let mut done: Vec<(Done, String)> =
            added.into_iter().map(|(name, _)| (Done::Added, name)).collect();
        for service in services {
            let change = match &service.name {
                name if plan.restart.contains(name) => Change::Restart,
                name if plan.signal.contains(name) => Change::Signal,
                name if plan.adopt.contains(name) => Change::Adopt,
                _ => Change::Nothing,
            };
            let name = service.name.clone();
            done.push((self.change(service, change), name));
        }
        for name in plan.stop {
            done.push((self.leave(&name), name));
        }
        for (name, _) in starts {
            self.autostart(&name);
            done.push((Done::Started, name));
        }
        let message = told(&done);
        let touched = done.into_iter().filter(|(done, _)| done.takes_time());
        let touched = touched.map(|(_, name)| name).collect();
        Answer::Done(Reloaded { message, touched })
    }

    /// Starts a service because its file says so.
    pub(super) fn autostart(&mut self, name: &str) {
        let ask =
            super::Ask { verb: super::Verb::Start, service: name.to_owned(), overrides: None };
        // It may have been started already, by one that depends on it.
        if let Err(error) = self.config_for(&ask).and_then(|config| self.ask_known(&ask, config)) {
            log::debug!("{error}");
        }
    }

    /// Has a service go by what the file says of it now. What was done to it for that.
    fn change(&mut self, new: Service, change: Change) -> Done {
        let name = new.name.clone();
        let overlaid = self.overlaid(&new);
        let Some(entry) = self.entries.get_mut(&name) else { return Done::Nothing };
        let is_back = entry.standing == ServiceOrigin::Leaving;
        let config = Arc::clone(&new.config);
        (entry.definition, entry.standing) = (new, ServiceOrigin::InFile);
        entry.it.replace(ServiceSnapshot { standing: entry.standing, ..entry.it.facts() });
        let (is_down, is_up) = (entry.life.state().is_down(), entry.life.is_up());
        let is_stopping = entry.life.state() == ServiceState::Stopping;
        let reason = match change {
            _ if is_back => "Starting: the file has it again.",
            Change::Nothing => return Done::Nothing,
            // Whoever stops it wants it down: the new values are for its next start.
            _ if is_stopping => return self.adopt(&name, overlaid, change),
            Change::Signal if is_up => return self.adopt(&name, overlaid, change),
            Change::Restart | Change::Signal if !is_down => "Restarting: the file has changed.",
            _ => return self.adopt(&name, overlaid, change),
        };
        entry.apply_config(config, None);
        self.restart_for(&name, reason);
        Done::Restarted
    }

    /// What a service goes by as long as it goes on, once the file says `new`: what it was started
    /// with holds until its run is over, where that still fits the file.
    fn overlaid(&self, new: &Service) -> Arc<ServiceConfig> {
        let overrides = self.entries.get(&new.name).and_then(|entry| entry.overrides.as_ref());
        let Some(overrides) = overrides else { return Arc::clone(&new.config) };
        let known = self.names();
        let overlaid = new.with(overrides, self.around(&known)).map_err(Error::from);
        match overlaid.and_then(|it| self.check_dependencies(&it, true).map(|()| it)) {
            Ok(overlaid) => overlaid.config,
            Err(error) => {
                log::warn!("{}: overrides dropped: {error}", new.name);
                Arc::clone(&new.config)
            }
        }
    }

    /// Has a service go by other values without ending what it runs.
    fn adopt(&mut self, name: &str, config: Arc<ServiceConfig>, change: Change) -> Done {
        let Some(entry) = self.entries.get_mut(name) else { return Done::Nothing };
        let checks_changed = entry.config.health_checks != config.health_checks;
        let (overrides, is_up) = (entry.overrides.take(), entry.life.is_up());
        entry.apply_config(config, overrides);
        let is_signalled = change == Change::Signal && is_up;
        if is_signalled {
            self.send_reload_signal(name);
        } else if change == Change::Adopt {
            // What is run is as good as one of the new values: it is ended by those, too.
            entry.launched_by = Arc::clone(&entry.config);
            if checks_changed && is_up {
                entry.health = HealthStatus::Unknown;
                self.begin_generation(name);
                self.watch(name);
            } else if self.is_waiting(name) {
                self.await_dependencies(name);
            }
        }
        let message = self.entries.get(name).map(|entry| entry.message.clone());
        self.publish_status(name, &message.unwrap_or_default());
        // One that lost its checks may be all that another one waits for, as it is.
        self.release_waiting(name);
        if is_signalled { Done::Signalled } else { Done::Adopted }
    }

    fn restart_for(&mut self, name: &str, reason: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let is_launching = entry.life.is_launching();
        let action = entry.life.restart(EndedBy::Reload);
        self.publish_status(name, reason);
        if is_launching {
            self.cancel_launch(name);
        }
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
            log::warn!("{name}: cannot send {signal}: {error}");
        }
    }

    /// Stops a service that is gone from the file, and forgets it then.
    fn leave(&mut self, name: &str) -> Done {
        let Some(entry) = self.entries.get_mut(name) else { return Done::Nothing };
        let is_down = entry.life.state().is_down();
        entry.standing = ServiceOrigin::Leaving;
        // One that is down has nothing to stop.
        let left = entry.leftovers();
        let action = entry.life.stop(EndedBy::Reload, left).unwrap_or_default();
        self.perform(name, action);
        self.publish_status(name, "Stopping: no longer in the file.");
        if is_down && !self.entries.contains_key(name) { Done::Removed } else { Done::Stopped }
    }

    /// Forgets a service that was to be, once it is down. Whether it was.
    pub(super) fn remove_if_leaving(&mut self, name: &str) -> bool {
        let is_over = |entry: &super::Entry| {
            entry.standing == ServiceOrigin::Leaving && entry.life.state().is_down()
        };
        if self.is_closing || !self.entries.get(name).is_some_and(|entry| is_over(entry)) {
            return false;
        }
        if let Some(entry) = self.entries.remove(name) {
            self.roster.remove(name);
            let (state, message) = (entry.life.state(), "Removed from the file.".to_owned());
            let facts = ServiceSnapshot { state, message, ..entry.it.facts() };
            entry.it.replace(facts.clone());
            // Who follows its log is told what it was in the end.
            entry.it.manager().close();
            self.tell_removed(name, &facts);
        }
        true
    }
}

/// What a reload does to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Nothing,
    Started,
    /// It is known from now on, and down.
    Added,
    Stopped,
    /// It was down, and is forgotten.
    Removed,
    Restarted,
    Signalled,
    /// It goes by its new values.
    Adopted,
}

impl Done {
    /// Each with its words, in the order in which they are told.
    const WORDS: [(Self, &str); 7] = [
        (Self::Started, "started"),
        (Self::Added, "added"),
        (Self::Stopped, "stopped"),
        (Self::Removed, "removed"),
        (Self::Restarted, "restarted"),
        (Self::Signalled, "signalled"),
        (Self::Adopted, "changed without a restart"),
    ];

    /// Whether the service is on its way to another state.
    fn takes_time(self) -> bool {
        matches!(self, Self::Started | Self::Stopped | Self::Restarted)
    }
}

/// What a reload of the whole file does, in a sentence.
fn told(done: &[(Done, String)]) -> String {
    let parts: Vec<String> = Done::WORDS
        .iter()
        .filter_map(|(kind, word)| {
            let names = done.iter().filter(|(done, _)| done == kind).map(|(_, name)| name.as_str());
            let names: Vec<&str> = names.collect();
            (!names.is_empty()).then(|| format!("{word}: {}", names.join(", ")))
        })
        .collect();
    if parts.is_empty() {
        return NOTHING.to_owned();
    }
    format!("The file has changed; {}.", parts.join("; "))
}
