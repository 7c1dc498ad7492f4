//! One connected socket, TCP or Unix, and the few system calls made on it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, Result, ioctl_fionread};
use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_linger, set_socket_timeout, set_tcp_keepidle,
    set_tcp_keepintvl, set_tcp_nodelay,
};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a followed stream is quiet before its client is probed. The kernel's own two hours
/// would let lost clients fill the places of the living.
const QUIET_BEFORE_PROBE: Duration = Duration::from_secs(45);

/// How long each of the kernel's nine probes waits for its answer.
const PROBE_EVERY: Duration = Duration::from_secs(15);

/// The one descriptor of a connection. Nothing here retries: the callers own the deadlines, and
/// any call may end with `INTR`, because SIGCHLD comes to any thread of this process.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
}

impl Socket {
    /// Takes over a connected, blocking socket.
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }

    /// Lends the descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Sends small answers at once instead of waiting for the client's acknowledgement.
    pub(crate) fn send_without_delay(&self) {
        // A Unix socket has no such option and no such delay: its error is as good as success.
        let _ = set_tcp_nodelay(&self.descriptor, true);
    }

    /// Has the kernel ask a client that says nothing whether it is still there: one whose machine
    /// or network is gone without a word counts as hung up after some three minutes.
    pub(crate) fn probe_when_quiet(&self) {
        // Where it cannot be set (a Unix socket has no network to lose) nothing is lost by it.
        let _ = set_tcp_keepidle(&self.descriptor, QUIET_BEFORE_PROBE)
            .and_then(|()| set_tcp_keepintvl(&self.descriptor, PROBE_EVERY))
            .and_then(|()| set_socket_keepalive(&self.descriptor, true));
    }

    /// How many bytes have come and were not read.
    pub(crate) fn unread(&self) -> u64 {
        // A socket that has broken has nothing to say any more.
        ioctl_fionread(&self.descriptor).unwrap_or(0)
    }

    /// Bounds each later [`Self::read`].
    pub(crate) fn set_read_timeout(&self, timeout: Duration) -> Result<()> {
        set_socket_timeout(&self.descriptor, Timeout::Recv, Some(timeout))
    }

    /// Bounds each later [`Self::write`].
    pub(crate) fn set_write_timeout(&self, timeout: Duration) -> Result<()> {
        set_socket_timeout(&self.descriptor, Timeout::Send, Some(timeout))
    }

    /// Waits for bytes; 0 is the end. `AGAIN` when the read timeout ran out.
    pub(crate) fn read(&self, into: &mut [u8]) -> Result<usize> {
        let (count, _) = recv(&self.descriptor, into, RecvFlags::empty())?;
        Ok(count)
    }

    /// Waits until some of `bytes` are handed to the kernel. `AGAIN` when the write timeout ran
    /// out before the first.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize> {
        send(&self.descriptor, bytes, SendFlags::NOSIGNAL)
    }

    /// Hands over what fits into the kernel's buffer now.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> Result<usize> {
        send(&self.descriptor, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    /// Takes what the kernel has received by now, at most as much as fits.
    pub(crate) fn read_now(&self, into: &mut [u8]) -> Result<usize> {
        let (count, _) = recv(&self.descriptor, into, RecvFlags::DONTWAIT)?;
        Ok(count)
    }

    /// Tells the client that nothing more will come; it can still be read.
    pub(crate) fn end_sending(&self) {
        // It fails where the client is gone already, which is what comes next anyway.
        let _ = shutdown(&self.descriptor, Shutdown::Write);
    }

    /// Ends both directions: a thread that waits in a read or a write of it returns at once.
    pub(crate) fn cut(&self) {
        // As above: the connection is over either way.
        let _ = shutdown(&self.descriptor, Shutdown::Both);
    }

    /// Makes the close a reset, so that an answer without a length is not taken for a whole one.
    pub(crate) fn reset_on_close(&self) {
        // Where that fails the client sees a plain end, as it would without the attempt.
        let _ = set_socket_linger(&self.descriptor, Some(Duration::ZERO));
    }

    /// Whether the client has hung up (or ended its sending side), waiting `within` for it.
    pub(crate) fn hung_up(&self, within: Duration) -> bool {
        let deadline = Instant::now().checked_add(within);
        let mut left = within;
        loop {
            let mut polled = [PollFd::new(&self.descriptor, PollFlags::RDHUP)];
            // A wait too long for the kernel's clock is one without an end.
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
