//! Reloading the services file.

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

/// The message for a reload without changes.
const NOTHING: &str = "The file has not changed: nothing was restarted.";

impl Engine {
    /// Applies a new version of the file as far as that is possible without waiting.
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
                "Changes apply from now on, except to fields that its start overrides; nothing was \
                 restarted."
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
        let added = self.entries.iter().filter(|(_, entry)| entry.origin == ServiceOrigin::Added);
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
            let removed = self.leave(&name, EndedBy::Reload, "Stopping: no longer in the file.");
            done.push((if removed { Done::Removed } else { Done::Stopped }, name));
        }
        for (name, _) in starts {
            self.autostart(&name);
            done.push((Done::Started, name));
        }
        let message = summarize(&done);
        let touched = done.into_iter().filter(|(done, _)| done.takes_time());
        let touched = touched.map(|(_, name)| name).collect();
        Answer::Done(Reloaded { message, touched })
    }

    /// Starts a service with `autostart`.
    pub(super) fn autostart(&mut self, name: &str) {
        let command = super::ServiceCommand {
            verb: super::Verb::Start,
            service: name.to_owned(),
            overrides: None,
        };
        // It may have been started already, for a service that depends on it.
        if let Err(error) =
            self.config_for(&command).and_then(|config| self.apply_command(&command, config))
        {
            log::debug!("{error}");
        }
    }

    /// Applies the new definition of a service. Returns what was done to the service.
    fn change(&mut self, new: Service, change: Change) -> Done {
        let name = new.name.clone();
        let overlaid = self.with_overrides(&new);
        let Some(entry) = self.entries.get_mut(&name) else { return Done::Nothing };
        let is_back = entry.origin == ServiceOrigin::Leaving;
        let config = Arc::clone(&new.config);
        (entry.definition, entry.origin) = (new, ServiceOrigin::InFile);
        entry.handle.replace(ServiceSnapshot { origin: entry.origin, ..entry.handle.snapshot() });
        let (is_down, is_up) = (entry.machine.state().is_down(), entry.machine.is_up());
        let is_stopping = entry.machine.state() == ServiceState::Stopping;
        let reason = match change {
            _ if is_back => "Starting: it is in the services file again.",
            Change::Nothing => return Done::Nothing,
            // It is being stopped and stays down: the new values apply to its next start.
            _ if is_stopping => return self.adopt(&name, overlaid, change),
            Change::Signal if is_up => return self.adopt(&name, overlaid, change),
            Change::Restart | Change::Signal if !is_down => "Restarting: the file has changed.",
            _ => return self.adopt(&name, overlaid, change),
        };
        entry.apply_config(config, None);
        self.restart_for(&name, reason);
        Done::Restarted
    }

    /// Returns the configuration of the current run after a reload: `new`, with the overrides of
    /// its start, which apply until the run is over, if they are still valid.
    fn with_overrides(&self, new: &Service) -> Arc<ServiceConfig> {
        let overrides = self.entries.get(&new.name).and_then(|entry| entry.overrides.as_ref());
        let Some(overrides) = overrides else { return Arc::clone(&new.config) };
        let known = self.names();
        let overlaid =
            new.with_overrides(overrides, self.parse_context(&known)).map_err(Error::from);
        match overlaid.and_then(|it| self.check_dependencies(&it, true).map(|()| it)) {
            Ok(overlaid) => overlaid.config,
            Err(error) => {
                log::warn!("{}: overrides dropped: {error}", new.name);
                Arc::clone(&new.config)
            }
        }
    }

    /// Applies a configuration without ending the run.
    fn adopt(&mut self, name: &str, config: Arc<ServiceConfig>, change: Change) -> Done {
        let Some(entry) = self.entries.get_mut(name) else { return Done::Nothing };
        let checks_changed = entry.config.health_checks != config.health_checks;
        let (overrides, is_up) = (entry.overrides.take(), entry.machine.is_up());
        entry.apply_config(config, overrides);
        let is_signalled = change == Change::Signal && is_up;
        if is_signalled {
            self.send_reload_signal(name);
        } else if change == Change::Adopt {
            // The run counts as one with the new values, and is stopped with them, too.
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
        // Without its checks it may already meet the condition of another service.
        self.release_waiting(name);
        if is_signalled { Done::Signalled } else { Done::Adopted }
    }

    fn restart_for(&mut self, name: &str, reason: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let is_launching = entry.machine.is_launching();
        let action = entry.machine.restart(EndedBy::Reload);
        self.publish_status(name, reason);
        if is_launching {
            self.cancel_launch(name);
        }
        if action.is_some() {
            self.perform(name, action);
        } else if self.is_waiting(name) {
            // Its dependencies may have changed.
            self.await_dependencies(name);
        }
    }

    fn send_reload_signal(&mut self, name: &str) {
        let Some(entry) = self.entries.get(name) else { return };
        let (Some(signal), Some(run)) = (entry.config.reload_signal, entry.handle.last_run())
        else {
            return;
        };
        if let Err(error) = run.tree().signal_leader(signal) {
            log::warn!("{name}: cannot send {signal}: {error}");
        }
    }
}

/// The effect of a reload on a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Nothing,
    Started,
    /// It was added and is down.
    Added,
    Stopped,
    /// It was down and was removed.
    Removed,
    Restarted,
    Signalled,
    /// Its new values apply without a restart.
    Adopted,
}

impl Done {
    /// Labels, in the order of the summary.
    const LABELS: [(Self, &str); 7] = [
        (Self::Started, "started"),
        (Self::Added, "added"),
        (Self::Stopped, "stopped"),
        (Self::Removed, "removed"),
        (Self::Restarted, "restarted"),
        (Self::Signalled, "signalled"),
        (Self::Adopted, "changed without a restart"),
    ];

    /// Whether the service is changing its state.
    fn takes_time(self) -> bool {
        matches!(self, Self::Started | Self::Stopped | Self::Restarted)
    }
}

/// Describes the effects of a reload of the whole file, in a sentence.
fn summarize(done: &[(Done, String)]) -> String {
    let parts: Vec<String> = Done::LABELS
        .iter()
        .filter_map(|(kind, label)| {
            let names = done.iter().filter(|(done, _)| done == kind).map(|(_, name)| name.as_str());
            let names: Vec<&str> = names.collect();
            (!names.is_empty()).then(|| format!("{label}: {}", names.join(", ")))
        })
        .collect();
    if parts.is_empty() {
        return NOTHING.to_owned();
    }
    format!("The file has changed; {}.", parts.join("; "))
}
