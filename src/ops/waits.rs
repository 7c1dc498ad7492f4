//! Waits on behalf of a client, which may leave meanwhile.

use super::client::Client;
use std::time::{Duration, Instant};

/// How often the client is checked while there is nothing to send: a closed connection wakes
/// nobody who waits for something else.
const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Returns when the client is to be checked next.
#[must_use]
pub fn next_client_check() -> Instant {
    Instant::now() + CLIENT_CHECK_INTERVAL
}

/// Waits until `has_come`, until the time is over, or until the client has left for good. Returns
/// whether it has come. `has_come` waits itself, until the instant that it is given.
pub fn wait(
    client: &dyn Client,
    wait: Duration,
    mut has_come: impl FnMut(Instant) -> bool,
) -> bool {
    let end = Instant::now() + wait;
    loop {
        let has_come = has_come(end.min(next_client_check()));
        let is_left = !client.may_come_again() && client.has_left();
        if has_come || is_left || Instant::now() >= end {
            return has_come;
        }
    }
}
