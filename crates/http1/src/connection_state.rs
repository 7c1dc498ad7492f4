//! One connection as the others see it: its socket, and what it is doing.

use crate::peer::ClientKey;
use crate::socket::Socket;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A connection's place in the registry, shared by its thread and by whoever may cut it.
///
/// What the connection is doing is one number, so that its own thread and a cutter agree on who
/// came first without a lock: the low three bits are a [`Phase`], the others the milliseconds
/// since which the client has done nothing that was waited for.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// Which connection of the server this is, counted from 1.
    pub(crate) number: u64,
    /// The connection's only descriptor.
    pub(crate) socket: Socket,
    /// The address of the other side; `None` for a Unix socket.
    pub(crate) address: Option<SocketAddr>,
    /// Which client's it is, where those are counted.
    pub(crate) client: ClientKey,
    state: AtomicU64,
    epoch: Instant,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A whole request is being answered: it is let finish.
    Answering = 0,
    /// Between requests, or in the middle of a head.
    Waiting = 1,
    /// In the middle of a body that a handler asked for.
    Receiving = 2,
    /// Another thread has cut it: the thread that serves it finds out by its next call.
    Cut = 3,
    /// In the middle of an answer that the client does not read.
    Stalled = 4,
}

impl Phase {
    /// Whether the client is waited for, so that others may be let in for it.
    fn is_idle(self) -> bool {
        matches!(self, Self::Waiting | Self::Receiving | Self::Stalled)
    }

    fn of(state: u64) -> Self {
        match state & PHASE_MASK {
            0 => Self::Answering,
            1 => Self::Waiting,
            2 => Self::Receiving,
            4 => Self::Stalled,
            _ => Self::Cut,
        }
    }
}

const PHASE_BITS: u32 = 3;
const PHASE_MASK: u64 = 0b111;

impl ConnectionState {
    /// A new connection, which waits for its first head. `address` is that of the other side, as
    /// it was when the connection was accepted; `epoch` is when the server started.
    pub(crate) fn new(
        number: u64,
        socket: Socket,
        address: Option<SocketAddr>,
        epoch: Instant,
    ) -> Self {
        let client = ClientKey::of(address.map(|address| address.ip()));
        let state = AtomicU64::new(0);
        let seat = Self { number, socket, address, client, state, epoch };
        seat.state.store(seat.stamped(Phase::Waiting), Ordering::SeqCst);
        seat
    }

    /// A whole head is here. False when the connection was cut before that: it gets no service.
    pub(crate) fn begin_answer(&self) -> bool {
        self.move_to(Phase::Answering as u64)
    }

    /// The answer was sent, and the next head is waited for.
    pub(crate) fn begin_waiting(&self) -> bool {
        self.move_to(self.stamped(Phase::Waiting))
    }

    /// The handler waits for the client's body: it may be cut to make room for others.
    pub(crate) fn begin_receiving(&self) -> bool {
        self.move_to(self.stamped(Phase::Receiving))
    }

    /// The client does not read the answer: it may be cut to make room for others. Called again
    /// each time that it has read some.
    pub(crate) fn begin_stalling(&self) -> bool {
        self.move_to(self.stamped(Phase::Stalled))
    }

    /// Since when the client has been waited for, in milliseconds; `None` while it is not, or
    /// once it was cut.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::SeqCst);
        Phase::of(state).is_idle().then_some(state >> PHASE_BITS)
    }

    /// Whether it was cut: its thread is on the way out.
    pub(crate) fn is_cut(&self) -> bool {
        Phase::of(self.state.load(Ordering::SeqCst)) == Phase::Cut
    }

    /// Whether its thread has nothing to do: neither is there something to read, which may be a
    /// whole request, nor can the answer before that be written.
    pub(crate) fn is_quiet(&self) -> bool {
        let phase = Phase::of(self.state.load(Ordering::SeqCst));
        phase == Phase::Stalled || self.socket.unread() == 0
    }

    /// Cuts it where its client is waited for. True when it was cut by this call.
    pub(crate) fn cut_if_idle(&self) -> bool {
        self.cut_if(Phase::is_idle)
    }

    /// Cuts it where it is between requests. True when it was cut by this call.
    pub(crate) fn cut_if_waiting(&self) -> bool {
        self.cut_if(|phase| phase == Phase::Waiting)
    }

    /// Cuts it whatever it does. True when it was cut by this call.
    pub(crate) fn cut(&self) -> bool {
        self.cut_if(|phase| phase != Phase::Cut)
    }

    fn cut_if(&self, may_cut: impl Fn(Phase) -> bool) -> bool {
        let change = |state| may_cut(Phase::of(state)).then_some(Phase::Cut as u64);
        let cut = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok();
        if cut {
            self.socket.cut();
        }
        cut
    }

    /// Only the connection's own thread calls this, so the one other change it can meet is a cut.
    fn move_to(&self, next: u64) -> bool {
        let change = |state| (Phase::of(state) != Phase::Cut).then_some(next);
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

    fn seat() -> (ConnectionState, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (ConnectionState::new(1, Socket::new(ours.into()), None, Instant::now()), theirs)
    }

    #[test]
    fn a_request_that_came_after_the_cut_gets_no_service() {
        let (seat, _client) = seat();
        assert!(seat.cut_if_waiting());
        assert!(!seat.begin_answer());
    }

    #[test]
    fn a_request_that_came_before_the_cut_is_let_finish() {
        let (seat, _client) = seat();
        assert!(seat.begin_answer());
        assert!(!seat.cut_if_waiting() && !seat.cut_if_idle());
        assert_eq!(seat.idle_since(), None);
        assert!(seat.begin_waiting());
        assert!(seat.idle_since().is_some());
    }

    #[test]
    fn a_body_under_way_is_cut_for_room_but_not_at_closing_time() {
        let (seat, _client) = seat();
        assert!(seat.begin_answer() && seat.begin_receiving());
        assert!(!seat.cut_if_waiting());
        assert!(seat.cut_if_idle());
        assert!(!seat.begin_answer());
    }

    #[test]
    fn an_answer_that_nobody_reads_is_cut_for_room() {
        let (seat, _client) = seat();
        assert!(seat.begin_answer() && seat.begin_stalling());
        assert!(seat.idle_since().is_some());
        assert!(!seat.cut_if_waiting(), "at closing time it is given its time");
        assert!(seat.begin_answer() && !seat.cut_if_idle(), "it was read on");
        assert!(seat.begin_stalling() && seat.cut_if_idle());
        assert!(!seat.begin_answer());
    }

    #[test]
    fn it_is_cut_only_once() {
        let (seat, _client) = seat();
        assert!(seat.begin_answer());
        assert!(seat.cut() && !seat.cut());
    }
}
