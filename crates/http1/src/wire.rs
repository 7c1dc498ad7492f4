//! Reads and writes of a connection, each with a deadline.

use crate::access_control::AccessControl;
use crate::connection_state::ConnectionState;
use crate::limits::Limits;
use crate::peer::{Caller, Peer};
use crate::read_buffer::ReadBuffer;
use rustix::io::Errno;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The size of one write to a slow client; each completed write counts as progress.
const PIECE_BYTES: usize = 64 * 1024;

/// The size of one read from a lingering connection.
const LINGER_READ_BYTES: usize = 16 * 1024;

/// The serving thread's handle of a connection.
///
/// The socket's timeouts are changed only if the next call needs another one, so that a request
/// that arrives and leaves whole costs one read and one write.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The state shared with other threads.
    pub(crate) conn: Arc<ConnectionState>,
    /// The bytes received and not yet consumed.
    pub(crate) buffer: ReadBuffer,
    /// The server's limits.
    pub(crate) limits: Limits,
    /// The client.
    pub(crate) peer: Peer,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Wire {
    /// Takes over the connection `conn`.
    pub(crate) fn new(conn: Arc<ConnectionState>, limits: Limits) -> Self {
        conn.socket.set_nodelay();
        let peer = Peer::new(conn.address);
        Self {
            conn,
            buffer: ReadBuffer::default(),
            limits,
            peer,
            read_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
        }
    }

    /// Returns the client, as the access policy sees it.
    pub(crate) fn caller<'w>(
        &'w self,
        access_control: Option<&'w dyn AccessControl>,
    ) -> Caller<'w> {
        Caller { peer: &self.peer, socket: &self.conn.socket, access_control }
    }

    /// Waits at most `within` for more bytes and appends them to the buffer, which may hold
    /// `bytes_max`. Returns their number; 0 means that the client has ended its sending side.
    ///
    /// # Errors
    /// `TimedOut`, and any error of the socket.
    pub(crate) fn fill(&mut self, within: Duration, bytes_max: usize) -> io::Result<usize> {
        let deadline = Instant::now() + within;
        let mut left = within;
        while !left.is_zero() {
            self.set_read_timeout(left)?;
            match self.conn.socket.read(self.buffer.spare(bytes_max)) {
                Ok(count) => {
                    self.buffer.commit(count);
                    return Ok(count);
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            left = deadline.saturating_duration_since(Instant::now());
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Sends all of `bytes`. Blocks while the client reads, at most until `deadline`, and at most
    /// [`Self::write_limit`] without progress. Meanwhile the connection may be evicted.
    ///
    /// # Errors
    /// `TimedOut`, and any error of the socket. Some of the bytes may have been sent.
    pub(crate) fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let sent = match self.conn.socket.write_now(bytes) {
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => 0,
            Err(error) => return Err(error.into()),
        };
        if sent == bytes.len() {
            return Ok(());
        }
        let result = self.send_slowly(&bytes[sent..], deadline);
        if result.is_ok() && !self.conn.begin_answer() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        result
    }

    /// Sends the bytes that the kernel did not take at once.
    fn send_slowly(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let (mut rest, mut progress) = (bytes, Instant::now());
        while !rest.is_empty() {
            if !self.conn.begin_stalling() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let end = deadline.min(progress + self.write_limit());
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.set_write_timeout(left)?;
            // In pieces, because the kernel's write returns only when everything is taken.
            match self.conn.socket.write(&rest[..rest.len().min(PIECE_BYTES)]) {
                Ok(count) => {
                    rest = &rest[count..];
                    progress = Instant::now();
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Returns how long a write may make no progress.
    fn write_limit(&self) -> Duration {
        if self.peer.is_trusted() { self.limits.write } else { self.limits.unauthenticated_write }
    }

    /// Returns the deadline for a write of `bytes` bytes that starts now.
    pub(crate) fn write_deadline(&self, bytes: usize) -> Instant {
        Instant::now() + self.write_limit() + self.limits.transfer_time(bytes)
    }

    /// Gives the client time to read the last response: ends the sending side and reads on for a
    /// while, because a close with unread bytes sends a reset that can overtake the response.
    /// Meanwhile the connection may be evicted.
    pub(crate) fn linger(&mut self) {
        if !self.conn.begin_waiting() {
            return;
        }
        self.conn.socket.shutdown_write();
        let deadline = Instant::now() + self.limits.linger;
        let mut left = self.limits.linger_bytes_max;
        loop {
            self.buffer.consume(usize::MAX);
            let within = deadline.saturating_duration_since(Instant::now());
            match self.fill(within, LINGER_READ_BYTES) {
                Ok(count) if count > 0 && count < left => left -= count,
                _ => return,
            }
        }
    }

    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.read_timeout != timeout {
            self.conn.socket.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.write_timeout != timeout {
            self.conn.socket.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }
}
