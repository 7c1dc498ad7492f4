//! Set-up of the server's own process, once, before it runs anything.

use super::error::Result;
use super::procfs;
use crate::error::SystemError;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal as signal_handler};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

/// Closes the memory and the environment of this process to others of its user, which may be
/// commands of a server: they could read the token there. Open until this is called.
///
/// # Errors
/// `System` if the kernel refuses it, which none does.
pub fn close_memory() -> Result<()> {
    prctl::set_dumpable(false).map_err(|e| SystemError::new("close our memory to others", e).into())
}

/// Prepares this process for running commands: it becomes the subreaper of orphans, its memory is
/// closed, and the descriptors that it was started with are not inherited.
///
/// # Errors
/// `System` if there is no /proc to find processes in, or if the kernel refuses to make us a child
/// subreaper (Linux before 3.4).
pub fn prepare() -> Result<()> {
    procfs::check_mounted().map_err(|e| SystemError::new("read /proc (mount it)", e))?;
    prctl::set_child_subreaper(true)
        .map_err(|e| SystemError::new("become a child subreaper", e))?;
    close_memory()?;
    keep_inherited_descriptors();
    reset_signals().map_err(|e| SystemError::new("reset our signals", e).into())
}

/// Signals that end a process by default and mean nothing to us: a file-size limit, timers that a
/// parent left running, signals sent by mistake. With them ignored, a write over a limit fails
/// instead, and is reported as lost output. Commands get all of them at their default.
const IGNORED: [Signal; 10] = [
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
];

/// Undoes what a parent did to our signals: if SIGTERM or SIGCHLD were blocked, it would never
/// come.
fn reset_signals() -> nix::Result<()> {
    for signal in IGNORED {
        // SAFETY: no handler is installed.
        unsafe { signal_handler(signal, SigHandler::SigIgn) }?;
    }
    SigSet::empty().thread_set_mask()
}

/// Ends this process at once, whatever its threads are doing. Running commands stay alive.
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: it takes a number and never returns; no handler of ours is run.
    unsafe { libc::_exit(code) }
}

/// Whether this process runs as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether our parent had SIGHUP ignored, as `nohup` does.
#[must_use]
pub fn hangup_is_ignored() -> bool {
    procfs::is_ignored(libc::SIGHUP)
}

/// The limit that we were started with, once it was raised.
static DESCRIPTORS: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit of open descriptors as far as allowed: each service takes up to ten. Commands
/// get the limit that we were started with.
pub fn raise_descriptor_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    match setrlimit(Resource::Nofile, raised) {
        // It is raised once, before anything is launched.
        Ok(()) => drop(DESCRIPTORS.set(before)),
        Err(error) => log::warn!("cannot raise the limit of open files: {error}"),
    }
}

/// Returns the limit that we were started with, for a child, if ours was raised.
pub(super) fn original_descriptor_limit() -> Option<Rlimit> {
    DESCRIPTORS.get().copied()
}

/// Marks every descriptor but 0, 1 and 2 close-on-exec. Ours are created so; those that a parent
/// left open in us are not, and a command must not hold them.
fn keep_inherited_descriptors() {
    let numbers = procfs::own_descriptors().into_iter();
    for number in numbers.filter(|number| *number > libc::STDERR_FILENO) {
        // SAFETY: the number is only passed to fcntl, which refuses one that is not open (the
        // directory that listed them is closed by now); nothing is read, written or closed.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        // It fails only if the descriptor is gone.
        let _gone = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}
