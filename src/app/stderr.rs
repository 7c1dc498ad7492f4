//! A writer to stderr that never blocks.

use crate::printable::printable;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Write};
use std::os::fd::AsFd;

/// The bytes that a writable pipe always accepts: `PIPE_BUF` of pipe(7).
const PIECE_BYTES_MAX: usize = 4096;

/// Stderr without blocking: messages that would have to wait are dropped, and counted. A pipe that
/// nobody reads would block the thread that logs, and with it every service whose output it
/// handles.
#[derive(Debug, Default)]
pub struct Stderr {
    dropped: u64,
}

impl Write for Stderr {
    /// Writes a message.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        if self.dropped > 0 && takes_more() {
            let notice = format!("[llm-shell: {} messages were dropped here]\n", self.dropped);
            io::stderr().write_all(notice.as_bytes())?;
            self.dropped = 0;
        }
        // The message may quote a name or a command.
        let shown = printable(&String::from_utf8_lossy(message));
        for piece in shown.as_bytes().chunks(PIECE_BYTES_MAX) {
            if !takes_more() {
                self.dropped += 1;
                break;
            }
            io::stderr().write_all(piece)?;
        }
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns whether stderr accepts a piece now. If that cannot be determined, it is tried.
fn takes_more() -> bool {
    let stderr = io::stderr();
    let mut polled = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    poll(&mut polled, PollTimeout::ZERO) != Ok(0)
}
