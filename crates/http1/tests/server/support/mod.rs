//! Helpers for tests that talk to a server: a raw client, and waiting that ends as soon as its
//! condition holds. The tests of the program include this folder by a symbolic link, so that both
//! packages contain it.

#![allow(dead_code, reason = "each of the test binaries that include it uses a part")]

pub mod raw;

use std::time::{Duration, Instant};

/// The time limit for anything that should be quick, on a machine under load.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `probe` returns a value, and returns it; panics with `what` if it never does.
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    eventually_or(|| what.to_owned(), probe)
}

/// Waits as [`eventually`] does; on failure, `what` is called to describe the state.
#[track_caller]
pub fn eventually_or<T>(what: impl Fn() -> String, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {}", what());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
