//! The state of a connection that other threads see: its socket, and its phase.

use crate::peer::ClientKey;
use crate::socket::Socket;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A registered connection, shared by its own thread and by the threads that may abort it.
///
/// Its phase is one atomic number, so that its own thread and an aborting one agree on who came
/// first without a lock: the low three bits are a [`Phase`], the others the time, in milliseconds
/// since `epoch`, at which the server began to wait for the client.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// The connection's number in this server, counted from 1.
    pub(crate) number: u64,
    /// The connection's only descriptor.
    pub(crate) socket: Socket,
    /// The client's address; `None` for a Unix socket.
    pub(crate) address: Option<SocketAddr>,
    /// The identity by which clients are counted.
    pub(crate) client: ClientKey,
    state: AtomicU64,
    epoch: Instant,
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A complete request is being answered; it may finish.
    Answering = 0,
    /// Between requests, or in the middle of a head.
    Waiting = 1,
    /// In the middle of a body that a handler requested.
    Receiving = 2,
    /// Aborted by another thread; its own thread notices at its next call.
    Aborted = 3,
    /// In the middle of a response that the client does not read.
    Stalled = 4,
}

impl Phase {
    /// Returns whether the server waits for the client, so that the connection may be evicted.
    fn is_idle(self) -> bool {
        matches!(self, Self::Waiting | Self::Receiving | Self::Stalled)
    }

    fn of(state: u64) -> Self {
        match state & PHASE_MASK {
            0 => Self::Answering,
            1 => Self::Waiting,
            2 => Self::Receiving,
            4 => Self::Stalled,
            _ => Self::Aborted,
        }
    }
}

const PHASE_BITS: u32 = 3;
const PHASE_MASK: u64 = 0b111;

impl ConnectionState {
    /// Creates the state of a new connection, which waits for its first head. `address` is the
    /// client's, as of the accept; `epoch` is when the server started.
    pub(crate) fn new(
        number: u64,
        socket: Socket,
        address: Option<SocketAddr>,
        epoch: Instant,
    ) -> Self {
        let client = ClientKey::of(address.map(|address| address.ip()));
        let state = AtomicU64::new(0);
        let conn = Self { number, socket, address, client, state, epoch };
        conn.state.store(conn.stamped(Phase::Waiting), Ordering::SeqCst);
        conn
    }

    /// Marks a complete head as received. Returns false if the connection was aborted before that:
    /// the request is not served.
    pub(crate) fn begin_answer(&self) -> bool {
        self.move_to(Phase::Answering as u64)
    }

    /// Marks the response as sent and the next head as awaited.
    pub(crate) fn begin_waiting(&self) -> bool {
        self.move_to(self.stamped(Phase::Waiting))
    }

    /// Marks the handler as waiting for the client's body: the connection may be evicted.
    pub(crate) fn begin_receiving(&self) -> bool {
        self.move_to(self.stamped(Phase::Receiving))
    }

    /// Marks the client as not reading the response: the connection may be evicted. Called again
    /// after each progress.
    pub(crate) fn begin_stalling(&self) -> bool {
        self.move_to(self.stamped(Phase::Stalled))
    }

    /// Returns since when the server has been waiting for the client, in milliseconds; `None` if
    /// it does not wait, or if the connection was aborted.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::SeqCst);
        Phase::of(state).is_idle().then_some(state >> PHASE_BITS)
    }

    /// Returns whether the connection was aborted: its thread is about to exit.
    pub(crate) fn is_aborted(&self) -> bool {
        Phase::of(self.state.load(Ordering::SeqCst)) == Phase::Aborted
    }

    /// Returns whether the connection's thread has nothing to do: there are no unread bytes, which
    /// may be a complete request, or the response to an earlier one cannot be written.
    pub(crate) fn is_quiet(&self) -> bool {
        let phase = Phase::of(self.state.load(Ordering::SeqCst));
        phase == Phase::Stalled || self.socket.unread() == 0
    }

    /// Aborts the connection if the server waits for its client. Returns whether this call did.
    pub(crate) fn abort_if_idle(&self) -> bool {
        self.abort_if(Phase::is_idle)
    }

    /// Aborts the connection if it is between requests. Returns whether this call did.
    pub(crate) fn abort_if_waiting(&self) -> bool {
        self.abort_if(|phase| phase == Phase::Waiting)
    }

    /// Aborts the connection in any phase. Returns whether this call did.
    pub(crate) fn abort(&self) -> bool {
        self.abort_if(|phase| phase != Phase::Aborted)
    }

    fn abort_if(&self, may_abort: impl Fn(Phase) -> bool) -> bool {
        let change = |state| may_abort(Phase::of(state)).then_some(Phase::Aborted as u64);
        let aborted = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok();
        if aborted {
            self.socket.shutdown();
        }
        aborted
    }

    /// Changes the phase. Called only by the connection's own thread, so the only concurrent
    /// change is an abort.
    fn move_to(&self, next: u64) -> bool {
        let change = |state| (Phase::of(state) != Phase::Aborted).then_some(next);
        self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok()
    }

    fn stamped(&self, phase: Phase) -> u64 {
        let since = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        since << PHASE_BITS | phase as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn conn() -> (ConnectionState, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (ConnectionState::new(1, Socket::new(ours.into()), None, Instant::now()), theirs)
    }

    #[test]
    fn a_request_received_after_the_abort_is_not_served() {
        let (conn, _client) = conn();
        assert!(conn.abort_if_waiting());
        assert!(!conn.begin_answer());
    }

    #[test]
    fn a_request_received_before_the_abort_may_finish() {
        let (conn, _client) = conn();
        assert!(conn.begin_answer());
        assert!(!conn.abort_if_waiting() && !conn.abort_if_idle());
        assert_eq!(conn.idle_since(), None);
        assert!(conn.begin_waiting());
        assert!(conn.idle_since().is_some());
    }

    #[test]
    fn receiving_is_evicted_but_not_ended_by_shutdown() {
        let (conn, _client) = conn();
        assert!(conn.begin_answer() && conn.begin_receiving());
        assert!(!conn.abort_if_waiting());
        assert!(conn.abort_if_idle());
        assert!(!conn.begin_answer());
    }

    #[test]
    fn a_stalled_response_may_be_evicted() {
        let (conn, _client) = conn();
        assert!(conn.begin_answer() && conn.begin_stalling());
        assert!(conn.idle_since().is_some());
        assert!(!conn.abort_if_waiting(), "shutdown gives it its time");
        assert!(conn.begin_answer() && !conn.abort_if_idle(), "it was read on");
        assert!(conn.begin_stalling() && conn.abort_if_idle());
        assert!(!conn.begin_answer());
    }

    #[test]
    fn a_connection_is_aborted_only_once() {
        let (conn, _client) = conn();
        assert!(conn.begin_answer());
        assert!(conn.abort() && !conn.abort());
    }
}
