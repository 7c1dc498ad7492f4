//! Publishing the state of services: a snapshot for readers, and an event for each change.

use super::Engine;
use crate::protocol::{HealthStatus, ServiceState};
use crate::supervisor::events::{Change, ServiceChange};
use crate::supervisor::service_handle::ServiceSnapshot;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Instant;

impl Engine {
    /// Publishes the state of a service with the reason, and releases services that wait for it.
    pub(super) fn publish_status(&mut self, name: &str, message: &str) {
        // Services that wait for its removal are released then, so its stop is not published first.
        if self.remove_if_leaving(name) {
            return self.release_waiting(name);
        }
        let Some(entry) = self.entries.get_mut(name) else { return };
        message.clone_into(&mut entry.message);
        if !entry.machine.is_up() {
            entry.health = HealthStatus::Unknown;
        }
        entry.is_blocked &= entry.machine.is_waiting();
        let snapshot = ServiceSnapshot {
            state: entry.machine.state(),
            health: entry.health,
            message: entry.message.clone(),
            restarts: entry.machine.restarts(),
            last_restart: entry.last_restart,
            next_restart_at: entry.machine.restart_at().map(as_date),
            origin: entry.origin,
            is_blocked: entry.is_blocked,
            config: Arc::clone(&entry.config),
        };
        let old = entry.handle.replace(snapshot.clone());
        let is_optional = entry.config.is_optional;
        let is_newly_blocked = snapshot.is_blocked && !old.is_blocked;
        if old.state != snapshot.state || is_newly_blocked {
            let (from, to) = (old.state, snapshot.state);
            match snapshot.state {
                ServiceState::Fatal | ServiceState::Crashed if !is_optional => {
                    log::error!("{name}: {from} -> {to}. {message}");
                }
                _ => log::info!("{name}: {from} -> {to}. {message}"),
            }
            self.events.add(ServiceChange::new(name, Change::State, &snapshot));
        }
        if old.health != snapshot.health {
            self.events.add(ServiceChange::new(name, Change::Health, &snapshot));
        }
        let key =
            |snapshot: &ServiceSnapshot| (snapshot.state, snapshot.health, snapshot.is_blocked);
        if key(&old) == key(&snapshot) {
            return;
        }
        let is_given_up = matches!(snapshot.state, ServiceState::Fatal | ServiceState::Crashed);
        if is_given_up && !is_optional && !self.is_closing {
            self.context.on_fatal.notify();
        }
        self.release_waiting(name);
    }

    /// Replaces the message of a service, without an event.
    pub(super) fn update_message(&mut self, name: &str, message: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        message.clone_into(&mut entry.message);
        let snapshot = ServiceSnapshot { message: message.to_owned(), ..entry.handle.snapshot() };
        entry.handle.replace(snapshot);
    }

    /// Publishes the removal of a service.
    pub(super) fn publish_removed(&self, name: &str, snapshot: &ServiceSnapshot) {
        self.events.add(ServiceChange::new(name, Change::Removed, snapshot));
    }
}

/// Converts a future instant to a date.
fn as_date(at: Instant) -> DateTime<Utc> {
    Utc::now() + at.saturating_duration_since(Instant::now())
}
