//! The log of service events, in order, for subscribers.

use super::service_handle::ServiceSnapshot;
use crate::protocol::{HealthStatus, ServiceState};
use chrono::{DateTime, Utc};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// The number of events kept for subscribers that reconnect.
const EVENTS_MAX: usize = 4096;

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The state changed.
    State,
    /// The health changed.
    Health,
    /// The service was removed.
    Removed,
}

/// A change of one service.
#[derive(Clone, Debug)]
pub struct Event {
    /// Number; increases, also across restarts of the supervisor.
    pub id: u64,
    /// Time of the change.
    pub at: DateTime<Utc>,
    /// Name of the service.
    pub service: String,
    /// Kind of the change.
    pub change: Change,
    /// State of the service after the change.
    pub state: ServiceState,
    /// Health of the service after the change.
    pub health: HealthStatus,
    /// Reason, in a sentence.
    pub message: String,
}

#[derive(Debug)]
struct Inner {
    events: VecDeque<Arc<Event>>,
    next: u64,
    is_closed: bool,
}

/// The last events, and the condition variable of threads that wait for more.
#[derive(Debug)]
pub struct EventLog {
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// The events since a given one.
#[derive(Debug)]
pub struct EventBatch {
    /// The events.
    pub events: Vec<Arc<Event>>,
    /// Whether some events are no longer kept.
    pub has_gap: bool,
    /// Whether no more events will follow.
    pub is_closed: bool,
}

impl EventLog {
    /// Creates an empty log, whose numbers are larger than those of an earlier one.
    pub(super) fn new() -> Self {
        let next = u64::try_from(Utc::now().timestamp_micros()).unwrap_or(1);
        let inner = Inner { events: VecDeque::new(), next, is_closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// Adds a change of a service, with its snapshot since then, and wakes waiting threads.
    pub(super) fn add(&self, service: &str, change: Change, snapshot: &ServiceSnapshot) {
        let (service, message) = (service.to_owned(), snapshot.message.clone());
        let (state, health) = (snapshot.state, snapshot.health);
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        let event = Event { id, at: Utc::now(), service, change, state, health, message };
        inner.events.push_back(Arc::new(event));
        if inner.events.len() > EVENTS_MAX {
            inner.events.pop_front();
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Marks the end of the events and wakes waiting threads.
    pub(super) fn close(&self) {
        self.inner().is_closed = true;
        self.changed.notify_all();
    }

    /// Returns the number of the last event.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.inner().next - 1
    }

    /// Returns the events after the event `id`. Blocks until there is one, or until `deadline`.
    #[must_use]
    pub fn wait_after(&self, id: u64, deadline: Instant) -> EventBatch {
        // An id that was never assigned: the gap is all that can be reported.
        let is_foreign = |inner: &Inner| id >= inner.next;
        let nothing_new = |inner: &mut Inner| {
            inner.next == id.saturating_add(1) && !is_foreign(inner) && !inner.is_closed
        };
        let mut inner = self.inner();
        self.changed.wait_while_until(&mut inner, nothing_new, deadline);
        let first_kept = inner.next - inner.events.len() as u64;
        let new = inner.events.iter().filter(|event| event.id > id);
        EventBatch {
            events: new.cloned().collect(),
            has_gap: is_foreign(&inner) || id + 1 < first_kept,
            is_closed: inner.is_closed,
        }
    }

    /// Waits until `condition` holds, which is checked after each event, or until `deadline`.
    /// Returns whether it holds.
    pub fn wait_until(&self, deadline: Instant, condition: impl Fn() -> bool) -> bool {
        loop {
            let (seen, is_closed) = {
                let inner = self.inner();
                (inner.next, inner.is_closed)
            };
            let so = condition();
            if so || is_closed || Instant::now() >= deadline {
                return so;
            }
            let unchanged = |inner: &mut Inner| inner.next == seen && !inner.is_closed;
            self.changed.wait_while_until(&mut self.inner(), unchanged, deadline);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}
