//! The open connections: admission, eviction at the cap, and waiting for them to end.

use crate::connection_state::ConnectionState;
use crate::peer::ClientKey;
use crate::socket::Socket;
use rustix::net::SocketAddrAny;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the accept loop waits for an evicted connection to end. Its thread has nothing left to
/// do but return, so this is for a machine that is busy elsewhere: a tenth of it was too short
/// beside two builds on two cores.
const EVICTION_WAIT: Duration = Duration::from_secs(1);

/// The connections of one server.
#[derive(Debug)]
pub(crate) struct Registry {
    connections: Mutex<Connections>,
    released: Condvar,
    closing: AtomicBool,
    last_number: AtomicU64,
    connections_max: usize,
    /// The maximum per client; at that number its own most idle connection is evicted for its
    /// next.
    client_connections_max: usize,
    epoch: Instant,
}

#[derive(Debug, Default)]
struct Connections {
    open: Vec<Arc<ConnectionState>>,
}

impl Connections {
    /// Counts the connections of a client, without the aborted ones.
    fn count_of(&self, client: ClientKey) -> usize {
        self.open.iter().filter(|conn| conn.client == client && !conn.is_aborted()).count()
    }

    /// Returns the client with the most connections.
    fn largest_client(&self) -> Option<ClientKey> {
        let mut counts: HashMap<ClientKey, usize> = HashMap::new();
        for conn in self.open.iter().filter(|conn| !conn.is_aborted()) {
            *counts.entry(conn.client).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(client, _)| client)
    }
}

/// The result of admitting a new connection.
pub(crate) enum Admission {
    /// Registered; must be removed with [`Registry::release`].
    Admitted(Arc<ConnectionState>),
    /// Every other connection is being answered.
    Full(Socket),
    /// The server no longer accepts connections.
    Closed,
}

impl Registry {
    /// Creates an empty registry with these limits: in total, and per client.
    pub(crate) fn new(connections_max: usize, client_connections_max: usize) -> Self {
        Self {
            connections: Mutex::default(),
            released: Condvar::new(),
            closing: AtomicBool::new(false),
            last_number: AtomicU64::new(0),
            connections_max,
            client_connections_max,
            epoch: Instant::now(),
        }
    }

    /// Registers a new connection. A client at its own maximum loses its connection that has been
    /// idle longest; at the total cap, the client with the most connections does. Blocks up to 2 s
    /// at the cap, until the evicted connection is gone.
    pub(crate) fn admit(&self, descriptor: OwnedFd, from: Option<SocketAddrAny>) -> Admission {
        // A Unix socket's address becomes `None`.
        let address = from.and_then(|from| SocketAddr::try_from(from).ok());
        let conn =
            ConnectionState::new(self.next_number(), Socket::new(descriptor), address, self.epoch);
        let mut connections = self.lock();
        if connections.count_of(conn.client) >= self.client_connections_max {
            // A client whose connections are all being answered gets one more.
            evict(&connections, |other| other.client == conn.client);
        }
        if connections.open.len() >= self.connections_max {
            match self.wait_for_slot(connections) {
                Some(freed) => connections = freed,
                None => return Admission::Full(conn.socket),
            }
        }
        if self.is_closing() {
            return Admission::Closed;
        }
        let conn = Arc::new(conn);
        connections.open.push(Arc::clone(&conn));
        Admission::Admitted(conn)
    }

    /// Waits for an aborted connection to end. Evicts one if there is none, or if its thread is
    /// slow to return. Returns `None` if the registry is still full after that.
    fn wait_for_slot<'s>(
        &'s self,
        mut connections: MutexGuard<'s, Connections>,
    ) -> Option<MutexGuard<'s, Connections>> {
        let full = |connections: &mut Connections| connections.open.len() >= self.connections_max;
        if connections.open.iter().any(|conn| conn.is_aborted()) {
            let waited = self.released.wait_timeout_while(connections, EVICTION_WAIT, full);
            let (freed, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if !timeout.timed_out() {
                return Some(freed);
            }
            connections = freed;
        }
        let largest = connections.largest_client();
        let is_largest = |conn: &ConnectionState| Some(conn.client) == largest;
        if !(evict(&connections, is_largest) || evict(&connections, |_| true)) {
            return None;
        }
        let waited = self.released.wait_timeout_while(connections, EVICTION_WAIT, full);
        let (freed, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then_some(freed)
    }

    fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Evicts the connection that has been idle longest, for when descriptors or threads run out
    /// before the cap is reached. Returns whether a connection has ended. Blocks up to 1 s.
    pub(crate) fn evict_idle(&self) -> bool {
        let connections = self.lock();
        let before = connections.open.len();
        if !abort_longest_idle(&connections, ConnectionState::is_quiet) {
            return false;
        }
        let unchanged = |connections: &mut Connections| connections.open.len() >= before;
        let waited = self.released.wait_timeout_while(connections, EVICTION_WAIT, unchanged);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Removes a connection.
    pub(crate) fn release(&self, conn: &ConnectionState) {
        let mut connections = self.lock();
        if let Some(index) = connections.open.iter().position(|open| open.number == conn.number) {
            connections.open.swap_remove(index);
        }
        drop(connections);
        self.released.notify_all();
    }

    /// Returns whether the server has stopped accepting.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Stops accepting and aborts the connections that are between requests.
    ///
    /// A connection that finishes a response meanwhile is not missed: it marks itself as waiting
    /// first and checks `closing` then, while this sets `closing` first and checks for waiting
    /// connections then, so one of the two sees the other.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for conn in &self.lock().open {
            conn.abort_if_waiting();
        }
    }

    /// Waits at most `within` until all connections have ended. Returns whether they have.
    pub(crate) fn wait_empty(&self, within: Duration) -> bool {
        let connections = self.lock();
        let occupied = |connections: &mut Connections| !connections.open.is_empty();
        let waited = self.released.wait_timeout_while(connections, within, occupied);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Aborts all connections. Returns how many of them were in the middle of a request.
    pub(crate) fn abort_all(&self) -> usize {
        self.lock().open.iter().filter(|conn| !conn.abort_if_waiting() && conn.abort()).count()
    }

    /// Locks the list. No code that holds this lock can panic halfway through a change, so a
    /// poisoned list is consistent.
    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Aborts one of the connections that `may_abort` permits, preferably one without unread bytes,
/// since those may be a request. Returns whether a connection is about to end.
fn evict(connections: &Connections, may_abort: impl Fn(&ConnectionState) -> bool) -> bool {
    abort_longest_idle(connections, |conn| may_abort(conn) && conn.is_quiet())
        || abort_longest_idle(connections, may_abort)
}

/// Aborts the permitted connection that has been idle longest, if there is one. Returns whether a
/// connection is about to end, be it this one or one aborted before.
fn abort_longest_idle(
    connections: &Connections,
    may_abort: impl Fn(&ConnectionState) -> bool,
) -> bool {
    let mut idle: Vec<(u64, &ConnectionState)> = connections
        .open
        .iter()
        .filter_map(|conn| conn.idle_since().map(|since| (since, conn.as_ref())))
        .collect();
    idle.sort_unstable_by_key(|&(since, conn)| (since, conn.number));
    // A connection that just received a whole request is not aborted; the next one is tried.
    idle.iter().any(|(_, conn)| may_abort(conn) && conn.abort_if_idle())
        || connections.open.iter().any(|conn| conn.is_aborted())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn admit(registry: &Registry) -> (Admission, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (registry.admit(ours.into(), None), theirs)
    }

    fn admitted(registry: &Registry) -> (Arc<ConnectionState>, UnixStream) {
        match admit(registry) {
            (Admission::Admitted(conn), client) => (conn, client),
            _ => panic!("the registry is full"),
        }
    }

    /// Releases a connection as soon as it is evicted, as its thread does.
    fn release_once_evicted(registry: &Registry, conn: &ConnectionState) {
        while conn.begin_waiting() {
            std::thread::yield_now();
        }
        registry.release(conn);
    }

    #[test]
    fn the_longest_idle_connection_is_evicted() {
        let registry = Registry::new(2, 2);
        let (oldest, _a) = admitted(&registry);
        let (newer, _b) = admitted(&registry);
        assert!(oldest.begin_answer() && oldest.begin_waiting() && newer.begin_answer());
        // The new connection waits for the evicted one to end, so another thread must release it.
        std::thread::scope(|scope| {
            scope.spawn(|| release_once_evicted(&registry, &oldest));
            assert!(matches!(admit(&registry).0, Admission::Admitted(_)));
        });
        assert!(newer.begin_waiting(), "the busy one was not touched");
    }

    #[test]
    fn a_new_connection_at_both_caps_evicts_one() {
        let registry = Registry::new(2, 2);
        let (oldest, _a) = admitted(&registry);
        let (newer, _b) = admitted(&registry);
        std::thread::scope(|scope| {
            scope.spawn(|| release_once_evicted(&registry, &oldest));
            assert!(matches!(admit(&registry).0, Admission::Admitted(_)));
        });
        assert!(newer.begin_waiting(), "one was evicted already");
    }

    #[test]
    fn a_new_connection_is_refused_if_all_are_busy() {
        let registry = Registry::new(1, 1);
        let (only, _client) = admitted(&registry);
        assert!(only.begin_answer());
        assert!(matches!(admit(&registry).0, Admission::Full(_)));
    }

    #[test]
    fn a_connection_with_unread_bytes_is_not_evicted() {
        use std::io::Write;
        let registry = Registry::new(8, 8);
        let (asking, mut client) = admitted(&registry);
        let (silent, _other) = admitted(&registry);
        client.write_all(b"GET /").expect("it is connected");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while silent.begin_waiting() {
                    std::thread::yield_now();
                }
                registry.release(&silent);
            });
            assert!(registry.evict_idle(), "the silent one is gone");
        });
        assert!(!registry.evict_idle() && asking.begin_answer());
    }

    #[test]
    fn no_connection_is_admitted_after_close() {
        let registry = Registry::new(4, 4);
        let (idle, _a) = admitted(&registry);
        let (busy, _b) = admitted(&registry);
        assert!(busy.begin_answer());
        registry.close();
        assert!(matches!(admit(&registry).0, Admission::Closed));
        assert!(!idle.begin_answer(), "the idle one was aborted");
        assert!(busy.begin_answer(), "the busy one goes on");
        assert_eq!(registry.abort_all(), 1);
    }

    #[test]
    fn wait_empty_returns_at_once_without_connections() {
        let registry = Registry::new(1, 1);
        assert!(registry.wait_empty(Duration::from_mins(1)));
        let (conn, _client) = admitted(&registry);
        assert!(!registry.wait_empty(Duration::from_millis(1)));
        registry.release(&conn);
        assert!(registry.wait_empty(Duration::from_mins(1)));
    }
}
