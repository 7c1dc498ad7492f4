//! What tests that talk to a server need: a client of bytes, and waiting that ends as soon as there
//! is nothing to wait for. The tests of the program have this folder by a symbolic link, so that
//! the packages of both hold it.

#![allow(dead_code, reason = "each of the test binaries that include it uses a part")]

pub mod raw;

use std::time::{Duration, Instant};

/// How long anything may take that has no reason to take long, on a machine under load.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `look` gives something, and gives that; fails naming `what` when it never does.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_or(|| what.to_owned(), look)
}

/// Waits as [`eventually`] does; `what` is called when it fails, and describes the state then.
#[track_caller]
pub fn eventually_or<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {}", what());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
