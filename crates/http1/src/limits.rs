//! Every number that bounds what a client can make the server do.

use rustix::process::{Resource, getrlimit};
use std::time::Duration;

/// How many header lines a head may have. Browsers send some 20; with this many the table of
/// one head is 3 KiB on the stack.
pub(crate) const HEADERS_MAX: usize = 100;

/// How many parameters a query may have: far over what any route knows.
pub(crate) const QUERY_PARAMETERS_MAX: usize = 100;

/// How long one chunk's size line may be, extensions included: nobody uses those.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 256;

/// How long all trailers of a chunked body may be together; they are read and dropped.
pub(crate) const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// How much of a stream is held back in the hope that it ends (and has a length), and the size
/// of a piece from then on: the pipe size that the kernel's own copying uses.
pub(crate) const STREAM_HELD_BYTES_MAX: usize = 64 * 1024;

/// The numbers of one server, all in one place so that a test can shorten them.
///
/// A client that exceeds one is answered where an answer can still be given, and disconnected.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections are open at once. `None`: min(512, soft `RLIMIT_NOFILE` / 4), so
    /// that most descriptors are left to the rest of the program.
    pub connections: Option<usize>,
    /// How many of them one client may have: an IPv4 address, an IPv6 network of 64 bits, or all
    /// programs of this machine. At that number its own most idle connection is closed for its
    /// next. `None`: a quarter, so that no crowd from one place fills them all.
    pub client_connections: Option<usize>,
    /// How long the whole head may take, from its first byte. 10 s: over any sane latency.
    pub head: Duration,
    /// How long the whole body may take, from when the handler asks for it. 60 s.
    pub body: Duration,
    /// How long a connection may wait for the first byte of its next head. 30 s: browsers and
    /// pools open again without a loss.
    pub idle: Duration,
    /// How long one write may make no progress, and what a whole answer is given beside its
    /// size's share. 30 s.
    pub write: Duration,
    /// The same for a client that has not shown credentials. 5 s: it gets short refusals, and the
    /// files that are public.
    pub stranger_write: Duration,
    /// How long such a client that sends its next request before it has the answer to the last
    /// one waits for that. 50 ms: no program but an attack does so without credentials.
    pub stranger_pause: Duration,
    /// The slowest reader that an answer of known size, or a stream's piece, is kept up for.
    /// 64 KiB/s: a poor mobile link.
    pub write_bytes_per_second_min: u32,
    /// The size of a head. 32 KiB: cookies of every program on a shared `localhost` fit.
    pub head_bytes_max: usize,
    /// How much of a body that no handler read is skipped to keep its connection. 64 KiB.
    pub skipped_body_bytes_max: usize,
    /// How long a connection that is being given up is still read, so that the client sees the
    /// answer and not a reset. 2 s.
    pub linger: Duration,
    /// How much is read in that time. 32 MiB: twice the largest body that a route takes.
    pub linger_bytes_max: usize,
    /// How long a refused newcomer's socket is kept after its 503. 1 s.
    pub refused: Duration,
    /// The stack of a connection's thread. 512 KiB: handlers format JSON and compile small
    /// regexes, which is far below, and only pages that were touched count as memory.
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
            stranger_write: Duration::from_secs(5),
            stranger_pause: Duration::from_millis(50),
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
    /// How many connections may be open at once, with `None` resolved.
    pub(crate) fn connections_max(&self) -> usize {
        self.connections.unwrap_or_else(|| {
            let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            usize::try_from(files / 4).unwrap_or(usize::MAX).clamp(1, 512)
        })
    }

    /// How many connections one client may have, with `None` resolved.
    pub(crate) fn client_connections_max(&self) -> usize {
        self.client_connections.unwrap_or_else(|| self.connections_max().div_ceil(4))
    }

    /// How long `bytes` may take to be written as a whole, beside the time without progress that
    /// any write has.
    pub(crate) fn share_of(&self, bytes: usize) -> Duration {
        let rate = f64::from(self.write_bytes_per_second_min.max(1));
        Duration::from_secs_f64(bytes as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_answer_is_given_time_in_proportion() {
        let limits = Limits::default();
        assert_eq!(limits.share_of(0), Duration::ZERO);
        assert_eq!(limits.share_of(64 * 1024 * 10), Duration::from_secs(10));
    }

    #[test]
    fn connections_are_at_most_512_unless_set() {
        assert!((1..=512).contains(&Limits::default().connections_max()));
        let set = Limits { connections: Some(3), ..Limits::default() };
        assert_eq!(set.connections_max(), 3);
    }
}
