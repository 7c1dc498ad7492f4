//! Timers of services.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// The kind of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// It has run long enough to count as up.
    Settle,
    /// Its time to become healthy is over.
    StartTimeout,
    /// A probe of a health check, by its index.
    Probe(usize),
    /// A restart after a backoff.
    Restart,
    /// Its launch takes unusually long.
    LaunchHangs,
    /// Its launch was cancelled and has still not ended.
    LaunchGivenUp,
}

/// A timer of a service, void if the generation of the service has changed by then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub at: Instant,
    pub service: String,
    pub generation: u64,
    pub due: Due,
}

/// All timers, the next one first.
#[derive(Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    /// Adds a timer.
    pub fn add(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    /// Returns when the next timer is due.
    pub fn next_at(&self) -> Option<Instant> {
        self.0.peek().map(|timer| timer.0.at)
    }

    /// Removes and returns the next timer that is due by `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next_at().is_none_or(|at| at > now) {
            return None;
        }
        self.0.pop().map(|timer| timer.0)
    }
}
