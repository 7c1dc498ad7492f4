//! Pages of the events of services.

use super::client::Client;
use super::error::Result;
use super::services::Services;
use super::waits;
use crate::supervisor::Event;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events of services, in order.
#[derive(Debug)]
pub struct ServiceEventPage {
    /// The events.
    pub events: Vec<Arc<Event>>,
    /// Id of the last one: pass it as `after` for what follows.
    pub next: u64,
    /// Whether events after the given one are missing, because they are no longer kept.
    pub has_gap: bool,
}

impl Services {
    /// Returns the first events after one, at most `limit`. With `wait`, blocks until there is one.
    ///
    /// # Errors
    /// `TooManyRequests`.
    pub fn events_after(
        &self,
        client: &dyn Client,
        after: u64,
        limit: usize,
        wait: Option<Duration>,
    ) -> Result<ServiceEventPage> {
        let log = self.supervisor().events();
        let _permit = wait.map(|_| self.streams().take()).transpose()?;
        let mut batch = log.wait_after(after, Instant::now());
        if let Some(wait) = wait.filter(|_| batch.events.is_empty() && !batch.has_gap) {
            waits::wait(client, wait, |until| {
                batch = log.wait_after(after, until);
                !batch.events.is_empty() || batch.has_gap || batch.is_closed
            });
        }
        let mut events = batch.events;
        events.truncate(limit);
        // After a gap without events, what happens from now on follows.
        let without = if batch.has_gap { log.last_id() } else { after };
        let next = events.last().map_or(without, |event| event.id);
        Ok(ServiceEventPage { events, next, has_gap: batch.has_gap })
    }

    /// Returns the last events, at most `limit`.
    #[must_use]
    pub fn last_events(&self, limit: usize) -> ServiceEventPage {
        let log = self.supervisor().events();
        let mut events = log.wait_after(0, Instant::now()).events;
        events.drain(..events.len().saturating_sub(limit));
        let next = events.last().map_or_else(|| log.last_id(), |event| event.id);
        ServiceEventPage { events, next, has_gap: false }
    }
}
