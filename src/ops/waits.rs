//! Waits on behalf of a client, which may disconnect meanwhile.

use super::client::Client;
use std::time::{Duration, Instant};

/// How often the client is checked while there is nothing to send: a closed connection does not
/// wake a thread that waits for something else.
const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Returns the time of the next check of the client.
#[must_use]
pub fn next_client_check() -> Instant {
    Instant::now() + CLIENT_CHECK_INTERVAL
}

/// Waits until `is_done` returns true, the wait is over, or the client has disconnected for good.
/// Returns the last result of `is_done`, which blocks until the instant it is given.
pub fn wait(client: &dyn Client, wait: Duration, mut is_done: impl FnMut(Instant) -> bool) -> bool {
    let end = Instant::now() + wait;
    loop {
        let is_done = is_done(end.min(next_client_check()));
        let is_abandoned = !client.may_retry() && client.has_left();
        if is_done || is_abandoned || Instant::now() >= end {
            return is_done;
        }
    }
}
