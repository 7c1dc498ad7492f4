//! Removing services: they are stopped, and gone once they are down.

use super::Engine;
use super::entry::Entry;
use crate::protocol::EndedBy;
use crate::runs;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::service_handle::{ServiceHandle, ServiceOrigin, ServiceSnapshot};
use std::sync::Arc;

impl Engine {
    /// Begins to remove a service that a client has added, and returns it. Joins a removal in
    /// progress.
    pub(super) fn remove(&mut self, name: &str) -> Result<Arc<ServiceHandle>> {
        if self.is_closing {
            return Err(runs::Error::ShuttingDown.into());
        }
        let Some(entry) = self.entries.get(name) else { return Err(self.unknown(name)) };
        let service = Arc::clone(&entry.handle);
        match entry.origin {
            ServiceOrigin::Leaving => return Ok(service),
            ServiceOrigin::InFile => return Err(Error::InFile { name: name.to_owned() }),
            ServiceOrigin::Added => {}
        }
        let needs = |entry: &Entry| entry.definition.config.depends_on.contains_key(name);
        let needing = self.entries.iter().filter(|(_, entry)| needs(entry));
        let mut by: Vec<String> = needing.map(|(name, _)| name.clone()).collect();
        if !by.is_empty() {
            by.sort_unstable();
            return Err(Error::Needed { name: name.to_owned(), by });
        }
        self.leave(name, EndedBy::Kill, "Stopping, to be removed.");
        Ok(service)
    }

    /// Stops a service, to be removed as soon as it is down. Returns whether it was down and is
    /// removed.
    pub(super) fn leave(&mut self, name: &str, by: EndedBy, message: &str) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        let (is_down, is_launching) =
            (entry.machine.state().is_down(), entry.machine.is_launching());
        entry.origin = ServiceOrigin::Leaving;
        // A service that is down has nothing to stop.
        let left = entry.leftovers();
        let action = entry.machine.stop(by, left).unwrap_or_default();
        self.perform(name, action);
        self.publish_status(name, message);
        if is_launching {
            self.cancel_launch(name);
        }
        is_down && !self.entries.contains_key(name)
    }

    /// Removes a service that is leaving, if it is down. Returns whether it was removed.
    pub(super) fn remove_if_leaving(&mut self, name: &str) -> bool {
        let is_over = |entry: &Entry| {
            entry.origin == ServiceOrigin::Leaving && entry.machine.state().is_down()
        };
        if self.is_closing || !self.entries.get(name).is_some_and(|entry| is_over(entry)) {
            return false;
        }
        if let Some(entry) = self.entries.remove(name) {
            self.roster.remove(name);
            let (state, message) = (entry.machine.state(), "Removed.".to_owned());
            let snapshot = ServiceSnapshot { state, message, ..entry.handle.snapshot() };
            entry.handle.replace(snapshot.clone());
            // Followers of its log receive its end.
            entry.handle.manager().close();
            self.publish_removed(name, &snapshot);
        }
        true
    }
}
