//! The end of it all: what depends on others is ended before those, the rest at the same time.

use super::Engine;
use super::entry::Entry;
use crate::protocol::EndedBy;
use crate::supervisor::life::Leftovers;
use std::collections::HashSet;

impl Engine {
    /// Begins to end everything; nothing is started any more.
    pub(super) fn shut_down(&mut self) {
        self.is_closing = true;
        // Those that only wait to be started need no order: what they depend on may go.
        let idle = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.life.is_waiting() || entry.life.restart_at().is_some());
        for name in idle.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.shut_one_down(&name);
        }
        self.go_on_shutting_down();
    }

    /// No order and no grace from now on.
    pub(super) fn force_shutdown(&mut self) {
        self.is_hurried = true;
        self.entries.values().for_each(|entry| entry.it.manager().force_shutdown());
        self.go_on_shutting_down();
    }

    /// Ends those that nothing that lives depends on any more.
    pub(super) fn go_on_shutting_down(&mut self) {
        if !self.is_closing {
            return;
        }
        let living = self.entries.values().filter(|entry| !is_over(entry));
        let needed: HashSet<&String> =
            living.flat_map(|entry| entry.config.depends_on.keys()).collect();
        let is_next = |name: &String, entry: &Entry| {
            let is_free = self.is_hurried || !needed.contains(name);
            is_free && !entry.is_shut_down && !is_over(entry)
        };
        let next = self.entries.iter().filter(|(name, entry)| is_next(name, entry));
        let names: Vec<String> = next.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.shut_one_down(&name);
        }
    }

    fn shut_one_down(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        // Asked once: whatever is under way then ends with it down.
        entry.is_shut_down = true;
        let is_launching = entry.life.is_launching();
        let left = entry.leftovers();
        let action = entry.life.stop(EndedBy::Shutdown, left).unwrap_or_default();
        self.perform(name, action);
        self.publish_status(name, "Stopping: the supervisor is shutting down.");
        if is_launching {
            self.cancel_launch(name);
        }
    }

    /// Whether nothing lives any more.
    pub(super) fn is_all_down(&self) -> bool {
        self.entries.values().all(|entry| is_over(entry))
    }
}

/// Whether nothing of a service lives, or nothing that could be ended.
fn is_over(entry: &Entry) -> bool {
    let is_ended = || entry.is_shut_down || entry.leftovers() == Leftovers::None;
    let is_left_behind = entry.is_shut_down && entry.stuck.is_some();
    is_left_behind || (entry.life.state().is_down() && is_ended())
}
