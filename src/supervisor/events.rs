//! What happened to services, in order, for whoever wants to be told.

use super::service_handle::ServiceSnapshot;
use crate::protocol::{HealthStatus, ServiceState};
use chrono::{DateTime, Utc};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// How many events are kept for those who come back.
const EVENTS_MAX: usize = 4096;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The state.
    State,
    /// The health.
    Health,
    /// There is no such service any more.
    Removed,
}

/// A change of one service.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number. They grow, over restarts of the supervisor too.
    pub id: u64,
    /// When it was.
    pub at: DateTime<Utc>,
    /// The service.
    pub service: String,
    /// What changed.
    pub change: Change,
    /// Its state then.
    pub state: ServiceState,
    /// Its health then.
    pub health: HealthStatus,
    /// Why, in a sentence.
    pub message: String,
}

#[derive(Debug)]
struct Inner {
    events: VecDeque<Arc<Event>>,
    next: u64,
    is_closed: bool,
}

/// The last events, and those who wait for more.
#[derive(Debug)]
pub struct EventLog {
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// What came since an event.
#[derive(Debug)]
pub struct News {
    /// The events.
    pub events: Vec<Arc<Event>>,
    /// Whether some are not kept any more.
    pub has_gap: bool,
    /// Whether there will be no more.
    pub is_closed: bool,
}

impl EventLog {
    /// An empty one. Its numbers are larger than those of one that began earlier.
    pub(super) fn new() -> Self {
        let next = u64::try_from(Utc::now().timestamp_micros()).unwrap_or(1);
        let inner = Inner { events: VecDeque::new(), next, is_closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// Adds a change of a service, of which these are the facts since, and wakes those who wait.
    pub(super) fn add(&self, service: &str, change: Change, facts: &ServiceSnapshot) {
        let (service, message) = (service.to_owned(), facts.message.clone());
        let (state, health) = (facts.state, facts.health);
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

    /// Says that there will be no more.
    pub(super) fn close(&self) {
        self.inner().is_closed = true;
        self.changed.notify_all();
    }

    /// The number of the last event.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.inner().next - 1
    }

    /// What came after the event `id`, at once where there is something, else as soon as there is
    /// or until `deadline`.
    #[must_use]
    pub fn wait_after(&self, id: u64, deadline: Instant) -> News {
        // Of an id that was never given, nothing can be told but that.
        let is_foreign = |inner: &Inner| id >= inner.next;
        let nothing_new = |inner: &mut Inner| {
            inner.next == id.saturating_add(1) && !is_foreign(inner) && !inner.is_closed
        };
        let mut inner = self.inner();
        self.changed.wait_while_until(&mut inner, nothing_new, deadline);
        let first_kept = inner.next - inner.events.len() as u64;
        let new = inner.events.iter().filter(|event| event.id > id);
        News {
            events: new.cloned().collect(),
            has_gap: is_foreign(&inner) || id + 1 < first_kept,
            is_closed: inner.is_closed,
        }
    }

    /// Waits until `is_so`, looking at each event, or until `deadline`. Whether it is.
    pub fn wait_until(&self, deadline: Instant, is_so: impl Fn() -> bool) -> bool {
        loop {
            let (seen, is_closed) = {
                let inner = self.inner();
                (inner.next, inner.is_closed)
            };
            let so = is_so();
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
