//! Signals to the server itself: asked to end once, and once more at once.

use crate::error::{Error, Result};
use nix::libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::io::{self, PipeReader, Read};

/// The requests to end that the server gets, as signals. They come through a pipe and block no
/// thread's mask, because a command would inherit it.
#[derive(Debug)]
pub struct EndRequests(PipeReader);

impl EndRequests {
    /// Takes over SIGTERM, SIGINT and SIGQUIT, and SIGHUP too unless whoever started us asked for
    /// it to be ignored: a terminal that closes must not leave commands behind.
    ///
    /// # Errors
    /// `Kernel` when a descriptor cannot be had or a signal cannot be taken.
    pub fn watch(hangup_is_ignored: bool) -> Result<Self> {
        let (requests, signals) = io::pipe().map_err(|e| Error::kernel("make a pipe", e))?;
        let hangup = (!hangup_is_ignored).then_some(SIGHUP);
        for signal in [SIGTERM, SIGINT, SIGQUIT].into_iter().chain(hangup) {
            let pipe = signals.try_clone().map_err(|e| Error::kernel("make a pipe", e))?;
            signal_hook::low_level::pipe::register(signal, pipe)
                .map_err(|e| Error::kernel("watch for signals", e))?;
        }
        Ok(Self(requests))
    }

    /// Blocks until the next request.
    pub fn wait(&mut self) {
        let mut byte = [0];
        loop {
            match self.0.read(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The other end stays open in the handlers, so this is a request.
                Ok(_) | Err(_) => return,
            }
        }
    }
}
