//! Shutdown: services are stopped before their dependencies, independent ones in parallel.

use super::Engine;
use super::entry::Entry;
use crate::protocol::EndedBy;
use crate::supervisor::state_machine::Leftovers;
use std::collections::HashSet;

impl Engine {
    /// Starts to stop all services; none is started any more.
    pub(super) fn shut_down(&mut self) {
        self.is_closing = true;
        // Services that only wait to be started need no order.
        let idle = self.entries.iter().filter(|(_, entry)| {
            entry.machine.is_waiting() || entry.machine.restart_at().is_some()
        });
        for name in idle.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.shut_down_one(&name);
        }
        self.continue_shutdown();
    }

    /// Stops the remaining services without order and without grace.
    pub(super) fn force_shutdown(&mut self) {
        self.is_forced = true;
        self.entries.values().for_each(|entry| entry.handle.manager().force_shutdown());
        self.continue_shutdown();
    }

    /// Stops the services that no live service depends on.
    pub(super) fn continue_shutdown(&mut self) {
        if !self.is_closing {
            return;
        }
        let living = self.entries.values().filter(|entry| !is_over(entry));
        let needed: HashSet<&String> =
            living.flat_map(|entry| entry.config.depends_on.keys()).collect();
        let is_next = |name: &String, entry: &Entry| {
            let is_free = self.is_forced || !needed.contains(name);
            is_free && !entry.is_shut_down && !is_over(entry)
        };
        let next = self.entries.iter().filter(|(name, entry)| is_next(name, entry));
        let names: Vec<String> = next.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.shut_down_one(&name);
        }
    }

    fn shut_down_one(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        // Requested once: any operation in progress then ends with the service down.
        entry.is_shut_down = true;
        let is_launching = entry.machine.is_launching();
        let left = entry.leftovers();
        let action = entry.machine.stop(EndedBy::Shutdown, left).unwrap_or_default();
        self.perform(name, action);
        self.publish_status(name, "Stopping: the supervisor is shutting down.");
        if is_launching {
            self.cancel_launch(name);
        }
    }

    /// Whether all services are down.
    pub(super) fn is_all_down(&self) -> bool {
        self.entries.values().all(|entry| is_over(entry))
    }
}

/// Whether no process of a service is alive, apart from those that cannot be ended.
fn is_over(entry: &Entry) -> bool {
    let is_ended = || entry.is_shut_down || entry.leftovers() == Leftovers::None;
    let is_left_behind = entry.is_shut_down && entry.stuck.is_some();
    is_left_behind || (entry.machine.state().is_down() && is_ended())
}
