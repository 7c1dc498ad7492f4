//! What a thread of the engine waits on, and is woken by.

use crate::error::{Error, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// The key of the event that wakes the thread; no run has it.
pub const WAKE: u64 = u64::MAX;

/// An epoll descriptor, and an event descriptor that it watches with the key [`WAKE`].
///
/// # Errors
/// `Kernel` when a descriptor cannot be had.
pub fn epoll_to_wake() -> Result<(Epoll, EventFd)> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
        .map_err(|e| Error::kernel("make an epoll descriptor", e))?;
    let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|e| Error::kernel("make an event descriptor", e))?;
    epoll
        .add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))
        .map_err(|e| Error::kernel("watch a descriptor", e))?;
    Ok((epoll, wake))
}
