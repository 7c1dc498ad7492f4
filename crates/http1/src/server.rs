//! A running server, from start to shutdown.

use crate::accept::AcceptLoop;
use crate::limits::Limits;
use crate::listener::{Listener, NO_ADDRESS, Place};
use crate::router::Router;
use crate::service::Service;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time allowed for aborted threads to exit before [`Server::finish`] returns.
const ABORT_WAIT: Duration = Duration::from_millis(100);

/// A server that accepts connections until it is stopped. Dropping it stops accepting and aborts
/// all running requests.
pub struct Server {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Arc<OwnedFd>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Starts serving `router` on `listener`, which is already bound, on new threads.
    ///
    /// # Errors
    /// If the kernel has no descriptor or thread left.
    pub fn start(
        listener: impl Into<Listener>,
        router: Router,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = listener.into();
        let address = match listener.place() {
            Place::Internet(address) => address,
            Place::Unix(_) => NO_ADDRESS,
        };
        let service = Arc::new(Service::new(router, limits));
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let accept = AcceptLoop::new(listener, Arc::clone(&stop), Arc::clone(&service))?;
        let thread = thread::Builder::new().name("http-accept".to_owned());
        let accepting = Mutex::new(Some(thread.spawn(move || accept.run())?));
        Ok(Self { address, service, stop, accepting })
    }

    /// Returns the listening address; `0.0.0.0:0` for a Unix socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and closes every connection that is between requests. Running requests
    /// continue, and their connections close after the response; a request that arrives later gets
    /// none. The listener is closed when this returns, within 0.2 s. Calling it again does
    /// nothing.
    pub fn stop_accepting(&self) {
        self.service.registry.close();
        // Nobody else adds to this counter, so it cannot overflow and block.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        let thread = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread does not panic; if it had, it would be over all the same.
            let _ = thread.join();
        }
    }

    /// Stops accepting, waits at most `within` for running requests to finish, and aborts the
    /// rest. Returns the number of aborted requests; their handlers notice at their next read or
    /// write.
    #[must_use = "aborted requests are worth logging"]
    pub fn finish(&self, within: Duration) -> usize {
        self.stop_accepting();
        let aborted = if self.service.registry.wait_empty(within) {
            0
        } else {
            let aborted = self.service.registry.abort_all();
            self.service.registry.wait_empty(ABORT_WAIT);
            aborted
        };
        self.service.access_log.finish();
        aborted
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
        self.service.registry.abort_all();
    }
}
