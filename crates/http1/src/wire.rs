//! A connection's bytes in and out, each within its deadline.

use crate::access_control::AccessControl;
use crate::connection_state::ConnectionState;
use crate::limits::Limits;
use crate::peer::{Caller, Peer};
use crate::read_buffer::ReadBuffer;
use rustix::io::Errno;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much is written at once where the client is slow: what it takes of that is progress.
const PIECE_BYTES: usize = 64 * 1024;

/// How much a lingering connection is read at once.
const LINGER_READ_BYTES: usize = 16 * 1024;

/// The serving thread's end of a connection.
///
/// The socket's timeouts are changed only where the next call needs another one, so that a
/// request that comes and goes whole costs one read and one write.
#[derive(Debug)]
pub(crate) struct Wire {
    /// What the others see of this connection.
    pub(crate) seat: Arc<ConnectionState>,
    /// What has arrived and is not used up.
    pub(crate) inbox: ReadBuffer,
    /// The server's numbers.
    pub(crate) limits: Limits,
    /// What is known of the other end.
    pub(crate) peer: Peer,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Wire {
    /// Takes over the connection on `connection_state`.
    pub(crate) fn new(seat: Arc<ConnectionState>, limits: Limits) -> Self {
        seat.socket.send_without_delay();
        let peer = Peer::new(seat.address);
        Self {
            seat,
            inbox: ReadBuffer::default(),
            limits,
            peer,
            read_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
        }
    }

    /// Who is at the other end.
    pub(crate) fn caller<'w>(
        &'w self,
        access_control: Option<&'w dyn AccessControl>,
    ) -> Caller<'w> {
        Caller { peer: &self.peer, socket: &self.seat.socket, access_control }
    }

    /// Waits at most `within` for more bytes and puts them into the inbox, which may hold
    /// `bytes_max`. How many they were: 0 is the end of what the client sends.
    ///
    /// # Errors
    /// `TimedOut`, and whatever the socket reports.
    pub(crate) fn fill(&mut self, within: Duration, bytes_max: usize) -> io::Result<usize> {
        let deadline = Instant::now() + within;
        let mut left = within;
        while !left.is_zero() {
            self.set_read_timeout(left)?;
            match self.seat.socket.read(self.inbox.room(bytes_max)) {
                Ok(count) => {
                    self.inbox.filled(count);
                    return Ok(count);
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            left = deadline.saturating_duration_since(Instant::now());
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Sends all of `bytes`. Blocks while the client reads, at most until `deadline`, and for so
    /// long without any progress as [`Self::write_limit`] says. Meanwhile the connection may be
    /// cut to make room.
    ///
    /// # Errors
    /// `TimedOut`, and whatever the socket reports. Some of the bytes may have been sent.
    pub(crate) fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let sent = match self.seat.socket.write_now(bytes) {
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => 0,
            Err(error) => return Err(error.into()),
        };
        if sent == bytes.len() {
            return Ok(());
        }
        let result = self.send_slowly(&bytes[sent..], deadline);
        if result.is_ok() && !self.seat.begin_answer() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        result
    }

    /// Sends what the kernel did not take at once.
    fn send_slowly(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let (mut rest, mut progress) = (bytes, Instant::now());
        while !rest.is_empty() {
            if !self.seat.begin_stalling() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let end = deadline.min(progress + self.write_limit());
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.set_write_timeout(left)?;
            // In pieces, because a write of the kernel's returns only when all is taken.
            match self.seat.socket.write(&rest[..rest.len().min(PIECE_BYTES)]) {
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

    /// How long a write may make no progress.
    fn write_limit(&self) -> Duration {
        if self.peer.is_trusted() { self.limits.write } else { self.limits.stranger_write }
    }

    /// Until when a write of `bytes` that starts now must be done.
    pub(crate) fn write_deadline(&self, bytes: usize) -> Instant {
        Instant::now() + self.write_limit() + self.limits.share_of(bytes)
    }

    /// Gives the client time to read the last answer: ends the sending side, and reads on for a
    /// while, because a close with unread bytes would be a reset that overtakes the answer.
    /// Meanwhile the connection may be cut to make room.
    pub(crate) fn linger(&mut self) {
        if !self.seat.begin_waiting() {
            return;
        }
        self.seat.socket.end_sending();
        let deadline = Instant::now() + self.limits.linger;
        let mut left = self.limits.linger_bytes_max;
        loop {
            self.inbox.consume(usize::MAX);
            let within = deadline.saturating_duration_since(Instant::now());
            match self.fill(within, LINGER_READ_BYTES) {
                Ok(count) if count > 0 && count < left => left -= count,
                _ => return,
            }
        }
    }

    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.read_timeout != timeout {
            self.seat.socket.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.write_timeout != timeout {
            self.seat.socket.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }
}
