//! Waiting for the dependencies of a service.

use super::Engine;
use super::entry::Entry;
use crate::protocol::Condition;
use crate::protocol::{EndedBy, HealthStatus, ServiceState};
use crate::supervisor::service_handle::ServiceOrigin;
use std::sync::Arc;

impl Engine {
    /// Launches a service as soon as its dependencies are met. Starts dependencies that are down,
    /// and their dependencies.
    pub(super) fn await_dependencies(&mut self, name: &str) {
        let mut to_visit = vec![name.to_owned()];
        let mut to_release = Vec::new();
        while let Some(name) = to_visit.pop() {
            for (dependency, _) in self.unmet(&name) {
                if self.start_dependency(&dependency) {
                    to_visit.push(dependency);
                }
            }
            to_release.push(name);
        }
        for name in to_release.into_iter().rev() {
            self.release(&name);
        }
    }

    /// Starts a service that another one requires, if it is down or about to be. Returns whether
    /// it now waits for its own dependencies.
    fn start_dependency(&mut self, name: &str) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        if entry.origin == ServiceOrigin::Leaving || self.is_closing {
            return false;
        }
        if entry.machine.state() == ServiceState::Stopping {
            entry.machine.restart(EndedBy::Restart);
            self.publish_status(name, "Stopping; starts again for a service that depends on it.");
            return false;
        }
        if entry.machine.start_if_down().is_none() {
            return false;
        }
        entry.apply_config(Arc::clone(&entry.definition.config), None);
        self.begin_generation(name);
        self.publish_status(name, "Starting for a service that depends on it.");
        true
    }

    /// Launches the services that waited only for the changed one.
    pub(super) fn release_waiting(&mut self, changed: &str) {
        // Services that still wait are added again.
        for name in self.waiting.remove(changed).unwrap_or_default() {
            self.release(&name);
        }
    }

    /// Whether a service waits for its dependencies.
    pub(super) fn is_waiting(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.machine.is_waiting())
    }

    fn release(&mut self, name: &str) {
        let unmet = self.unmet(name);
        let Some(entry) = self.entries.get_mut(name) else { return };
        if !entry.machine.is_waiting() {
            return;
        }
        if unmet.is_empty() {
            entry.is_blocked = false;
            let action = entry.machine.dependencies_met();
            self.perform(name, action);
            return self.publish_status(name, "Starting.");
        }
        // Also for dependencies that are met: they may go down again.
        for dependency in entry.config.depends_on.keys() {
            self.waiting.entry(dependency.clone()).or_default().insert(name.to_owned());
        }
        let each: Vec<String> = unmet.iter().map(|it| self.describe_wait(it)).collect();
        let is_blocked = unmet.iter().any(|(dependency, _)| self.is_idle(dependency));
        if let Some(entry) = self.entries.get_mut(name) {
            entry.is_blocked = is_blocked;
        }
        self.publish_status(name, &format!("waits for {}", each.join(" and for ")));
    }

    /// Describes a condition that a service waits for, and what to do if it will not be met by
    /// itself.
    fn describe_wait(&self, (dependency, condition): &(String, Condition)) -> String {
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
            Some(entry) if entry.machine.state().is_down() => {
                format!("{dependency} to be {wanted}, but it is {state}: fix that and start it")
            }
            _ => format!("{dependency} to be {wanted} (it is {state})"),
        }
    }

    /// Whether a service is down, or waits for one that is, and nothing is about to change that.
    fn is_idle(&self, name: &str) -> bool {
        let entry = self.entries.get(name);
        entry.is_some_and(|entry| entry.is_blocked || entry.machine.state().is_down())
    }

    /// Returns the unmet dependencies of a service.
    fn unmet(&self, name: &str) -> Vec<(String, Condition)> {
        let Some(entry) = self.entries.get(name) else { return Vec::new() };
        let is_unmet = |dependency: &str, condition: Condition| {
            // A service that is no longer supervised is not waited for.
            self.entries.get(dependency).is_some_and(|entry| !is_met(entry, condition))
        };
        let dependencies = entry.config.depends_on.iter();
        let unmet =
            dependencies.filter(|(dependency, condition)| is_unmet(dependency, **condition));
        unmet.map(|(dependency, condition)| (dependency.clone(), *condition)).collect()
    }
}

/// Whether a service meets the condition of another one.
fn is_met(entry: &Entry, condition: Condition) -> bool {
    let state = entry.machine.state();
    match condition {
        // A service that has completed has been started as well.
        Condition::Started => entry.machine.is_up() || state == ServiceState::Exited,
        Condition::Healthy if entry.config.health_checks.is_empty() => {
            state == ServiceState::Running
        }
        Condition::Healthy => {
            state == ServiceState::Running && entry.health == HealthStatus::Healthy
        }
        Condition::Completed => state == ServiceState::Exited,
    }
}
