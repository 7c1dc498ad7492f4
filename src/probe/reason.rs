//! Reasons why a check failed, in a few words.

use std::io;
use std::time::Duration;

/// Prefix of the standard library's errors from the resolver, for which it has no kind.
const LOOKUP_FAILED: &str = "failed to lookup address information: ";

/// Error for a name without an address.
pub(super) const UNKNOWN_HOST: &str = "the host cannot be resolved";

/// Describes an error of the kernel.
pub(super) fn io_reason(error: &io::Error, timeout: Duration) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => no_answer(timeout),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => match error.to_string().strip_prefix(LOOKUP_FAILED) {
            Some(why) => format!("{UNKNOWN_HOST} ({why})"),
            None => error.to_string(),
        },
    }
}

/// Returns the error of a probe whose time is up.
pub(super) fn no_answer(timeout: Duration) -> String {
    format!("no answer within {} s", timeout.as_secs_f64())
}
