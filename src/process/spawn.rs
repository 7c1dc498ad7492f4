//! Spawning of a child, which borrows our memory until its exec.
//!
//! A fork copies our page tables only to throw them away at the exec, and both sides then pay for
//! each page that they touch; measured beside 1,000 services that was a sixth of each launch. So
//! the child is made as `posix_spawn(3)` does, by `CLONE_VM` and `CLONE_VFORK`, with steps that the
//! library does not have: the calling thread sleeps until the child is executed or has given up,
//! while the child runs on a stack of its own in our memory.

use super::child::{Child, PendingChild};
use super::child_setup::ChildSetup;
use super::children::ChildRegistry;
use super::exec::ExecArgs;
use crate::syscall::retry;
use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

/// The child's stack until its exec, in bytes: as much as glibc's `posix_spawn(3)` takes.
const STACK_BYTES: usize = 32 * 1024;

/// A child to be made.
pub(super) struct SpawnRequest<'a> {
    /// What it changes about itself before its exec.
    pub setup: ChildSetup,
    /// The program, its arguments and its environment.
    pub exec_args: ExecArgs,
    /// The place where the child reports its pid before its exec.
    pub pending: &'a PendingChild,
}

/// The request in the child's hands.
struct ChildContext<'a> {
    request: SpawnRequest<'a>,
    /// Why it was not executed.
    failure: Option<c_int>,
}

impl SpawnRequest<'_> {
    /// Makes the child, and adds it as a leader. Blocks until it was executed, which may take for
    /// ever and holds no lock.
    ///
    /// # Errors
    /// Why it could not be made or executed; `ENOSYS` on Linux before 5.4.
    pub fn spawn(self, registry: &ChildRegistry) -> io::Result<Child> {
        let pending = self.pending;
        let mut context = ChildContext { request: self, failure: None };
        // 16 bytes each: the alignment that the calling conventions of all processors want.
        let mut stack: Vec<u128> = Vec::with_capacity(STACK_BYTES / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let mut pidfd: c_int = -1;
        // No handler of ours may run in the child, where it would write into our memory.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        registry.begin_child(pending);
        // SAFETY: the child uses its own stack, what `context` holds, and errno, which is ours to
        // lose. All of that stays where it is, because this thread does not continue before the
        // child has other memory or is gone; the child makes only async-signal-safe calls, so that
        // it neither waits for a lock of another thread nor leaves one locked.
        let pid = unsafe {
            let context = (&raw mut context).cast::<c_void>();
            libc::clone(child_main, top.cast(), flags, context, &raw mut pidfd)
        };
        let pid = Errno::result(pid).map(Pid::from_raw);
        let is_latest = registry.end_child(pending, pid.ok());
        before.thread_set_mask()?;
        let pid = pid?;
        if pidfd < 0 {
            end_unwatched(pid);
            registry.forget_leader(pid);
            return Err(Errno::ENOSYS.into());
        }
        // SAFETY: the kernel has just opened it for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        let Some(failure) = context.failure else { return Ok(Child { pid, pidfd, is_latest }) };
        // It is ours to collect, and fails only if that was done.
        let _collected = retry(|| waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED));
        registry.forget_leader(pid);
        Err(io::Error::from_raw_os_error(failure))
    }
}

/// Runs in the child, on its own stack in the memory of the parent.
extern "C" fn child_main(context: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its `ChildContext`, and sleeps meanwhile.
    let context = unsafe { &mut *context.cast::<ChildContext<'_>>() };
    // SAFETY: it takes nothing and always succeeds.
    context.request.pending.report(unsafe { libc::getpid() });
    let failure = match context.request.setup.apply() {
        Ok(()) => context.request.exec_args.execute() as c_int,
        Err(error) => error.raw_os_error().unwrap_or(libc::EINVAL),
    };
    context.failure = Some(failure);
    libc::EXIT_FAILURE
}

/// Kills a child that has no pidfd, while it is certainly still ours.
fn end_unwatched(pid: Pid) {
    // Both fail only if it is already gone.
    let _gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    let _gone = nix::sys::wait::waitpid(pid, None);
}
