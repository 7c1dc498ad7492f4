//! System calls with the handling that each use of them needs.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::BorrowedFd;

/// Repeats a call that a signal interrupted: SIGCHLD may come to any thread.
pub(crate) fn retry<T, E: Into<io::Error> + Copy>(
    mut call: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    loop {
        match call() {
            Err(error) if error.into().kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Returns whether a read would not block, because there is data or the other end is closed. A
/// pidfd is readable when its process has ended. Does not block.
pub(crate) fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(descriptor, PollFlags::POLLIN)];
    retry(|| poll(&mut polled, PollTimeout::ZERO)).is_ok_and(|ready| ready > 0)
}
