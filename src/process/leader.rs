//! A command's own process, held by a pidfd.

use super::child::Child;
use super::outcome::Outcome;
use super::procfs::{ProcessInfo, Procfs};
use super::signal::Signal;
use crate::syscall::{is_readable, retry};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A command's own process, held by a pidfd so that it can be watched and signalled without its
/// pid.
#[derive(Debug)]
pub struct Leader {
    pid: Pid,
    pidfd: Arc<OwnedFd>,
    /// Its entry in /proc at the launch; `None` if /proc shows nothing.
    info: Option<ProcessInfo>,
    /// Whether no other child of ours has had its pid since.
    is_latest: Arc<AtomicBool>,
}

impl Leader {
    /// Takes over a child that nobody can have collected yet.
    pub(super) fn new(child: Child, procfs: Procfs) -> Self {
        let Child { pid, pidfd, is_latest } = child;
        let info = procfs.number_of(pid).and_then(|number| procfs.read(number));
        Self { pid, pidfd: Arc::new(pidfd), info, is_latest }
    }

    /// Returns the pid, for people: signals go through the descriptor.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Returns the start time in clock ticks since boot: with the pid and the boot id it identifies
    /// the process for ever. 0 if /proc did not show it.
    #[must_use]
    pub fn start_ticks(&self) -> u64 {
        self.info.map_or(0, |info| info.start_ticks)
    }

    /// Returns its working directory; `None` once it has ended, and if /proc does not show it to
    /// us. Does not block.
    #[must_use]
    pub fn directory(&self) -> Option<PathBuf> {
        let directory = fs::read_link(format!("/proc/{}/cwd", self.info?.number)).ok()?;
        // Checked after it was read: until then nobody else could have its number.
        if self.has_ended() { None } else { Some(directory) }
    }

    /// Whether the process has ended, collected or not. Does not block.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        is_readable(self.pidfd.as_fd())
    }

    /// Returns a descriptor that becomes readable when the process has ended.
    #[must_use]
    pub fn end_descriptor(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.pidfd)
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(self.pidfd.as_fd(), signal.raw())?)
    }

    pub(super) fn process(&self) -> Pid {
        self.pid
    }

    pub(super) fn info(&self) -> Option<ProcessInfo> {
        self.info
    }

    /// Whether the session of this number is still the one that the leader began. The kernel reuses
    /// a number once no process and no session has it: whoever has it now, or had it since, began
    /// another session.
    pub(super) fn has_session(&self, session: i32, procfs: Procfs) -> bool {
        let Some(leader) = self.info.filter(|leader| leader.number == session) else {
            return false;
        };
        let is_it = |now: ProcessInfo| now.start_ticks == leader.start_ticks;
        self.is_latest.load(Ordering::SeqCst) && procfs.read(session).is_none_or(is_it)
    }

    /// Collects the status from the kernel; `None` while the process runs, and while a debugger has
    /// not taken note of its end: until then the kernel reports it to nobody else.
    pub(super) fn collect(&self) -> Option<Outcome> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        match retry(|| waitid(WaitId::PidFd(self.pidfd.as_fd()), options)) {
            Ok(Some(status)) => Some(Outcome::read(&status)),
            Ok(None) => None,
            Err(_) => Some(Outcome::Unknown),
        }
    }
}
