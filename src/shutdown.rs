//! Signals to the server itself: shut down, shut down at once when repeated, reload.

use crate::error::{Error, Result};
use nix::libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::io::{self, PipeReader, PipeWriter, Read, Write};

/// The meaning of SIGHUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// Shut down: a terminal that closes must not leave commands behind.
    Shutdown,
    /// Not a shutdown.
    NoShutdown,
}

/// A receiver of requests sent as signals. They arrive through a pipe and need no blocked signals
/// in any thread, because a command would inherit that mask.
#[derive(Debug)]
pub struct SignalReceiver {
    pipe: PipeReader,
    writer: PipeWriter,
}

/// A trigger with the effect of a signal.
#[derive(Debug)]
pub struct ShutdownTrigger(PipeWriter);

impl SignalReceiver {
    /// Handles the signals that request a shutdown: SIGTERM, SIGINT and SIGQUIT, and SIGHUP if
    /// `hangup` says so.
    ///
    /// # Errors
    /// `Kernel` if there is no descriptor left or a signal cannot be handled.
    pub fn for_shutdown(hangup: Hangup) -> Result<Self> {
        let hangup = (hangup == Hangup::Shutdown).then_some(SIGHUP);
        Self::watch(&[SIGTERM, SIGINT, SIGQUIT].into_iter().chain(hangup).collect::<Vec<_>>())
    }

    /// Handles SIGHUP, which requests a reload.
    ///
    /// # Errors
    /// `Kernel` if there is no descriptor left or the signal cannot be handled.
    pub fn for_reload() -> Result<Self> {
        Self::watch(&[SIGHUP])
    }

    fn watch(signals: &[i32]) -> Result<Self> {
        let (pipe, writer) = io::pipe().map_err(|e| Error::kernel("make a pipe", e))?;
        for signal in signals {
            let pipe = writer.try_clone().map_err(|e| Error::kernel("make a pipe", e))?;
            signal_hook::low_level::pipe::register(*signal, pipe)
                .map_err(|e| Error::kernel("watch for signals", e))?;
        }
        Ok(Self { pipe, writer })
    }

    /// Creates a trigger with the effect of a signal.
    ///
    /// # Errors
    /// `Kernel` if there is no descriptor left.
    pub fn trigger(&self) -> Result<ShutdownTrigger> {
        self.writer.try_clone().map(ShutdownTrigger).map_err(|e| Error::kernel("make a pipe", e))
    }

    /// Blocks until the next request.
    pub fn wait(&mut self) {
        let mut byte = [0];
        loop {
            match self.pipe.read(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The other end stays open, so this is a request.
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl ShutdownTrigger {
    /// Makes a request. Blocks only if thousands of requests are unread.
    pub fn fire(&self) {
        // The reading end lives as long as the server does.
        let _closed = (&self.0).write(&[0]);
    }
}
