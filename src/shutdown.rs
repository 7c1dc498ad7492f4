//! Signals to the server itself: asked to end once, and once more at once; asked to reload.

use crate::error::{Error, Result};
use nix::libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::io::{self, PipeReader, PipeWriter, Read, Write};

/// What SIGHUP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The end: a terminal that closes must not leave commands behind.
    Ends,
    /// Not the end.
    DoesNotEnd,
}

/// Requests that come as signals. They come through a pipe and block no thread's mask, because a
/// command would inherit it.
#[derive(Debug)]
pub struct SignalReceiver {
    pipe: PipeReader,
    writer: PipeWriter,
}

/// Makes a request as a signal would.
#[derive(Debug)]
pub struct ShutdownTrigger(PipeWriter);

impl SignalReceiver {
    /// Takes over the signals that ask for the end: SIGTERM, SIGINT and SIGQUIT, and SIGHUP where
    /// that does.
    ///
    /// # Errors
    /// `Kernel` when a descriptor cannot be had or a signal cannot be taken.
    pub fn to_end(hangup: Hangup) -> Result<Self> {
        let hangup = (hangup == Hangup::Ends).then_some(SIGHUP);
        Self::watch(&[SIGTERM, SIGINT, SIGQUIT].into_iter().chain(hangup).collect::<Vec<_>>())
    }

    /// Takes over SIGHUP, which asks for a reload.
    ///
    /// # Errors
    /// `Kernel` when a descriptor cannot be had or the signal cannot be taken.
    pub fn to_reload() -> Result<Self> {
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

    /// What makes a request as a signal would.
    ///
    /// # Errors
    /// `Kernel` when a descriptor cannot be had.
    pub fn asker(&self) -> Result<ShutdownTrigger> {
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
    /// Makes a request. Blocks only where thousands were made that nobody has looked at.
    pub fn ask(&self) {
        // The reading end lives as long as the server does.
        let _closed = (&self.0).write(&[0]);
    }
}
