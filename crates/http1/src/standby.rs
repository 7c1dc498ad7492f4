//! Threads that are there before they are needed, for when no more can be had.
//!
//! A program that forks without a pause uses up the processes of its user, and threads count as
//! such: whoever asks to end it must still be heard.

use crate::catch_panic::catch_panic;
use crate::connection::serve;
use crate::connection_state::ConnectionState;
use crate::service::Service;
use crate::socket::Socket;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many there are: one may be following a log while another one ends what prints it.
const THREADS: usize = 2;

/// How long a newcomer waits for one that has answered to be back.
const FREE_WAIT: Duration = Duration::from_millis(100);

/// A connection's hold on its seat: given back however its thread ends.
pub(crate) struct ConnectionGuard {
    pub(crate) service: Arc<Service>,
    pub(crate) seat: Arc<ConnectionState>,
}

impl ConnectionGuard {
    /// Serves the connection until it ends. Blocks for as long.
    pub(crate) fn serve(self) {
        serve(&self.service, Arc::clone(&self.seat));
    }

    /// Gives the seat back, and what was to be served.
    pub(crate) fn into_socket(self) -> Option<Socket> {
        let seat = Arc::clone(&self.seat);
        drop(self);
        Arc::into_inner(seat).map(|seat| seat.socket)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.service.registry.leave(&self.seat);
    }
}

/// What the threads wait at.
#[derive(Default)]
struct PendingQueue {
    /// How many threads wait that no guest is coming to.
    free: usize,
    guests: Vec<ConnectionGuard>,
    is_closed: bool,
}

#[derive(Default)]
struct Shared {
    door: Mutex<PendingQueue>,
    changed: Condvar,
}

/// The threads `http-standby`, which end with this and with the connection that they serve.
pub(crate) struct Standby(Arc<Shared>);

impl Standby {
    /// Starts the threads, as far as there are any to be had.
    pub(crate) fn start(service: &Service) -> Self {
        let shared = Arc::new(Shared::default());
        for _ in 0..THREADS {
            let for_thread = Arc::clone(&shared);
            let thread = thread::Builder::new().name("http-standby".to_owned());
            let thread = thread.stack_size(service.limits.stack_bytes);
            if let Err(error) = thread.spawn(move || for_thread.stand_by()) {
                log::warn!("No thread stands by for when none can be had: {error}");
            }
        }
        Self(shared)
    }

    /// Has a thread that stands by serve a connection. Blocks for a moment where none is free.
    ///
    /// # Errors
    /// The guest, where none becomes free.
    pub(crate) fn spawn_connection(&self, guest: ConnectionGuard) -> Result<(), ConnectionGuard> {
        let busy = |door: &mut PendingQueue| door.free == 0;
        let waited = self.0.changed.wait_timeout_while(self.0.door(), FREE_WAIT, busy);
        let mut door = waited.unwrap_or_else(PoisonError::into_inner).0;
        if door.free == 0 {
            return Err(guest);
        }
        door.free -= 1;
        door.guests.push(guest);
        drop(door);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.0.door().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn door(&self) -> MutexGuard<'_, PendingQueue> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand_by(&self) {
        while let Some(guest) = self.next() {
            let _panicked = catch_panic("A connection", || guest.serve());
        }
    }

    /// The next guest; `None` once there will be no more.
    fn next(&self) -> Option<ConnectionGuard> {
        let mut door = self.door();
        door.free += 1;
        self.changed.notify_all();
        let nobody = |door: &mut PendingQueue| door.guests.is_empty() && !door.is_closed;
        let waited = self.changed.wait_while(door, nobody);
        waited.unwrap_or_else(PoisonError::into_inner).guests.pop()
    }
}
