//! The request of a child, which borrows our memory until it is executed.
//!
//! A fork copies the tables of our memory only to throw them away at the execution, and both sides
//! then pay for each page that they touch; measured beside 1,000 services that was a sixth of each
//! launch. So the child is made as `posix_spawn(3)` makes it, by `CLONE_VM` and `CLONE_VFORK`, with
//! the steps that the library's does not know: the calling thread sleeps until the child is
//! executed or has given up, while the child runs on a stack of its own in our memory.

use super::child::{Child, PendingChild};
use super::children::ChildRegistry;
use super::exec::ExecArgs;
use super::syscall::retry;
use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The child's stack until its execution, in bytes: what glibc's `posix_spawn(3)` takes as well.
const STACK_BYTES: usize = 32 * 1024;

/// What becomes of a child between its request and its execution, in this order.
pub(super) struct SpawnRequest<'a> {
    /// Its descriptors 0, 1 and 2. None of them has such a number here: the standard library sees
    /// to it that those are taken before `main`.
    pub streams: [BorrowedFd<'a>; 3],
    /// The directory that it starts in.
    pub directory: CString,
    /// What else it does. Async-signal-safe: our other threads may hold any lock.
    pub begin: &'a dyn Fn() -> io::Result<()>,
    /// What it is executed as.
    pub exec_args: ExecArgs,
    /// Where it tells its number before it is executed.
    pub pending: &'a PendingChild,
}

/// A request in the hands of the child.
struct ChildContext<'a> {
    request: SpawnRequest<'a>,
    /// Why it was not executed.
    failure: Option<c_int>,
}

impl SpawnRequest<'_> {
    /// Makes the child, and enters it as a leader. Blocks until it was executed, which no lock is
    /// held for: it may take for ever.
    ///
    /// # Errors
    /// Why it could not be made or executed; `ENOSYS` where Linux is older than 5.4.
    pub fn spawn(self, registry: &ChildRegistry) -> io::Result<Child> {
        let pending = self.pending;
        let mut context = ChildContext { request: self, failure: None };
        // 16 bytes each: what every processor's calls want a stack to begin at.
        let mut stack: Vec<u128> = Vec::with_capacity(STACK_BYTES / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let mut pidfd: c_int = -1;
        // No handler of ours may run in the child, where it would write into our memory.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        registry.begin_child(pending);
        // SAFETY: the child uses its own stack, what `context` holds, and errno, which is ours to
        // lose. All of that stays where it is, because this thread does not go on before the child
        // has another memory or is gone; it makes only async-signal-safe calls, so it neither
        // waits for a lock of another thread nor leaves one locked.
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
        // It is ours to be collected, and fails only when that was done.
        let _collected = retry(|| waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED));
        registry.forget_leader(pid);
        Err(io::Error::from_raw_os_error(failure))
    }
}

/// What the child does, on its own stack in the memory of the parent.
extern "C" fn child_main(context: *mut c_void) -> c_int {
    // SAFETY: `spawn` hands over its `ChildContext`, and sleeps meanwhile.
    let context = unsafe { &mut *context.cast::<ChildContext<'_>>() };
    // SAFETY: it takes nothing and always succeeds.
    context.request.pending.report(unsafe { libc::getpid() });
    let failure = match context.request.set_up() {
        Ok(()) => context.request.exec_args.execute() as c_int,
        Err(error) => error.raw_os_error().unwrap_or(libc::EINVAL),
    };
    context.failure = Some(failure);
    libc::EXIT_FAILURE
}

impl SpawnRequest<'_> {
    fn set_up(&self) -> io::Result<()> {
        for (number, stream) in (0..).zip(&self.streams) {
            // SAFETY: both are numbers; what had this one was the server's stream, which only the
            // child loses.
            Errno::result(unsafe { libc::dup2(stream.as_raw_fd(), number) })?;
        }
        (self.begin)()?;
        close_all_but_streams();
        // SAFETY: the string ends with a NUL.
        Errno::result(unsafe { libc::chdir(self.directory.as_ptr()) })?;
        // Last: from here on a signal has its default effect, on the child alone.
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    }
}

/// Closes the child's copies of our descriptors, which the execution would close as well: that may
/// hang, and until then a client would wait for the end of its connection, and others for that of a
/// pipe. Async-signal-safe, for between clone and exec.
fn close_all_but_streams() {
    let first = libc::STDERR_FILENO.cast_unsigned() + 1;
    // SAFETY: it takes numbers; the child has a table of its own, and uses none of these any more.
    // Linux before 5.9 has no such call, and closes them when the program is executed.
    let _refused = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) };
}

/// Ends a child without a descriptor, while it is certainly still ours.
fn end_unwatched(pid: Pid) {
    // Both fail only when it is already gone.
    let _gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    let _gone = nix::sys::wait::waitpid(pid, None);
}
