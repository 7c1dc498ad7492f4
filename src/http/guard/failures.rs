//! How often an address was wrong lately.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many wrong credentials an address may show in a window.
const FAILURES_MAX: u32 = 10;

/// The length of a window.
const WINDOW: Duration = Duration::from_mins(1);

/// How many addresses are remembered. Over this the oldest window is forgotten: a guesser with
/// so many addresses is not held up by counting.
const ADDRESSES_MAX: usize = 1024;

/// The wrong credentials of each address; `None` is whoever comes over a Unix socket.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Option<IpAddr>, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    failures: u32,
}

impl Failures {
    /// Counts one failure. `Err` gives how long to wait where there were ten before it within a
    /// minute.
    pub fn count(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| now.saturating_duration_since(window.began) < WINDOW);
        if windows.len() >= ADDRESSES_MAX && !windows.contains_key(&address) {
            let oldest = windows.iter().min_by_key(|(_, window)| window.began);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                windows.remove(&oldest);
            }
        }
        let window = windows.entry(address).or_insert(Window { began: now, failures: 0 });
        window.failures = window.failures.saturating_add(1);
        if window.failures <= FAILURES_MAX {
            return Ok(());
        }
        Err((window.began + WINDOW).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_minute_are_too_many_for_one_address() {
        let (failures, now) = (Failures::default(), Instant::now());
        let address = Some("192.0.2.1".parse().unwrap());
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.count(address, now), Ok(()));
        }
        let later = now + Duration::from_secs(20);
        assert_eq!(failures.count(address, later), Err(Duration::from_secs(40)));
        assert_eq!(failures.count(Some("192.0.2.2".parse().unwrap()), later), Ok(()));
        assert_eq!(failures.count(None, later), Ok(()));
        assert_eq!(failures.count(address, now + WINDOW), Ok(()));
    }

    #[test]
    fn only_so_many_addresses_are_remembered() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..5000_u32 {
            let address = std::net::Ipv4Addr::from(number);
            assert_eq!(failures.count(Some(address.into()), now), Ok(()));
        }
        assert_eq!(failures.0.lock().unwrap().len(), ADDRESSES_MAX);
    }
}
