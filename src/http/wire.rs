//! A connection's bytes in and out, each within its deadline.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::inbox::Inbox;
use super::limits::Limits;
use super::seat::Seat;

/// How much a lingering connection is read at once.
const LINGER_READ_BYTES: usize = 16 * 1024;

/// The serving thread's end of a connection.
///
/// The socket's timeouts are changed only where the next call needs another one, so that a
/// request that comes and goes whole costs one read and one write.
#[derive(Debug)]
pub(super) struct Wire {
    /// What the others see of this connection.
    pub(super) seat: Arc<Seat>,
    /// What has arrived and is not used up.
    pub(super) inbox: Inbox,
    /// The server's numbers.
    pub(super) limits: Limits,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Wire {
    /// Takes over the connection on `seat`.
    pub(super) fn new(seat: Arc<Seat>, limits: Limits) -> Self {
        seat.socket.send_without_delay();
        Self {
            seat,
            inbox: Inbox::default(),
            limits,
            read_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
        }
    }

    /// Waits at most `within` for more bytes and puts them into the inbox, which may hold
    /// `bytes_max`. How many they were: 0 is the end of what the client sends.
    ///
    /// # Errors
    /// `TimedOut`, and whatever the socket reports.
    pub(super) fn fill(&mut self, within: Duration, bytes_max: usize) -> io::Result<usize> {
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

    /// Sends all of `bytes`. Blocks while the client reads, at most until `deadline`, and at
    /// most `limits.write` without any progress.
    ///
    /// # Errors
    /// `TimedOut`, and whatever the socket reports. Some of the bytes may have been sent.
    pub(super) fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let mut rest = bytes;
        self.set_write_timeout(self.limits.write)?;
        let mut progress = Instant::now();
        while !rest.is_empty() {
            match self.seat.socket.write(rest) {
                Ok(count) if count == rest.len() => return Ok(()),
                Ok(count) => {
                    rest = &rest[count..];
                    progress = Instant::now();
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            let left = deadline.min(progress + self.limits.write) - Instant::now();
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.set_write_timeout(left)?;
        }
        Ok(())
    }

    /// Until when a write of `bytes` that starts now must be done.
    pub(super) fn write_deadline(&self, bytes: usize) -> Instant {
        Instant::now() + self.limits.write_budget(bytes)
    }

    /// Gives the client time to read the last answer: ends the sending side, and reads on for a
    /// while, because a close with unread bytes would be a reset that overtakes the answer.
    /// Meanwhile the connection may be cut to make room.
    pub(super) fn linger(&mut self) {
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
