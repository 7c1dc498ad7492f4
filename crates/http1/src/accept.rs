//! The accept loop, which no client can end.

use crate::connection_state::ConnectionState;
use crate::listener::Listener;
use crate::refusal::Refusals;
use crate::registry::Admission;
use crate::service::Service;
use crate::socket::Socket;
use crate::standby::{ConnectionGuard, Standby};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{SocketFlags, acceptfrom_with};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The pause after an accept that failed for lack of descriptors or memory when no connection
/// could be evicted: the listener stays readable, so the loop would spin otherwise.
const SHORTAGE_WAIT: Duration = Duration::from_millis(50);

/// The minimum interval between log messages about accept errors and refusals.
const WARN_INTERVAL: Duration = Duration::from_secs(1);

/// The state of the thread `http-accept`.
pub(crate) struct AcceptLoop {
    listener: Listener,
    /// Becomes readable when the loop must end.
    stop: Arc<OwnedFd>,
    service: Arc<Service>,
    refusals: Refusals,
    standby: Standby,
    last_warning: Option<Instant>,
}

/// The reason why the loop woke up.
enum Turn {
    Accept,
    Expire,
    Stop,
}

impl AcceptLoop {
    /// Creates a loop that is ready to run.
    ///
    /// # Errors
    /// If the listener cannot be made non-blocking.
    pub(crate) fn new(
        listener: Listener,
        stop: Arc<OwnedFd>,
        service: Arc<Service>,
    ) -> io::Result<Self> {
        // The client of a readable listener may be gone by the time of the accept.
        ioctl_fionbio(listener.descriptor(), true)?;
        let refusals = Refusals::new(service.limits.refused);
        let standby = Standby::start(&service);
        Ok(Self { listener, stop, service, refusals, standby, last_warning: None })
    }

    /// Accepts until `stop` becomes readable.
    pub(crate) fn run(mut self) {
        loop {
            match self.wait() {
                Turn::Accept => self.accept(),
                Turn::Expire => {}
                Turn::Stop => return,
            }
            self.refusals.expire();
        }
    }

    fn wait(&self) -> Turn {
        let mut polled = [
            PollFd::from_borrowed_fd(self.listener.descriptor(), PollFlags::IN),
            PollFd::new(&*self.stop, PollFlags::IN),
        ];
        let within = self.refusals.next_expiry().and_then(|wait| Timespec::try_from(wait).ok());
        match poll(&mut polled, within.as_ref()) {
            Ok(_) if !polled[1].revents().is_empty() => Turn::Stop,
            Ok(1..) => Turn::Accept,
            // A signal, or a shortage in the kernel, which `accept` handles with a pause.
            Ok(0) | Err(_) => Turn::Expire,
        }
    }

    fn accept(&mut self) {
        match acceptfrom_with(self.listener.descriptor(), SocketFlags::CLOEXEC) {
            Ok((descriptor, address)) => match self.service.registry.admit(descriptor, address) {
                Admission::Admitted(conn) => self.serve(conn),
                Admission::Full(socket) => self.refuse(socket, "all connections are busy"),
                Admission::Closed => {}
            },
            // The client disconnected before the accept, or a signal arrived.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
            Err(error) => {
                self.warn(&format!("accept: {error}"));
                if !self.service.registry.evict_idle() {
                    self.pause();
                }
            }
        }
    }

    fn serve(&mut self, conn: Arc<ConnectionState>) {
        let Err((error, guard)) = spawn_connection(&self.service, conn) else { return };
        self.warn(&format!("cannot spawn a thread: {error}"));
        let Some(guard) = guard.and_then(|guard| self.standby.spawn_connection(guard).err()) else {
            return;
        };
        if let Some(socket) = guard.into_socket() {
            self.refusals.refuse(socket, &self.service.ids.fresh());
        }
        self.service.registry.evict_idle();
    }

    fn refuse(&mut self, socket: Socket, why: &str) {
        self.warn(why);
        self.refusals.refuse(socket, &self.service.ids.fresh());
    }

    /// Waits for other threads to release resources, or for the end of the loop.
    fn pause(&self) {
        let mut polled = [PollFd::new(&*self.stop, PollFlags::IN)];
        let within = Timespec::try_from(SHORTAGE_WAIT).ok();
        // After an early return the next accept fails and pauses again.
        let _ = poll(&mut polled, within.as_ref());
    }

    fn warn(&mut self, what: &str) {
        if self.last_warning.is_none_or(|last| last.elapsed() >= WARN_INTERVAL) {
            self.last_warning = Some(Instant::now());
            log::warn!("could not serve a connection: {what}");
        }
    }
}

/// Serves a connection on a new thread. Returns the guard if no thread can be spawned.
pub(crate) fn spawn_connection(
    service: &Arc<Service>,
    conn: Arc<ConnectionState>,
) -> Result<(), (io::Error, Option<ConnectionGuard>)> {
    let builder = thread::Builder::new().stack_size(service.limits.stack_bytes);
    let named = builder.name(format!("http-{}", conn.number));
    let guard = Arc::new(Mutex::new(Some(ConnectionGuard { service: Arc::clone(service), conn })));
    let for_thread = Arc::clone(&guard);
    // The thread is not joined: it releases its connection, which is what `finish` waits for.
    let spawned = named.spawn(move || {
        if let Some(guard) = take(&for_thread) {
            guard.serve();
        }
    });
    spawned.map(drop).map_err(|error| (error, take(&guard)))
}

fn take(guard: &Mutex<Option<ConnectionGuard>>) -> Option<ConnectionGuard> {
    guard.lock().unwrap_or_else(PoisonError::into_inner).take()
}
