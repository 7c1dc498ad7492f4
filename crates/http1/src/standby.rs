//! Spare threads, spawned at start, for when no more can be spawned.
//!
//! A program that forks without pause exhausts the user's process limit, and threads count towards
//! it; a request to stop that program must still be served.

use crate::catch_panic::catch_panic;
use crate::connection::serve;
use crate::connection_state::ConnectionState;
use crate::service::Service;
use crate::socket::Socket;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The number of threads: one may be following a log while the other stops the program.
const THREADS: usize = 2;

/// How long a connection waits for a spare thread to become free.
const FREE_WAIT: Duration = Duration::from_millis(100);

/// A registered connection, released however its thread ends.
pub(crate) struct ConnectionGuard {
    pub(crate) service: Arc<Service>,
    pub(crate) conn: Arc<ConnectionState>,
}

impl ConnectionGuard {
    /// Serves the connection until it ends. Blocks until then.
    pub(crate) fn serve(self) {
        serve(&self.service, Arc::clone(&self.conn));
    }

    /// Releases the connection and returns its socket.
    pub(crate) fn into_socket(self) -> Option<Socket> {
        let conn = Arc::clone(&self.conn);
        drop(self);
        Arc::into_inner(conn).map(|conn| conn.socket)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.service.registry.release(&self.conn);
    }
}

/// The queue that the spare threads wait on.
#[derive(Default)]
struct PendingQueue {
    /// The number of waiting threads not yet assigned a connection.
    free: usize,
    pending: Vec<ConnectionGuard>,
    is_closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<PendingQueue>,
    changed: Condvar,
}

/// The spare threads `http-standby`, which end with this value and the connection they serve.
pub(crate) struct Standby(Arc<Shared>);

impl Standby {
    /// Starts the threads, as far as the system permits.
    pub(crate) fn start(service: &Service) -> Self {
        let shared = Arc::new(Shared::default());
        for _ in 0..THREADS {
            let for_thread = Arc::clone(&shared);
            let thread = thread::Builder::new().name("http-standby".to_owned());
            let thread = thread.stack_size(service.limits.stack_bytes);
            if let Err(error) = thread.spawn(move || for_thread.run()) {
                log::warn!("cannot spawn a standby thread: {error}");
            }
        }
        Self(shared)
    }

    /// Serves a connection on a spare thread. Blocks for up to 100 ms if none is free.
    ///
    /// # Errors
    /// The guard, if no thread becomes free.
    pub(crate) fn spawn_connection(&self, guard: ConnectionGuard) -> Result<(), ConnectionGuard> {
        let busy = |queue: &mut PendingQueue| queue.free == 0;
        let waited = self.0.changed.wait_timeout_while(self.0.queue(), FREE_WAIT, busy);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        if queue.free == 0 {
            return Err(guard);
        }
        queue.free -= 1;
        queue.pending.push(guard);
        drop(queue);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.0.queue().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, PendingQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some(guard) = self.next() {
            let _panicked = catch_panic("a connection", || guard.serve());
        }
    }

    /// Returns the next connection; `None` once the queue is closed.
    fn next(&self) -> Option<ConnectionGuard> {
        let mut queue = self.queue();
        queue.free += 1;
        self.changed.notify_all();
        let is_idle = |queue: &mut PendingQueue| queue.pending.is_empty() && !queue.is_closed;
        let waited = self.changed.wait_while(queue, is_idle);
        waited.unwrap_or_else(PoisonError::into_inner).pending.pop()
    }
}
