//! System calls with the handling that each use of them needs.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// Repeats a call that a signal interrupted: SIGCHLD may come to any thread.
pub(super) fn retry<T, E: Into<io::Error> + Copy>(
    mut call: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    loop {
        match call() {
            Err(error) if error.into().kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Opens a pidfd of a process that cannot be reaped meanwhile, or that the caller checks
/// afterwards.
pub(super) fn open_pidfd(pid: Pid) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(Errno::ESRCH)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits for the end of a process that is not ours to reap, by its pidfd. Blocks until then, or
/// until `deadline`: the caller looks again for one that does not end in time.
pub(super) fn wait_for_end(pidfd: &OwnedFd, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    let mut watched = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let _ended = retry(|| poll(&mut watched, timeout));
}
