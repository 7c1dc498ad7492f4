//! Waiting on behalf of a client, who may leave meanwhile.

use super::idempotency::KEY_HEADER;
use crate::http::{Method, Request};
use std::time::{Duration, Instant};

/// How often a client that says nothing is looked after while there is nothing to send: a socket
/// that is hung up wakes nobody who waits for something else.
const CLIENT_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long an event stream is silent at most, so that what is between keeps it open.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What is sent then, which clients of event streams pass over.
pub const HEARTBEAT: &[u8] = b": still here\n\n";

/// When the client is to be looked after.
pub fn next_look() -> Instant {
    Instant::now() + CLIENT_LOOK_INTERVAL
}

/// Waits until something has come, or the time is over, or the client is gone. Whether it has.
/// `comes_by` waits itself, until the instant that it is given, and tells the same. Where the
/// request has an Idempotency-Key the wait goes on without the client: whoever sends it again
/// gets the answer that it ends with.
pub fn wait(
    request: &Request<'_>,
    wait: Duration,
    mut comes_by: impl FnMut(Instant) -> bool,
) -> bool {
    let end = Instant::now() + wait;
    let may_come_again = request.method() == Method::POST && request.header(KEY_HEADER).is_some();
    loop {
        let has_come = comes_by(end.min(next_look()));
        let is_left = !may_come_again && request.client_gone();
        if has_come || is_left || Instant::now() >= end {
            return has_come;
        }
    }
}
