//! The writing side of a command's input.

use super::shell_control::reopen;
use super::terminal::{self, TerminalSize};
use crate::syscall::retry;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The writing side of a command's input, until it is closed.
#[derive(Debug)]
pub struct Stdin {
    /// Locked for a copy or an assignment; a write holds only a copy of the descriptor.
    state: Mutex<State>,
    /// Signalled with `state` when a write is done.
    changed: Condvar,
    is_terminal: bool,
    /// Our reading end of a pipe that can be opened again after its end.
    reader: Option<OwnedFd>,
}

#[derive(Debug)]
struct State {
    /// `None` once it is closed.
    descriptor: Option<Arc<OwnedFd>>,
    /// Whether a write is in progress: others wait, so that no two are mixed.
    is_busy: bool,
}

/// The error of an input that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StdinClosed;

impl Stdin {
    /// Wraps the writing end of a pipe.
    pub(super) fn pipe(descriptor: OwnedFd) -> io::Result<Self> {
        Self::new(Some(descriptor), false)
    }

    /// Wraps our side of a terminal.
    pub(super) fn terminal(descriptor: OwnedFd) -> io::Result<Self> {
        Self::new(Some(descriptor), true)
    }

    /// Wraps a pipe with this reading end, closed until `reopen`.
    pub(super) fn closed_pipe(reader: &OwnedFd) -> io::Result<Self> {
        // A description of our own, since the other one must block.
        let reader = reopen(reader, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        Ok(Self { reader: Some(reader), ..Self::new(None, false)? })
    }

    fn new(descriptor: Option<OwnedFd>, is_terminal: bool) -> io::Result<Self> {
        if let Some(descriptor) = &descriptor {
            fcntl(descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let state = State { descriptor: descriptor.map(Arc::new), is_busy: false };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Ok(Self { state, changed, is_terminal, reader: None })
    }

    /// Opens a pipe again for the next command of a session, without what the one before has not
    /// read. Does nothing to a terminal. Does not block.
    ///
    /// # Errors
    /// The error of the kernel.
    pub fn reopen(&self) -> io::Result<()> {
        let Some(reader) = &self.reader else { return Ok(()) };
        self.close_pipe();
        let mut unread = [0; 4096];
        while retry(|| nix::unistd::read(reader, &mut unread)).is_ok_and(|bytes| bytes > 0) {}
        let writer = reopen(reader, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?;
        self.lock().descriptor = Some(Arc::new(writer));
        Ok(())
    }

    /// Closes a pipe that can be opened again. Does not block.
    pub fn close_pipe(&self) {
        if self.reader.is_some() {
            self.lock().descriptor = None;
        }
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Returns the number of lines that this input is echoed as: none in a pipe, and none while a
    /// password is read. A program that reads key by key is taken to echo lines itself.
    #[must_use]
    pub fn echoed_lines(&self, data: &[u8]) -> u64 {
        let open = self.lock().descriptor.clone().filter(|_| self.is_terminal);
        let is_echoed = open.is_some_and(|open| terminal::echoes_lines(open.as_fd()));
        if !is_echoed {
            return 0;
        }
        data.iter().filter(|byte| matches!(**byte, b'\n' | b'\r')).count() as u64
    }

    /// Whether it can be written to, as far as is known. Does not block.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().descriptor.is_some()
    }

    /// Writes, waiting while the command does not read and while others write, until `deadline` at
    /// the latest. Returns the number of bytes written.
    ///
    /// # Errors
    /// `StdinClosed` if it is closed, or nobody can read it any more.
    pub fn write(&self, data: &[u8], deadline: Instant) -> Result<usize, StdinClosed> {
        let Some(descriptor) = self.begin_write(deadline)? else { return Ok(0) };
        let written = write_until(&descriptor, data, deadline);
        let mut state = self.lock();
        state.is_busy = false;
        if written.is_err() {
            state.descriptor = None;
        }
        drop(state);
        self.changed.notify_one();
        written.or_else(|bytes| if bytes > 0 { Ok(bytes) } else { Err(StdinClosed) })
    }

    /// Ends the input: a pipe is closed as soon as a write in progress is done; a terminal gets its
    /// end-of-file character, until `deadline` at the latest.
    ///
    /// # Errors
    /// `StdinClosed` if it was closed before.
    pub fn end(&self, deadline: Instant) -> Result<(), StdinClosed> {
        if !self.is_terminal {
            return self.lock().descriptor.take().map(drop).ok_or(StdinClosed);
        }
        let open = self.lock().descriptor.clone().ok_or(StdinClosed)?;
        self.write(&[terminal::end_of_file(open.as_fd())], deadline).map(drop)
    }

    /// Resizes the terminal. Does not block.
    ///
    /// # Errors
    /// `StdinClosed` if it is not a terminal, or is closed.
    pub fn resize(&self, size: TerminalSize) -> Result<(), StdinClosed> {
        let open = self.lock().descriptor.clone().filter(|_| self.is_terminal);
        let open = open.ok_or(StdinClosed)?;
        terminal::resize(open.as_fd(), size).map_err(|_| StdinClosed)
    }

    /// Waits for its turn to write; `None` if that has not come by `deadline`.
    fn begin_write(&self, deadline: Instant) -> Result<Option<Arc<OwnedFd>>, StdinClosed> {
        let is_busy = |state: &mut State| state.is_busy && state.descriptor.is_some();
        let mut state = self.lock();
        self.changed.wait_while_until(&mut state, is_busy, deadline);
        let descriptor = state.descriptor.clone().ok_or(StdinClosed)?;
        if std::mem::replace(&mut state.is_busy, true) { Ok(None) } else { Ok(Some(descriptor)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Writes as much as possible until `deadline`. Fails, with the number of bytes written, if nobody
/// can read any more.
fn write_until(descriptor: &OwnedFd, data: &[u8], deadline: Instant) -> Result<usize, usize> {
    let mut written = 0;
    while written < data.len() {
        match retry(|| nix::unistd::write(descriptor, &data[written..])) {
            Ok(bytes) => written += bytes,
            Err(Errno::EAGAIN) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() || !wait_until_writable(descriptor, left) {
                    break;
                }
            }
            Err(_) => return Err(written),
        }
    }
    Ok(written)
}

/// Waits until something can be written, or the other side is gone. Returns false if the time is
/// up.
fn wait_until_writable(descriptor: &OwnedFd, left: Duration) -> bool {
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLOUT)];
    retry(|| poll(&mut polled, timeout)).is_ok_and(|ready| ready > 0)
}
