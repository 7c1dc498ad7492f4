//! Messages to stderr that never wait for whoever reads them.

use crate::printable::printable;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Write};
use std::os::fd::AsFd;

/// What a pipe takes at once when it takes anything, in bytes: `PIPE_BUF` of pipe(7).
const PIECE_BYTES_MAX: usize = 4096;

/// stderr, but for what would have to wait: that is dropped, and counted. A pipe that nobody reads
/// would hold up the thread that logs, and with it every service whose output it takes.
#[derive(Debug, Default)]
pub struct Stderr {
    dropped: u64,
}

impl Write for Stderr {
    /// Takes one message.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        if self.dropped > 0 && takes_more() {
            let notice = format!("[llm-shell: {} messages were dropped here]\n", self.dropped);
            io::stderr().write_all(notice.as_bytes())?;
            self.dropped = 0;
        }
        // It may quote a name or a command.
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

/// Whether stderr takes a piece now. Where that cannot be asked, it is tried.
fn takes_more() -> bool {
    let stderr = io::stderr();
    let mut polled = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    poll(&mut polled, PollTimeout::ZERO) != Ok(0)
}
