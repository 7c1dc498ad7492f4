//! How often a client has shown wrong credentials lately.

use http1::{Caller, ClientKey};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many wrong credentials a client may show in a window.
const FAILURES_MAX: u32 = 10;

/// The length of a window.
const WINDOW: Duration = Duration::from_mins(1);

/// How many clients are remembered. Over this the oldest window is forgotten: a guesser with so
/// many addresses is not held up by counting.
const CLIENTS_MAX: usize = 1024;

/// Who is counted: a client, and of those on this machine the user.
type Key = (ClientKey, Option<u32>);

/// The wrong credentials of each client.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Key, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    failures: u32,
}

/// What came of showing credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// They are right.
    Right,
    /// They are wrong, and there may be others.
    Wrong,
    /// There were too many wrong ones: these were not looked at. So long until there may be
    /// others.
    Refused(Duration),
}

impl Failures {
    /// Has `is_right` compare what a client shows, unless it was wrong too often. Where the client
    /// is on this machine its user counts, else its address.
    pub fn attempt(&self, caller: Caller<'_>, is_right: impl FnOnce() -> bool) -> Attempt {
        // Of a client elsewhere nobody knows the user.
        self.attempt_at((caller.key(), caller.user()), Instant::now(), is_right)
    }

    /// The comparison is made under the lock, so that no crowd of requests at once gets more.
    fn attempt_at(&self, key: Key, now: Instant, is_right: impl FnOnce() -> bool) -> Attempt {
        let mut windows = self.0.lock();
        windows.retain(|_, window| now.saturating_duration_since(window.began) < WINDOW);
        if let Some(window) = windows.get(&key).filter(|it| it.failures >= FAILURES_MAX) {
            return Attempt::Refused((window.began + WINDOW).saturating_duration_since(now));
        }
        if is_right() {
            return Attempt::Right;
        }
        if windows.len() >= CLIENTS_MAX && !windows.contains_key(&key) {
            let oldest = windows.iter().min_by_key(|(_, window)| window.began);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                windows.remove(&oldest);
            }
        }
        windows.entry(key).or_insert(Window { began: now, failures: 0 }).failures += 1;
        Attempt::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Key {
        (ClientKey::of(Some(address.parse().unwrap())), None)
    }

    #[test]
    fn after_ten_failures_nothing_is_compared() {
        let (failures, now) = (Failures::default(), Instant::now());
        let guesser = client("192.0.2.1");
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.attempt_at(guesser, now, || false), Attempt::Wrong);
        }
        let later = now + Duration::from_secs(20);
        let wait = Attempt::Refused(Duration::from_secs(40));
        let compare = || panic!("it was compared");
        assert_eq!(failures.attempt_at(guesser, later, compare), wait);
        for other in [client("192.0.2.2"), (ClientKey::Local, Some(7))] {
            assert_eq!(failures.attempt_at(other, later, || true), Attempt::Right);
        }
        assert_eq!(failures.attempt_at(guesser, now + WINDOW, || true), Attempt::Right);
    }

    #[test]
    fn users_of_this_machine_are_counted_apart() {
        let (failures, now) = (Failures::default(), Instant::now());
        let local = |uid| (ClientKey::Local, Some(uid));
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.attempt_at(local(1), now, || false), Attempt::Wrong);
        }
        assert!(matches!(failures.attempt_at(local(1), now, || true), Attempt::Refused(_)));
        assert_eq!(failures.attempt_at(local(2), now, || true), Attempt::Right);
    }

    #[test]
    fn only_so_many_clients_are_remembered() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..5000_u32 {
            let address = std::net::Ipv4Addr::from(0xc000_0000 + number);
            let key = (ClientKey::of(Some(address.into())), None);
            assert_eq!(failures.attempt_at(key, now, || false), Attempt::Wrong);
        }
        assert_eq!(failures.0.lock().len(), CLIENTS_MAX);
    }
}
