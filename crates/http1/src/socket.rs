//! A connected socket, TCP or Unix, and the system calls made on it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, Result, ioctl_fionread};
use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_linger, set_socket_timeout, set_tcp_keepidle,
    set_tcp_keepintvl, set_tcp_nodelay,
};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// The idle time before keepalive probes start. The kernel's default of two hours would let lost
/// clients occupy connections.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(45);

/// The time between the kernel's nine keepalive probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The only descriptor of a connection. Nothing here retries: the callers own the deadlines, and
/// any call may end with `INTR`, because SIGCHLD may arrive on any thread of this process.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
}

impl Socket {
    /// Takes over a connected, blocking socket.
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }

    /// Borrows the descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Sends small writes at once instead of waiting for the client's acknowledgement.
    pub(crate) fn set_nodelay(&self) {
        // A Unix socket has neither this option nor the delay, so its error can be ignored.
        let _ = set_tcp_nodelay(&self.descriptor, true);
    }

    /// Enables keepalive: a client whose machine or network vanished counts as disconnected after
    /// some three minutes.
    pub(crate) fn enable_keepalive(&self) {
        // If it cannot be set (a Unix socket has no network to lose), nothing is lost.
        let _ = set_tcp_keepidle(&self.descriptor, KEEPALIVE_IDLE)
            .and_then(|()| set_tcp_keepintvl(&self.descriptor, KEEPALIVE_INTERVAL))
            .and_then(|()| set_socket_keepalive(&self.descriptor, true));
    }

    /// Returns the number of received bytes not yet read.
    pub(crate) fn unread(&self) -> u64 {
        // A broken socket has none.
        ioctl_fionread(&self.descriptor).unwrap_or(0)
    }

    /// Sets the timeout of each later [`Self::read`].
    pub(crate) fn set_read_timeout(&self, timeout: Duration) -> Result<()> {
        set_socket_timeout(&self.descriptor, Timeout::Recv, Some(timeout))
    }

    /// Sets the timeout of each later [`Self::write`].
    pub(crate) fn set_write_timeout(&self, timeout: Duration) -> Result<()> {
        set_socket_timeout(&self.descriptor, Timeout::Send, Some(timeout))
    }

    /// Waits for bytes; returns 0 at the end. Fails with `AGAIN` on timeout.
    pub(crate) fn read(&self, into: &mut [u8]) -> Result<usize> {
        let (count, _) = recv(&self.descriptor, into, RecvFlags::empty())?;
        Ok(count)
    }

    /// Waits until the kernel has taken some of `bytes`. Fails with `AGAIN` if the timeout expires
    /// before the first.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize> {
        send(&self.descriptor, bytes, SendFlags::NOSIGNAL)
    }

    /// Writes as much as fits into the kernel's buffer without blocking.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> Result<usize> {
        send(&self.descriptor, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    /// Reads what the kernel has received so far without blocking, at most as much as fits.
    pub(crate) fn read_now(&self, into: &mut [u8]) -> Result<usize> {
        let (count, _) = recv(&self.descriptor, into, RecvFlags::DONTWAIT)?;
        Ok(count)
    }

    /// Ends the sending side; the socket can still be read.
    pub(crate) fn shutdown_write(&self) {
        // Fails if the client is already gone, which the next read reports anyway.
        let _ = shutdown(&self.descriptor, Shutdown::Write);
    }

    /// Ends both directions: a thread blocked in a read or write returns at once.
    pub(crate) fn shutdown(&self) {
        // As above: the connection is over either way.
        let _ = shutdown(&self.descriptor, Shutdown::Both);
    }

    /// Makes the close a reset, so that a response without a length is not mistaken for a whole
    /// one.
    pub(crate) fn reset_on_close(&self) {
        // On failure the client sees an orderly end, as it would without the attempt.
        let _ = set_socket_linger(&self.descriptor, Some(Duration::ZERO));
    }

    /// Waits at most `within` for the client to disconnect or end its sending side. Returns
    /// whether it has.
    pub(crate) fn hung_up(&self, within: Duration) -> bool {
        let deadline = Instant::now().checked_add(within);
        let mut left = within;
        loop {
            let mut polled = [PollFd::new(&self.descriptor, PollFlags::RDHUP)];
            // A timeout too long for the kernel's clock means no timeout.
            match poll(&mut polled, Timespec::try_from(left).ok().as_ref()) {
                Ok(0) => return false,
                Err(Errno::INTR) => {
                    let now = Instant::now();
                    left = deadline.map_or(within, |end| end.saturating_duration_since(now));
                }
                Ok(_) | Err(_) => return true,
            }
        }
    }
}
