//! How many requests may wait or stream at once.

use crate::http::{HeaderValue, Problem, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a client that finds no slot is told to wait, in seconds.
const RETRY_SECONDS: u16 = 1;

/// The slots of one server, for one kind of requests.
#[derive(Debug)]
pub struct Slots {
    taken: Arc<AtomicUsize>,
    count_max: usize,
    /// What is said where all are taken: what they do, and what else to do than to try again.
    full: &'static str,
}

/// A slot that is taken, until it is dropped.
#[derive(Debug)]
pub struct Slot(Arc<AtomicUsize>);

impl Slots {
    /// So many slots. `full` is said behind their number where all are taken.
    pub fn new(count_max: usize, full: &'static str) -> Self {
        Self { taken: Arc::default(), count_max, full }
    }

    /// Those of requests that wait or stream as long as the client wants.
    pub fn of_streams(count_max: usize) -> Self {
        Self::new(
            count_max,
            "requests wait or stream already: try again, or raise LLM_SHELL_MAX_STREAMS",
        )
    }

    /// How many are taken, and how many there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.taken.load(Ordering::SeqCst), self.count_max)
    }

    /// Takes one, before the request had any effect.
    ///
    /// # Errors
    /// 503 where all are taken.
    pub fn take(&self) -> Result<Slot, Problem> {
        let more = |taken| (taken < self.count_max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        taken.map(|_| Slot(Arc::clone(&self.taken))).map_err(|_| {
            let detail = format!("{} {}.", self.count_max, self.full);
            let again = HeaderValue::from(RETRY_SECONDS);
            Problem::unavailable(detail).with_header(header::RETRY_AFTER, again)
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_given_back_when_it_is_dropped() {
        let slots = Slots::new(2, "are busy: try again");
        let (_first, second) = (slots.take().unwrap(), slots.take().unwrap());
        assert_eq!(slots.take().unwrap_err().code(), "unavailable");
        assert_eq!(slots.counts(), (2, 2));
        drop(second);
        assert_eq!(slots.counts(), (1, 2));
        assert!(slots.take().is_ok());
    }
}
