//! Everyone who is connected: who gets in, who is cut to make room, who is waited for.

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

/// How long the accept loop waits for a connection that was cut to be gone. Its thread has
/// nothing left to do but to return, so this is for a machine that is busy elsewhere: a tenth of it
/// was too short beside two builds on two cores.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// The seats of one server.
#[derive(Debug)]
pub(crate) struct Registry {
    seats: Mutex<Seats>,
    left: Condvar,
    closing: AtomicBool,
    numbered: AtomicU64,
    connections_max: usize,
    /// How many one client may have, before its own most idle one makes room for its next.
    client_connections_max: usize,
    epoch: Instant,
}

#[derive(Debug, Default)]
struct Seats {
    taken: Vec<Arc<ConnectionState>>,
}

impl Seats {
    /// How many connections a client has, without those that were cut.
    fn count_of(&self, client: ClientKey) -> usize {
        self.taken.iter().filter(|seat| seat.client == client && !seat.is_cut()).count()
    }

    /// The client with the most connections: where there is a crowd, the crowd.
    fn largest_client(&self) -> Option<ClientKey> {
        let mut counts: HashMap<ClientKey, usize> = HashMap::new();
        for seat in self.taken.iter().filter(|seat| !seat.is_cut()) {
            *counts.entry(seat.client).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(client, _)| client)
    }
}

/// What became of a newcomer.
pub(crate) enum Admission {
    /// It has a seat, which must be given back with [`Registry::leave`].
    Seated(Arc<ConnectionState>),
    /// Every other connection is being answered.
    Full(Socket),
    /// The door is closed.
    Closed,
}

impl Registry {
    /// An empty one with this many seats, of which each client may have so many.
    pub(crate) fn new(connections_max: usize, client_connections_max: usize) -> Self {
        Self {
            seats: Mutex::default(),
            left: Condvar::new(),
            closing: AtomicBool::new(false),
            numbered: AtomicU64::new(0),
            connections_max,
            client_connections_max,
            epoch: Instant::now(),
        }
    }

    /// Gives a newcomer a seat. A client that has its share loses the connection on which it was
    /// waited for longest; at the cap the client with the most connections does. Blocks up to
    /// 2 s at the cap, for that one to be gone.
    pub(crate) fn admit(&self, descriptor: OwnedFd, from: Option<SocketAddrAny>) -> Admission {
        // That of a Unix socket is none here.
        let address = from.and_then(|from| SocketAddr::try_from(from).ok());
        let seat =
            ConnectionState::new(self.next_number(), Socket::new(descriptor), address, self.epoch);
        let mut seats = self.lock();
        if seats.count_of(seat.client) >= self.client_connections_max {
            // Where all of its connections are being answered it gets one more.
            make_room(&seats, |other| other.client == seat.client);
        }
        if seats.taken.len() >= self.connections_max {
            match self.wait_for_room(seats) {
                Some(freed) => seats = freed,
                None => return Admission::Full(seat.socket),
            }
        }
        if self.is_closing() {
            return Admission::Closed;
        }
        let seat = Arc::new(seat);
        seats.taken.push(Arc::clone(&seat));
        Admission::Seated(seat)
    }

    /// Waits for a connection that was cut to be gone, and cuts one where none was, or where its
    /// thread is slow to return. `None` where there is no room after that.
    fn wait_for_room<'s>(
        &'s self,
        mut seats: MutexGuard<'s, Seats>,
    ) -> Option<MutexGuard<'s, Seats>> {
        let full = |seats: &mut Seats| seats.taken.len() >= self.connections_max;
        if seats.taken.iter().any(|seat| seat.is_cut()) {
            let waited = self.left.wait_timeout_while(seats, ROOM_WAIT, full);
            let (freed, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if !timeout.timed_out() {
                return Some(freed);
            }
            seats = freed;
        }
        let largest = seats.largest_client();
        let is_largest = |seat: &ConnectionState| Some(seat.client) == largest;
        if !(make_room(&seats, is_largest) || make_room(&seats, |_| true)) {
            return None;
        }
        let waited = self.left.wait_timeout_while(seats, ROOM_WAIT, full);
        let (freed, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then_some(freed)
    }

    fn next_number(&self) -> u64 {
        self.numbered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Cuts the one that was waited for longest, where descriptors or threads are short before the
    /// cap is reached. Whether one is gone. Blocks up to 1 s for that.
    pub(crate) fn evict_idle(&self) -> bool {
        let seats = self.lock();
        let before = seats.taken.len();
        if !cut_longest_idle(&seats, ConnectionState::is_quiet) {
            return false;
        }
        let unchanged = |seats: &mut Seats| seats.taken.len() >= before;
        let waited = self.left.wait_timeout_while(seats, ROOM_WAIT, unchanged);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Gives a seat back.
    pub(crate) fn leave(&self, seat: &ConnectionState) {
        let mut seats = self.lock();
        if let Some(index) = seats.taken.iter().position(|taken| taken.number == seat.number) {
            seats.taken.swap_remove(index);
        }
        drop(seats);
        self.left.notify_all();
    }

    /// Whether the door was closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Closes the door and cuts those who are between requests.
    ///
    /// A connection that goes from answering to waiting meanwhile is not missed: it begins to
    /// wait first and looks at the door then, we close the door first and look for who waits
    /// then, so one of the two sees the other.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for seat in &self.lock().taken {
            seat.cut_if_waiting();
        }
    }

    /// Waits until everyone has left, at most `within`. Whether they have.
    pub(crate) fn wait_empty(&self, within: Duration) -> bool {
        let seats = self.lock();
        let occupied = |seats: &mut Seats| !seats.taken.is_empty();
        let waited = self.left.wait_timeout_while(seats, within, occupied);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Cuts everyone who is left. How many of those were in the middle of a request.
    pub(crate) fn cut_all(&self) -> usize {
        self.lock().taken.iter().filter(|seat| !seat.cut_if_waiting() && seat.cut()).count()
    }

    /// No code that holds this lock can panic half-way through a change, so what a poisoned one
    /// guards is whole.
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts one of those that may be cut: rather one that has nothing unread, whose request may be
/// just coming. Whether a seat is about to be free.
fn make_room(seats: &Seats, may_cut: impl Fn(&ConnectionState) -> bool) -> bool {
    cut_longest_idle(seats, |seat| may_cut(seat) && seat.is_quiet())
        || cut_longest_idle(seats, may_cut)
}

/// Cuts the one of those that may be cut whose client was waited for longest, if there is one.
/// Whether a seat is about to be free, be it that one's or another's that was cut before.
fn cut_longest_idle(seats: &Seats, may_cut: impl Fn(&ConnectionState) -> bool) -> bool {
    let mut idle: Vec<(u64, &ConnectionState)> = seats
        .taken
        .iter()
        .filter_map(|seat| seat.idle_since().map(|since| (since, seat.as_ref())))
        .collect();
    idle.sort_unstable_by_key(|&(since, seat)| (since, seat.number));
    // One that was just handed a whole request is not cut: then it is the next one's turn.
    idle.iter().any(|(_, seat)| may_cut(seat) && seat.cut_if_idle())
        || seats.taken.iter().any(|seat| seat.is_cut())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn admit(registry: &Registry) -> (Admission, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (registry.admit(ours.into(), None), theirs)
    }

    fn seated(registry: &Registry) -> (Arc<ConnectionState>, UnixStream) {
        match admit(registry) {
            (Admission::Seated(seat), client) => (seat, client),
            _ => panic!("there is a seat"),
        }
    }

    #[test]
    fn the_longest_without_a_request_makes_room() {
        let registry = Registry::new(2, 2);
        let (oldest, _a) = seated(&registry);
        let (newer, _b) = seated(&registry);
        assert!(oldest.begin_answer() && oldest.begin_waiting() && newer.begin_answer());
        // The newcomer waits for the one that was cut to be gone, so somebody must see to that.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while oldest.begin_waiting() {
                    std::thread::yield_now();
                }
                registry.leave(&oldest);
            });
            assert!(matches!(admit(&registry).0, Admission::Seated(_)));
        });
        assert!(newer.begin_waiting(), "the busy one was not touched");
    }

    #[test]
    fn a_newcomer_at_both_caps_evicts_one_connection() {
        let registry = Registry::new(2, 2);
        let (oldest, _a) = seated(&registry);
        let (newer, _b) = seated(&registry);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while oldest.begin_waiting() {
                    std::thread::yield_now();
                }
                registry.leave(&oldest);
            });
            assert!(matches!(admit(&registry).0, Admission::Seated(_)));
        });
        assert!(newer.begin_waiting(), "one made room already");
    }

    #[test]
    fn when_all_are_answering_the_next_is_refused() {
        let registry = Registry::new(1, 1);
        let (only, _client) = seated(&registry);
        assert!(only.begin_answer());
        assert!(matches!(admit(&registry).0, Admission::Full(_)));
    }

    #[test]
    fn connection_with_unread_bytes_is_not_evicted() {
        use std::io::Write;
        let registry = Registry::new(8, 8);
        let (asking, mut client) = seated(&registry);
        let (silent, _other) = seated(&registry);
        client.write_all(b"GET /").expect("it is connected");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while silent.begin_waiting() {
                    std::thread::yield_now();
                }
                registry.leave(&silent);
            });
            assert!(registry.evict_idle(), "the silent one is gone");
        });
        assert!(!registry.evict_idle() && asking.begin_answer());
    }

    #[test]
    fn nobody_gets_in_after_the_door_was_closed() {
        let registry = Registry::new(4, 4);
        let (idle, _a) = seated(&registry);
        let (busy, _b) = seated(&registry);
        assert!(busy.begin_answer());
        registry.close();
        assert!(matches!(admit(&registry).0, Admission::Closed));
        assert!(!idle.begin_answer(), "the idle one was cut");
        assert!(busy.begin_answer(), "the busy one goes on");
        assert_eq!(registry.cut_all(), 1);
    }

    #[test]
    fn an_empty_room_is_not_waited_for() {
        let registry = Registry::new(1, 1);
        assert!(registry.wait_empty(Duration::from_mins(1)));
        let (seat, _client) = seated(&registry);
        assert!(!registry.wait_empty(Duration::from_millis(1)));
        registry.leave(&seat);
        assert!(registry.wait_empty(Duration::from_mins(1)));
    }
}
