//! Pidfds: opening one, and waiting for the end of its process.

use crate::syscall::retry;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

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
