//! Children of this process: those that are being spawned, and those that were.

use nix::unistd::Pid;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// A child that was executed and that nobody can have collected yet.
#[derive(Debug)]
pub(super) struct Child {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    /// Whether no other child of ours has had its pid since.
    pub is_latest: Arc<AtomicBool>,
}

/// The child that a spawner is making, between its clone and its exec.
#[derive(Debug, Default)]
pub(super) struct PendingChild(AtomicI32);

/// The pid of a pending child, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PendingPid {
    /// There is no such child.
    None,
    /// There may be a child, which has not reported its pid yet.
    Unknown,
    /// The child's pid.
    Known(i32),
}

impl PendingChild {
    const NONE: i32 = 0;
    const UNKNOWN: i32 = -1;

    /// Returns the pid, as far as it is known. Exact while the registry of children is locked.
    pub fn pid(&self) -> PendingPid {
        match self.0.load(Ordering::SeqCst) {
            Self::NONE => PendingPid::None,
            Self::UNKNOWN => PendingPid::Unknown,
            pid => PendingPid::Known(pid),
        }
    }

    /// Announces that a child is about to be made. Called with the registry of children locked.
    pub fn begin(&self) {
        self.0.store(Self::UNKNOWN, Ordering::SeqCst);
    }

    /// Reports the pid: the first thing that the child itself does. Async-signal-safe.
    pub fn report(&self, pid: i32) {
        self.0.store(pid, Ordering::SeqCst);
    }

    /// Announces that the child was executed, or could not be. Called with the registry of
    /// children locked.
    pub fn end(&self) {
        self.0.store(Self::NONE, Ordering::SeqCst);
    }
}
