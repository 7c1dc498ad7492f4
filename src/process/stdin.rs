//! Writing to a command's input.

use super::leader::retry;
use super::terminal::{self, TerminalSize};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The writing side of a command's input, until it is closed.
#[derive(Debug)]
pub struct Stdin {
    /// Locked while somebody writes.
    descriptor: Mutex<Option<OwnedFd>>,
    is_closed: AtomicBool,
    is_terminal: bool,
}

/// Why nothing more can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StdinClosed;

impl Stdin {
    /// The writing end of a pipe.
    pub(super) fn pipe(descriptor: OwnedFd) -> io::Result<Self> {
        Self::new(descriptor, false)
    }

    /// Our side of a terminal.
    pub(super) fn terminal(descriptor: OwnedFd) -> io::Result<Self> {
        Self::new(descriptor, true)
    }

    fn new(descriptor: OwnedFd, is_terminal: bool) -> io::Result<Self> {
        fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (descriptor, is_closed) = (Mutex::new(Some(descriptor)), AtomicBool::new(false));
        Ok(Self { descriptor, is_closed, is_terminal })
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether it can be written to, as far as is known. Does not block.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::SeqCst)
    }

    /// Writes, waiting while the command does not read, but no longer than `within`. Gives how
    /// many bytes were written.
    ///
    /// # Errors
    /// `StdinClosed` where it is closed, or nobody can read it any more.
    pub fn write(&self, data: &[u8], within: Duration) -> Result<usize, StdinClosed> {
        let mut descriptor = self.lock();
        let Some(open) = &*descriptor else { return Err(StdinClosed) };
        let deadline = Instant::now() + within;
        let mut written = 0;
        while written < data.len() {
            match retry(|| nix::unistd::write(open, &data[written..])) {
                Ok(bytes) => written += bytes,
                Err(Errno::EAGAIN) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() || !wait_for_room(open, left) {
                        break;
                    }
                }
                Err(_) => {
                    *descriptor = None;
                    self.is_closed.store(true, Ordering::SeqCst);
                    return if written > 0 { Ok(written) } else { Err(StdinClosed) };
                }
            }
        }
        Ok(written)
    }

    /// Ends the input: a pipe is closed, a terminal gets the character that says so.
    ///
    /// # Errors
    /// `StdinClosed` where that was done before.
    pub fn end(&self, within: Duration) -> Result<(), StdinClosed> {
        if !self.is_terminal {
            self.is_closed.store(true, Ordering::SeqCst);
            return self.lock().take().map(drop).ok_or(StdinClosed);
        }
        let character = match &*self.lock() {
            Some(open) => terminal::end_of_file(open.as_fd()),
            None => return Err(StdinClosed),
        };
        self.write(&[character], within).map(drop)
    }

    /// Gives the terminal another size.
    ///
    /// # Errors
    /// `StdinClosed` where it is none, or is closed.
    pub fn resize(&self, size: TerminalSize) -> Result<(), StdinClosed> {
        match &*self.lock() {
            Some(open) if self.is_terminal => {
                terminal::resize(open.as_fd(), size).map_err(|_| StdinClosed)
            }
            _ => Err(StdinClosed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.descriptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until something can be written, or the other side is gone. False when the time is over.
fn wait_for_room(descriptor: &OwnedFd, left: Duration) -> bool {
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLOUT)];
    retry(|| poll(&mut polled, timeout)).is_ok_and(|ready| ready > 0)
}
