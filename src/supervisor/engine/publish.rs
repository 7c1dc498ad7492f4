//! What others get to see of a service: its facts, and an event for each change.

use super::Engine;
use crate::protocol::{HealthStatus, ServiceState};
use crate::supervisor::events::Change;
use crate::supervisor::service_handle::ServiceSnapshot;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Instant;

impl Engine {
    /// Tells what a service is now and why, and lets those go on that wait for it.
    pub(super) fn publish_status(&mut self, name: &str, message: &str) {
        // Who waits for one that leaves waits until it is gone, so it is not told to be down first.
        if self.remove_if_leaving(name) {
            return self.release_waiting(name);
        }
        let Some(entry) = self.entries.get_mut(name) else { return };
        message.clone_into(&mut entry.message);
        if !entry.life.is_up() {
            entry.health = HealthStatus::Unknown;
        }
        entry.is_blocked &= entry.life.is_waiting();
        let facts = ServiceSnapshot {
            state: entry.life.state(),
            health: entry.health,
            message: entry.message.clone(),
            restarts: entry.life.restarts(),
            last_restart: entry.last_restart,
            next_restart_at: entry.life.restart_at().map(as_date),
            standing: entry.standing,
            is_blocked: entry.is_blocked,
            config: Arc::clone(&entry.config),
        };
        let old = entry.it.replace(facts.clone());
        let is_optional = entry.config.is_optional;
        let is_newly_blocked = facts.is_blocked && !old.is_blocked;
        if old.state != facts.state || is_newly_blocked {
            let (from, to) = (old.state, facts.state);
            match facts.state {
                ServiceState::Fatal | ServiceState::Crashed if !is_optional => {
                    log::error!("{name}: {from} -> {to}. {message}");
                }
                _ => log::info!("{name}: {from} -> {to}. {message}"),
            }
            self.events.add(name, Change::State, &facts);
        }
        if old.health != facts.health {
            self.events.add(name, Change::Health, &facts);
        }
        let told = |facts: &ServiceSnapshot| (facts.state, facts.health, facts.is_blocked);
        if told(&old) == told(&facts) {
            return;
        }
        let is_given_up = matches!(facts.state, ServiceState::Fatal | ServiceState::Crashed);
        if is_given_up && !is_optional && !self.is_closing {
            self.tools.on_fatal.tell();
        }
        self.release_waiting(name);
    }

    /// Changes only what is said of why a service is in its state, which is no event.
    pub(super) fn explain(&mut self, name: &str, message: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        message.clone_into(&mut entry.message);
        let facts = ServiceSnapshot { message: message.to_owned(), ..entry.it.facts() };
        entry.it.replace(facts);
    }

    /// Tells that a service is gone.
    pub(super) fn tell_removed(&self, name: &str, facts: &ServiceSnapshot) {
        self.events.add(name, Change::Removed, facts);
    }
}

/// An instant to come, as a date.
fn as_date(at: Instant) -> DateTime<Utc> {
    Utc::now() + at.saturating_duration_since(Instant::now())
}
