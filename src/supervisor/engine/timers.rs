//! What is to happen to services later.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// It has run for long enough to be up.
    Settle,
    /// It has had long enough to become healthy.
    StartTimeout,
    /// A health check, by its place.
    Look(usize),
    /// The restart that it waits for.
    Restart,
    /// Its launch has taken longer than launches do.
    LaunchHangs,
    /// Its launch was cancelled and has not ended.
    LaunchGivenUp,
}

/// Something that is due for a service, unless its generation is another by then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub at: Instant,
    pub service: String,
    pub generation: u64,
    pub due: Due,
}

/// All that is to happen, the next first.
#[derive(Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    /// Adds one.
    pub fn add(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    /// When the next is due.
    pub fn next_at(&self) -> Option<Instant> {
        self.0.peek().map(|timer| timer.0.at)
    }

    /// The next that is due by `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next_at().is_none_or(|at| at > now) {
            return None;
        }
        self.0.pop().map(|timer| timer.0)
    }
}
