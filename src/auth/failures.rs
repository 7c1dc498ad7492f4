//! A limit on failed authentication attempts per client.

use http1::{Caller, ClientKey};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The maximum number of failures per client and window.
const FAILURES_MAX: u32 = 10;

/// The length of a window.
const WINDOW: Duration = Duration::from_mins(1);

/// The maximum number of clients tracked. Beyond it the oldest window is dropped: counting does
/// not stop an attacker with that many addresses.
const CLIENTS_MAX: usize = 1024;

/// The counted identity: a client and, for clients on this machine, the user.
type Key = (ClientKey, Option<u32>);

/// The recent failures of each client.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Key, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    started: Instant,
    failures: u32,
}

/// The result of an authentication attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// The credentials are valid, and belong to this client.
    Valid(T),
    /// The credentials are invalid; the client may retry.
    Invalid,
    /// Too many failures: the credentials were not checked. The client may retry after this time.
    Refused(Duration),
}

impl Failures {
    /// Calls `find` to check a client's credentials, unless it has failed too often. Clients on
    /// this machine are counted by user, others by address.
    pub fn attempt<T>(&self, caller: Caller<'_>, find: impl FnOnce() -> Option<T>) -> Attempt<T> {
        // The user of a remote client is unknown.
        self.attempt_at((caller.key(), caller.user()), Instant::now(), find)
    }

    /// Checks under the lock, so that concurrent requests get no additional attempts.
    fn attempt_at<T>(
        &self,
        key: Key,
        now: Instant,
        find: impl FnOnce() -> Option<T>,
    ) -> Attempt<T> {
        let mut windows = self.0.lock();
        windows.retain(|_, window| now.saturating_duration_since(window.started) < WINDOW);
        if let Some(window) = windows.get(&key).filter(|it| it.failures >= FAILURES_MAX) {
            return Attempt::Refused((window.started + WINDOW).saturating_duration_since(now));
        }
        if let Some(client) = find() {
            return Attempt::Valid(client);
        }
        if windows.len() >= CLIENTS_MAX && !windows.contains_key(&key) {
            let oldest = windows.iter().min_by_key(|(_, window)| window.started);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                windows.remove(&oldest);
            }
        }
        windows.entry(key).or_insert(Window { started: now, failures: 0 }).failures += 1;
        Attempt::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Option<()> = Some(());
    const WRONG: Option<()> = None;

    fn client(address: &str) -> Key {
        (ClientKey::of(Some(address.parse().unwrap())), None)
    }

    #[test]
    fn after_ten_failures_nothing_is_checked() {
        let (failures, now) = (Failures::default(), Instant::now());
        let guesser = client("192.0.2.1");
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.attempt_at(guesser, now, || WRONG), Attempt::Invalid);
        }
        let later = now + Duration::from_secs(20);
        let wait = Attempt::<()>::Refused(Duration::from_secs(40));
        let compare = || panic!("it was compared");
        assert_eq!(failures.attempt_at(guesser, later, compare), wait);
        for other in [client("192.0.2.2"), (ClientKey::Local, Some(7))] {
            assert_eq!(failures.attempt_at(other, later, || RIGHT), Attempt::Valid(()));
        }
        assert_eq!(failures.attempt_at(guesser, now + WINDOW, || RIGHT), Attempt::Valid(()));
    }

    #[test]
    fn local_users_are_counted_separately() {
        let (failures, now) = (Failures::default(), Instant::now());
        let local = |uid| (ClientKey::Local, Some(uid));
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.attempt_at(local(1), now, || WRONG), Attempt::Invalid);
        }
        assert!(matches!(failures.attempt_at(local(1), now, || RIGHT), Attempt::Refused(_)));
        assert_eq!(failures.attempt_at(local(2), now, || RIGHT), Attempt::Valid(()));
    }

    #[test]
    fn the_number_of_tracked_clients_is_limited() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..5000_u32 {
            let address = std::net::Ipv4Addr::from(0xc000_0000 + number);
            let key = (ClientKey::of(Some(address.into())), None);
            assert_eq!(failures.attempt_at(key, now, || WRONG), Attempt::Invalid);
        }
        assert_eq!(failures.0.lock().len(), CLIENTS_MAX);
    }
}
