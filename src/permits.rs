//! Permits: a limit on the requests of one kind that are in progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pool of permits for one kind of requests.
#[derive(Debug)]
pub struct Permits {
    taken: Arc<AtomicUsize>,
    count_max: usize,
    /// What the requests with permits are doing, and advice; for the error if all are taken.
    full: (&'static str, &'static str),
}

/// The error that all permits are taken.
#[derive(Debug, thiserror::Error)]
#[error("{count_max} {doing}: {advice}.")]
pub struct TooManyRequests {
    /// How many there are.
    count_max: usize,
    /// Which requests hold them, and what they do.
    doing: &'static str,
    /// What to do, without a full stop.
    advice: &'static str,
}

/// A permit, held until it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Permits {
    /// Creates `count_max` permits. `full` is reported if all are taken: what the requests
    /// with permits do, and advice.
    #[must_use]
    pub fn new(count_max: usize, full: (&'static str, &'static str)) -> Self {
        Self { taken: Arc::default(), count_max, full }
    }

    /// Creates the permits of requests that wait or stream as long as the client wants.
    #[must_use]
    pub fn of_streams(count_max: usize) -> Self {
        let full = (
            "requests are already waiting or streaming",
            "try again, or raise LLM_SHELL_MAX_STREAMS",
        );
        Self::new(count_max, full)
    }

    /// Returns the number of permits taken, and the total.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.taken.load(Ordering::SeqCst), self.count_max)
    }

    /// Takes a permit, before the request has any effect. Does not block.
    ///
    /// # Errors
    /// `TooManyRequests` if all are taken.
    pub fn take(&self) -> Result<Permit, TooManyRequests> {
        let more = |taken| (taken < self.count_max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        taken.map(|_| Permit(Arc::clone(&self.taken))).map_err(|_| {
            let (doing, advice) = self.full;
            TooManyRequests { count_max: self.count_max, doing, advice }
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_permits_are_returned() {
        let permits = Permits::new(2, ("requests are busy", "try again"));
        let (_first, second) = (permits.take().unwrap(), permits.take().unwrap());
        let refused = permits.take().unwrap_err().to_string();
        assert_eq!(refused, "2 requests are busy: try again.");
        assert_eq!(permits.counts(), (2, 2));
        drop(second);
        assert_eq!(permits.counts(), (1, 2));
        assert!(permits.take().is_ok());
    }
}
