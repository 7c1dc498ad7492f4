//! A running server: from its start to its end.

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

/// How long threads that were cut are given to be gone before [`Server::finish`] returns.
const CUT_WAIT: Duration = Duration::from_millis(100);

/// A server that accepts connections until its door is closed. Dropping it closes the door and
/// cuts whatever still runs.
pub struct Server {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Arc<OwnedFd>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Starts to serve `router` on `listener`, which is already bound, on threads of its own.
    ///
    /// # Errors
    /// When the kernel has no descriptor or no thread left.
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

    /// Where it listens; `0.0.0.0:0` for a Unix socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, and closes every connection that is between requests. What is being
    /// answered goes on, and its connection ends with that answer; a request that arrives later
    /// gets none. The listener is closed when this returns, within 0.2 s. Calling it again does
    /// nothing.
    pub fn stop_accepting(&self) {
        self.service.registry.close();
        // Eight bytes into a counter that nobody else adds to: it cannot be full.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        let thread = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It does not panic; if it had, it would be as much over.
            let _ = thread.join();
        }
    }

    /// Closes the door, waits until everything that runs is answered, at most `within`, and cuts
    /// the rest. How many requests were cut; their handlers find out by their next read or write.
    #[must_use = "requests that were cut are worth a line in the log"]
    pub fn finish(&self, within: Duration) -> usize {
        self.stop_accepting();
        let cut = if self.service.registry.wait_empty(within) {
            0
        } else {
            let cut = self.service.registry.cut_all();
            self.service.registry.wait_empty(CUT_WAIT);
            cut
        };
        self.service.access_log.finish();
        cut
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
        self.service.registry.cut_all();
    }
}
