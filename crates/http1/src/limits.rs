//! The limits on what a client can make the server do.

use rustix::process::{Resource, getrlimit};
use std::time::Duration;

/// The maximum number of header lines in a head. Browsers send some 20; with this many, the table
/// of one head takes 3 KiB of stack.
pub(crate) const HEADERS_MAX: usize = 100;

/// The maximum number of query parameters: far more than any route has.
pub(crate) const QUERY_PARAMETERS_MAX: usize = 100;

/// The maximum length of a chunk's size line, including extensions, which are not used in
/// practice.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 256;

/// The maximum length of all trailers of a chunked body; they are read and dropped.
pub(crate) const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// The amount of a stream that is buffered in the hope that it ends (and gets a length), and the
/// size of each piece after that: the pipe size that the kernel's own copying uses.
pub(crate) const STREAM_HELD_BYTES_MAX: usize = 64 * 1024;

/// The limits of a server, in one struct so that a test can shorten them.
///
/// A client that exceeds a limit gets a response if one can still be sent, and is disconnected.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum number of open connections. `None`: min(512, soft `RLIMIT_NOFILE` / 4), so that
    /// most descriptors are left to the rest of the program.
    pub connections: Option<usize>,
    /// The maximum number of connections per client: an IPv4 address, an IPv6 network of 64 bits,
    /// or all programs of this machine. At that number its own most idle connection is evicted for
    /// its next. `None`: a quarter, so that no single source can use up all of them.
    pub client_connections: Option<usize>,
    /// The time limit for a whole head, from its first byte. 10 s: above any sane latency.
    pub head: Duration,
    /// The time limit for a whole body, from when the handler requests it. 60 s.
    pub body: Duration,
    /// The time limit for the first byte of the next head. 30 s: browsers and pools reconnect
    /// without a loss.
    pub idle: Duration,
    /// The time that one write may make no progress, and the time granted to a whole response in
    /// addition to its transfer time. 30 s.
    pub write: Duration,
    /// The value of [`Self::write`] for a client that has not shown credentials. 5 s: it only gets
    /// short refusals and public files.
    pub unauthenticated_write: Duration,
    /// The pause before the next request of such a client if it sent that before it got the last
    /// response. 50 ms: only attacks pipeline without credentials.
    pub unauthenticated_pause: Duration,
    /// The minimum rate of a reader for a response of known size, or for a stream's piece. 64
    /// KiB/s: a poor mobile link.
    pub write_bytes_per_second_min: u32,
    /// The maximum size of a head. 32 KiB: enough for the cookies of all programs on a shared
    /// `localhost`.
    pub head_bytes_max: usize,
    /// The amount of an unread body that is skipped to keep its connection. 64 KiB.
    pub skipped_body_bytes_max: usize,
    /// How long a connection that is being closed is still read, so that the client sees the
    /// response and not a reset. 2 s.
    pub linger: Duration,
    /// The maximum amount read in that time. 32 MiB: twice the largest body that a route accepts.
    pub linger_bytes_max: usize,
    /// How long a refused socket is kept after its 503. 1 s.
    pub refused: Duration,
    /// The stack size of a connection's thread. 512 KiB: handlers format JSON and compile small
    /// regexes, which need far less, and only touched pages use memory.
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            client_connections: None,
            head: Duration::from_secs(10),
            body: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            write: Duration::from_secs(30),
            unauthenticated_write: Duration::from_secs(5),
            unauthenticated_pause: Duration::from_millis(50),
            write_bytes_per_second_min: 64 * 1024,
            head_bytes_max: 32 * 1024,
            skipped_body_bytes_max: 64 * 1024,
            linger: Duration::from_secs(2),
            linger_bytes_max: 32 * 1024 * 1024,
            refused: Duration::from_secs(1),
            stack_bytes: 512 * 1024,
        }
    }
}

impl Limits {
    /// Returns the maximum number of connections, with `None` resolved.
    pub(crate) fn connections_max(&self) -> usize {
        self.connections.unwrap_or_else(|| {
            let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            usize::try_from(files / 4).unwrap_or(usize::MAX).clamp(1, 512)
        })
    }

    /// Returns the maximum number of connections per client, with `None` resolved.
    pub(crate) fn client_connections_max(&self) -> usize {
        self.client_connections.unwrap_or_else(|| self.connections_max().div_ceil(4))
    }

    /// Returns the transfer time granted for `bytes` bytes, in addition to the time without
    /// progress that any write has.
    pub(crate) fn transfer_time(&self, bytes: usize) -> Duration {
        let rate = f64::from(self.write_bytes_per_second_min.max(1));
        Duration::from_secs_f64(bytes as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_response_gets_more_time() {
        let limits = Limits::default();
        assert_eq!(limits.transfer_time(0), Duration::ZERO);
        assert_eq!(limits.transfer_time(64 * 1024 * 10), Duration::from_secs(10));
    }

    #[test]
    fn connections_are_at_most_512_unless_set() {
        assert!((1..=512).contains(&Limits::default().connections_max()));
        let set = Limits { connections: Some(3), ..Limits::default() };
        assert_eq!(set.connections_max(), 3);
    }
}
