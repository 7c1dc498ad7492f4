//! Waiting for what a service depends on.

use super::Engine;
use super::entry::Entry;
use crate::protocol::Condition;
use crate::protocol::{EndedBy, HealthStatus, ServiceState};
use crate::supervisor::service_handle::ServiceOrigin;
use std::sync::Arc;

impl Engine {
    /// Launches a service as soon as what it depends on is there. What is down of that is started,
    /// and what that depends on.
    pub(super) fn await_dependencies(&mut self, name: &str) {
        let mut to_look_at = vec![name.to_owned()];
        let mut to_release = Vec::new();
        while let Some(name) = to_look_at.pop() {
            for (dependency, _) in self.unmet(&name) {
                if self.pull_in(&dependency) {
                    to_look_at.push(dependency);
                }
            }
            to_release.push(name);
        }
        for name in to_release.into_iter().rev() {
            self.release(&name);
        }
    }

    /// Starts a service that another one needs, where it is down or about to be. Whether it waits
    /// for its own dependencies now.
    fn pull_in(&mut self, name: &str) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        if entry.standing == ServiceOrigin::Leaving || self.is_closing {
            return false;
        }
        if entry.life.state() == ServiceState::Stopping {
            entry.life.restart(EndedBy::Restart);
            self.publish_status(name, "Stopping; starts again for a service that depends on it.");
            return false;
        }
        if entry.life.start_if_down().is_none() {
            return false;
        }
        entry.apply_config(Arc::clone(&entry.definition.config), None);
        self.begin_generation(name);
        self.publish_status(name, "Starting for a service that depends on it.");
        true
    }

    /// Launches those that wait for what has changed, and for nothing else any more.
    pub(super) fn release_waiting(&mut self, changed: &str) {
        // Those that go on to wait are put back.
        for name in self.waiting.remove(changed).unwrap_or_default() {
            self.release(&name);
        }
    }

    /// Whether a service waits for what it depends on.
    pub(super) fn is_waiting(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.life.is_waiting())
    }

    fn release(&mut self, name: &str) {
        let unmet = self.unmet(name);
        let Some(entry) = self.entries.get_mut(name) else { return };
        if !entry.life.is_waiting() {
            return;
        }
        if unmet.is_empty() {
            entry.is_blocked = false;
            let action = entry.life.dependencies_met();
            self.perform(name, action);
            return self.publish_status(name, "Starting.");
        }
        // What is there already counts too: it may go again.
        for dependency in entry.config.depends_on.keys() {
            self.waiting.entry(dependency.clone()).or_default().insert(name.to_owned());
        }
        let each: Vec<String> = unmet.iter().map(|it| self.awaited(it)).collect();
        let is_blocked = unmet.iter().any(|(dependency, _)| self.is_at_rest(dependency));
        if let Some(entry) = self.entries.get_mut(name) {
            entry.is_blocked = is_blocked;
        }
        self.publish_status(name, &format!("waits for {}", each.join(" and for ")));
    }

    /// What a service waits for, and what to do where nothing will come of that by itself.
    fn awaited(&self, (dependency, condition): &(String, Condition)) -> String {
        let wanted = match condition {
            Condition::Started => "started",
            Condition::Healthy => "healthy",
            Condition::Completed => "completed",
        };
        let state = self.state_of(dependency).map_or("unknown", ServiceState::as_str);
        match self.entries.get(dependency) {
            Some(entry) if entry.is_blocked => {
                format!("{dependency} to be {wanted}, which {}", entry.message)
            }
            Some(entry) if entry.life.state().is_down() => {
                format!("{dependency} to be {wanted}, but it is {state}: fix that and start it")
            }
            _ => format!("{dependency} to be {wanted} (it is {state})"),
        }
    }

    /// Whether a service is down, or waits for one that is, and nobody is about to change that.
    fn is_at_rest(&self, name: &str) -> bool {
        let entry = self.entries.get(name);
        entry.is_some_and(|entry| entry.is_blocked || entry.life.state().is_down())
    }

    /// What a service depends on that is not there yet.
    fn unmet(&self, name: &str) -> Vec<(String, Condition)> {
        let Some(entry) = self.entries.get(name) else { return Vec::new() };
        let is_unmet = |dependency: &str, condition: Condition| {
            // One that is not supervised any more is nothing to wait for.
            self.entries.get(dependency).is_some_and(|entry| !is_met(entry, condition))
        };
        let dependencies = entry.config.depends_on.iter();
        let unmet =
            dependencies.filter(|(dependency, condition)| is_unmet(dependency, **condition));
        unmet.map(|(dependency, condition)| (dependency.clone(), *condition)).collect()
    }
}

/// Whether a service is what another one waits for.
fn is_met(entry: &Entry, condition: Condition) -> bool {
    let state = entry.life.state();
    match condition {
        // One that had nothing more to do has been started as well.
        Condition::Started => entry.life.is_up() || state == ServiceState::Exited,
        Condition::Healthy if entry.config.health_checks.is_empty() => {
            state == ServiceState::Running
        }
        Condition::Healthy => {
            state == ServiceState::Running && entry.health == HealthStatus::Healthy
        }
        Condition::Completed => state == ServiceState::Exited,
    }
}
