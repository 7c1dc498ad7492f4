//! The accept loop, which nothing that a client does can end.

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

/// How long the loop waits after an accept that failed for want of descriptors or memory where
/// nobody could be cut: the listener stays readable, so that it would spin otherwise.
const SHORTAGE_WAIT: Duration = Duration::from_millis(50);

/// How often the log hears of accept errors and refusals, at most.
const COMPLAINT_EVERY: Duration = Duration::from_secs(1);

/// What the thread `http-accept` does, and owns.
pub(crate) struct AcceptLoop {
    listener: Listener,
    /// Becomes readable when the loop is to end.
    stop: Arc<OwnedFd>,
    service: Arc<Service>,
    refusals: Refusals,
    standby: Standby,
    complained: Option<Instant>,
}

/// What a turn of the loop has to do.
enum Turn {
    Accept,
    Expire,
    Stop,
}

impl AcceptLoop {
    /// A loop that is ready to run.
    ///
    /// # Errors
    /// Where the listener cannot be made non-blocking.
    pub(crate) fn new(
        listener: Listener,
        stop: Arc<OwnedFd>,
        service: Arc<Service>,
    ) -> io::Result<Self> {
        // The client of a readable listener may be gone by the time of the accept.
        ioctl_fionbio(listener.descriptor(), true)?;
        let refusals = Refusals::new(service.limits.refused);
        let standby = Standby::start(&service);
        Ok(Self { listener, stop, service, refusals, standby, complained: None })
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
            // A signal, or a shortage in the kernel, for which there is the wait in `accept`.
            Ok(0) | Err(_) => Turn::Expire,
        }
    }

    fn accept(&mut self) {
        match acceptfrom_with(self.listener.descriptor(), SocketFlags::CLOEXEC) {
            Ok((descriptor, address)) => match self.service.registry.admit(descriptor, address) {
                Admission::Seated(seat) => self.seat(seat),
                Admission::Full(socket) => self.refuse(socket, "all connections are busy"),
                Admission::Closed => {}
            },
            // The client was gone before it was let in, or a signal came.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
            Err(error) => {
                self.complain(&format!("accept: {error}"));
                if !self.service.registry.evict_idle() {
                    self.pause();
                }
            }
        }
    }

    fn seat(&mut self, seat: Arc<ConnectionState>) {
        let Err((error, guest)) = spawn_connection(&self.service, seat) else { return };
        self.complain(&format!("no thread for it: {error}"));
        let Some(guest) = guest.and_then(|guest| self.standby.spawn_connection(guest).err()) else {
            return;
        };
        if let Some(socket) = guest.into_socket() {
            self.refusals.refuse(socket, &self.service.ids.fresh());
        }
        self.service.registry.evict_idle();
    }

    fn refuse(&mut self, socket: Socket, why: &str) {
        self.complain(why);
        self.refusals.refuse(socket, &self.service.ids.fresh());
    }

    /// Waits for others to give back what is short, or for the end.
    fn pause(&self) {
        let mut polled = [PollFd::new(&*self.stop, PollFlags::IN)];
        let within = Timespec::try_from(SHORTAGE_WAIT).ok();
        // An early return is an accept too many, which fails and waits again.
        let _ = poll(&mut polled, within.as_ref());
    }

    fn complain(&mut self, what: &str) {
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_EVERY) {
            self.complained = Some(Instant::now());
            log::warn!("A connection could not be served: {what}");
        }
    }
}

/// Serves a connection on a thread of its own. Where there is none to be had, the guest is given
/// back.
pub(crate) fn spawn_connection(
    service: &Arc<Service>,
    seat: Arc<ConnectionState>,
) -> Result<(), (io::Error, Option<ConnectionGuard>)> {
    let builder = thread::Builder::new().stack_size(service.limits.stack_bytes);
    let named = builder.name(format!("http-{}", seat.number));
    let guest = Arc::new(Mutex::new(Some(ConnectionGuard { service: Arc::clone(service), seat })));
    let for_thread = Arc::clone(&guest);
    // The thread is not joined: it gives its seat back, which is what `finish` waits for.
    let spawned = named.spawn(move || {
        if let Some(guest) = take(&for_thread) {
            guest.serve();
        }
    });
    spawned.map(drop).map_err(|error| (error, take(&guest)))
}

fn take(guest: &Mutex<Option<ConnectionGuard>>) -> Option<ConnectionGuard> {
    guest.lock().unwrap_or_else(PoisonError::into_inner).take()
}
