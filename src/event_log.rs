//! A log of events in memory, in order, for subscribers.

use chrono::{DateTime, Utc};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// The number of events kept for subscribers that reconnect.
const EVENTS_MAX: usize = 4096;

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// Number; increases, also across restarts of the server.
    pub id: u64,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// The event.
    pub event: T,
}

#[derive(Debug)]
struct Inner<T> {
    events: VecDeque<Arc<Entry<T>>>,
    next: u64,
    /// Number of calls of `wake`.
    wakes: u64,
    is_closed: bool,
}

/// The last events, and the condition variable of threads that wait for more.
#[derive(Debug)]
pub struct EventLog<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
}

/// The events since a given one.
#[derive(Debug)]
pub struct EventBatch<T> {
    /// The events.
    pub events: Vec<Arc<Entry<T>>>,
    /// Whether some events are no longer kept.
    pub has_gap: bool,
    /// Whether no more events will follow.
    pub is_closed: bool,
}

impl<T> Default for EventLog<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> EventLog<T> {
    /// Creates an empty log, whose numbers are larger than those of an earlier one.
    #[must_use]
    pub fn new() -> Self {
        let next = u64::try_from(Utc::now().timestamp_micros()).unwrap_or(1);
        let inner = Inner { events: VecDeque::new(), next, wakes: 0, is_closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// Adds an event, and wakes waiting threads.
    pub fn add(&self, event: T) {
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        inner.events.push_back(Arc::new(Entry { id, at: Utc::now(), event }));
        if inner.events.len() > EVENTS_MAX {
            inner.events.pop_front();
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Wakes waiting threads without an event: something else that they report may have changed.
    pub fn wake(&self) {
        self.inner().wakes += 1;
        self.changed.notify_all();
    }

    /// Marks the end of the events and wakes waiting threads.
    pub fn close(&self) {
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
    pub fn wait_after(&self, id: u64, deadline: Instant) -> EventBatch<T> {
        self.wait_after_or(id, deadline, |_| false)
    }

    /// Returns the events after the event `id`. Blocks until there is one, until there was a `wake`
    /// after `wakes` of them, which is set to their number, or until `deadline`.
    #[must_use]
    pub fn wait_after_or_wake(&self, id: u64, wakes: &mut u64, deadline: Instant) -> EventBatch<T> {
        self.wait_after_or(id, deadline, |inner| {
            std::mem::replace(wakes, inner.wakes) != inner.wakes
        })
    }

    fn wait_after_or(
        &self,
        id: u64,
        deadline: Instant,
        mut is_enough: impl FnMut(&Inner<T>) -> bool,
    ) -> EventBatch<T> {
        // An id that was never assigned: the gap is all that can be reported.
        let is_foreign = |inner: &Inner<T>| id >= inner.next;
        let nothing_new = |inner: &mut Inner<T>| {
            inner.next == id.saturating_add(1)
                && !is_foreign(inner)
                && !inner.is_closed
                && !is_enough(inner)
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
            let unchanged = |inner: &mut Inner<T>| inner.next == seen && !inner.is_closed;
            self.changed.wait_while_until(&mut self.inner(), unchanged, deadline);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock()
    }
}
