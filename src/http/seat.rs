//! One connection as the others see it: its socket, and what it is doing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::socket::Socket;

/// A connection's place in the registry, shared by its thread and by whoever may cut it.
///
/// What the connection is doing is one number, so that its own thread and a cutter agree on who
/// came first without a lock: the low two bits are a [`Phase`], the others the milliseconds
/// since which it has been without a whole request.
#[derive(Debug)]
pub(super) struct Seat {
    /// Which connection of the server this is, counted from 1.
    pub(super) number: u64,
    /// The connection's only descriptor.
    pub(super) socket: Socket,
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
}

const PHASE_BITS: u32 = 2;
const PHASE_MASK: u64 = 0b11;

impl Seat {
    /// A new connection, which waits for its first head. `epoch` is when the server started.
    pub(super) fn new(number: u64, socket: Socket, epoch: Instant) -> Self {
        let seat = Self { number, socket, state: AtomicU64::new(0), epoch };
        seat.state.store(seat.stamped(Phase::Waiting), Ordering::SeqCst);
        seat
    }

    /// A whole head is here. False when the connection was cut before that: it gets no service.
    pub(super) fn begin_answer(&self) -> bool {
        self.move_to(Phase::Answering as u64)
    }

    /// The answer was sent, and the next head is waited for.
    pub(super) fn begin_waiting(&self) -> bool {
        self.move_to(self.stamped(Phase::Waiting))
    }

    /// The handler waits for the client's body: it may be cut to make room for others.
    pub(super) fn begin_receiving(&self) -> bool {
        self.move_to(self.stamped(Phase::Receiving))
    }

    /// Since when it has been without a whole request, in milliseconds; `None` while it is being
    /// answered, or once it was cut.
    pub(super) fn waiting_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::SeqCst);
        let waits = has_phase(state, Phase::Waiting) || has_phase(state, Phase::Receiving);
        waits.then_some(state >> PHASE_BITS)
    }

    /// Whether it was cut: its thread is on the way out.
    pub(super) fn is_cut(&self) -> bool {
        has_phase(self.state.load(Ordering::SeqCst), Phase::Cut)
    }

    /// Whether all that has come was read: else its thread is about to see what that is.
    pub(super) fn is_quiet(&self) -> bool {
        self.socket.unread() == 0
    }

    /// Cuts it unless a whole request is being answered. True when it was cut by this call.
    pub(super) fn cut_unless_answering(&self) -> bool {
        self.cut_if(|state| has_phase(state, Phase::Waiting) || has_phase(state, Phase::Receiving))
    }

    /// Cuts it where it is between requests. True when it was cut by this call.
    pub(super) fn cut_if_waiting(&self) -> bool {
        self.cut_if(|state| has_phase(state, Phase::Waiting))
    }

    /// Cuts it whatever it does. True when it was cut by this call.
    pub(super) fn cut(&self) -> bool {
        self.cut_if(|state| !has_phase(state, Phase::Cut))
    }

    fn cut_if(&self, may_cut: impl Fn(u64) -> bool) -> bool {
        let change = |state| may_cut(state).then_some(Phase::Cut as u64);
        let cut = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok();
        if cut {
            self.socket.cut();
        }
        cut
    }

    /// Only the connection's own thread calls this, so the one other change it can meet is a cut.
    fn move_to(&self, next: u64) -> bool {
        let change = |state| (!has_phase(state, Phase::Cut)).then_some(next);
        self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok()
    }

    fn stamped(&self, phase: Phase) -> u64 {
        let since = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        since << PHASE_BITS | phase as u64
    }
}

fn has_phase(state: u64, phase: Phase) -> bool {
    state & PHASE_MASK == phase as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn seat() -> (Seat, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (Seat::new(1, Socket::new(ours.into()), Instant::now()), theirs)
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
        assert!(!seat.cut_if_waiting() && !seat.cut_unless_answering());
        assert_eq!(seat.waiting_since(), None);
        assert!(seat.begin_waiting());
        assert!(seat.waiting_since().is_some());
    }

    #[test]
    fn a_body_under_way_is_cut_for_room_but_not_at_closing_time() {
        let (seat, _client) = seat();
        assert!(seat.begin_answer() && seat.begin_receiving());
        assert!(!seat.cut_if_waiting());
        assert!(seat.cut_unless_answering());
        assert!(!seat.begin_answer());
    }

    #[test]
    fn it_is_cut_only_once() {
        let (seat, _client) = seat();
        assert!(seat.begin_answer());
        assert!(seat.cut() && !seat.cut());
    }
}
