//! What a child changes about itself between its clone and its exec, prepared by the parent as
//! data.
//!
//! The child applies it with async-signal-safe calls alone: our other threads may hold any lock. So
//! whatever allocates, opens or computes happens in the parent before.

use super::cgroup;
use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The set-up of a child. The fields stand in the order in which they are applied.
///
/// What needs privileges is applied before they are given up: a change of user and group belongs
/// after `controlling_terminal`, resource limits of the command before it. Rules of a sandbox come
/// last, after `directory`, because they may forbid any of the steps above.
#[derive(Debug)]
pub(super) struct ChildSetup {
    /// File `cgroup.procs` of the control group to enter. First, so that the whole life of the
    /// child is accounted for there. (Then the child begins a session and resets its signals.)
    pub cgroup_procs: Option<OwnedFd>,
    /// The limit of open descriptors.
    pub descriptor_limit: Option<Rlimit>,
    /// The limit of real-time processor time that marks the processes of a run.
    pub run_mark: Option<Rlimit>,
    /// The terminal that becomes the controlling terminal of the session.
    pub controlling_terminal: Option<OwnedFd>,
    /// The descriptors that the program gets; all others are closed.
    pub descriptors: PassedDescriptors,
    /// The working directory.
    pub directory: CString,
}

/// Descriptors with the numbers that they get in the child. None has one of these numbers here, so
/// that none is overwritten before it is passed.
#[derive(Debug)]
pub(super) struct PassedDescriptors(Vec<(OwnedFd, c_int)>);

impl PassedDescriptors {
    /// Prepares descriptors to be passed under these numbers.
    ///
    /// # Errors
    /// The error of the kernel, if it has no descriptor left.
    pub fn new(descriptors: Vec<(OwnedFd, c_int)>) -> io::Result<Self> {
        let first_free = 1 + last_number(&descriptors);
        let moved = |(descriptor, number): (OwnedFd, c_int)| {
            if descriptor.as_raw_fd() >= first_free {
                return Ok((descriptor, number));
            }
            let moved = rustix::io::fcntl_dupfd_cloexec(&descriptor, first_free)?;
            Ok((moved, number))
        };
        descriptors.into_iter().map(moved).collect::<io::Result<_>>().map(Self)
    }
}

/// Returns the highest of the numbers.
fn last_number(descriptors: &[(OwnedFd, c_int)]) -> c_int {
    descriptors.iter().map(|(_, number)| *number).max().unwrap_or(libc::STDERR_FILENO)
}

impl ChildSetup {
    /// Applies all of it to this process. Async-signal-safe, for between clone and exec.
    ///
    /// # Errors
    /// The error of the first step that the kernel refused.
    pub fn apply(&self) -> io::Result<()> {
        self.cgroup_procs.as_ref().map_or(Ok(()), cgroup::enter)?;
        nix::unistd::setsid()?;
        reset_signals();
        if let Some(limit) = self.descriptor_limit {
            // It was ours, and lowering a limit never fails.
            let _set = setrlimit(Resource::Nofile, limit);
        }
        if let Some(limit) = self.run_mark {
            // It fails only above the hard limit, which was read before.
            let _set = setrlimit(Resource::Rttime, limit);
        }
        self.controlling_terminal.as_ref().map_or(Ok(()), take_control)?;
        self.descriptors.apply()?;
        // SAFETY: the string ends with a NUL.
        Errno::result(unsafe { libc::chdir(self.directory.as_ptr()) })?;
        // Last: from here on a signal has its default effect, on the child alone.
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    }
}

impl PassedDescriptors {
    /// Gives each descriptor its number, and closes the child's copies of our descriptors. The exec
    /// would close them as well, but it may hang, and until then a client would wait for the end of
    /// its connection, and others for that of a pipe. Async-signal-safe.
    fn apply(&self) -> io::Result<()> {
        for (descriptor, number) in &self.0 {
            // SAFETY: both are numbers; what had this one was the server's, which only the child
            // loses.
            Errno::result(unsafe { libc::dup2(descriptor.as_raw_fd(), *number) })?;
        }
        let first = last_number(&self.0).cast_unsigned() + 1;
        // SAFETY: it takes numbers; the child has a table of its own, and uses none of these any
        // more. Linux before 5.9 has no such call, and closes them at the exec.
        let _refused = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) };
        Ok(())
    }
}

/// Resets every signal to its default. (A handler of ours would end with exec; but a signal that
/// was *ignored* when we were started, by nohup or a background job, would stay ignored.)
/// Async-signal-safe.
fn reset_signals() {
    // The kernel's `sigaction`, all zeros: SIG_DFL, no flags, an empty mask.
    let default = [0_u64; 4];
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads 32 bytes, which are there, and installs no code; the mask has
        // the size that it expects. It refuses SIGKILL and SIGSTOP, which is harmless. (The C
        // library's signal(3) refuses its own two as well, and those can be ignored like any.)
        unsafe {
            let old = std::ptr::null_mut::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), old, 8_usize)
        };
    }
}

/// Makes a terminal the controlling terminal of the session. Async-signal-safe.
fn take_control(terminal: &OwnedFd) -> io::Result<()> {
    // SAFETY: the request takes an integer and touches no memory of ours.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) };
    Errno::result(result).map(drop).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn passed_descriptors_have_none_of_their_numbers_here() {
        let null = || OwnedFd::from(File::open("/dev/null").unwrap());
        let low = null();
        let number = low.as_raw_fd();
        let passed = PassedDescriptors::new(vec![(low, 0), (null(), number + 1)]).unwrap();
        assert!(passed.0.iter().all(|(descriptor, _)| descriptor.as_raw_fd() > number + 1));
    }
}
