//! The descriptors by which an interactive shell is controlled, apart from its commands' streams.
//!
//! The shell reads its lines from descriptor 0 and reports on 4; its own stdout and stderr, where
//! prompts and notices go, are /dev/null. What its commands get is passed beside: 3 takes their
//! output, 5 is their input. 6 and 7 are the script of the next command, a file in memory: it has
//! no name that could outlive us, and no path that another user could open.

use super::child_setup::PassedDescriptors;
use crate::syscall::retry;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// Whether a launched process is controlled over descriptors of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It has the streams of a command: 0, 1 and 2.
    None,
    /// It is an interactive shell with the descriptors of this module.
    Shell,
}

/// Our side of the descriptors by which a shell is controlled.
#[derive(Debug)]
pub struct ShellControl {
    /// Writing end of the pipe with the lines that it reads.
    lines: OwnedFd,
    /// Reading end of the pipe for its reports.
    reports: OwnedFd,
    /// The script of the next command.
    script: File,
    wake: EventFd,
}

/// The reason why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// This number of bytes was reported.
    Report(usize),
    /// `wake` was called, or the time is over.
    Other,
    /// The shell has ended, and nothing that it reported is left.
    End,
}

impl ShellControl {
    /// Opens the descriptors for a shell whose commands read `input` and print to `output`.
    pub(super) fn open(input: OwnedFd, output: OwnedFd) -> io::Result<(Self, PassedDescriptors)> {
        let (their_lines, lines) = io::pipe()?;
        let (reports, their_reports) = io::pipe()?;
        // A shell that reads nothing must not block us. Their ends are file descriptions of their
        // own.
        for ours in [lines.as_fd(), reports.as_fd()] {
            fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let script = rustix::fs::memfd_create("llm-shell-script", rustix::fs::MemfdFlags::CLOEXEC)?;
        // The shell gets a description that cannot write.
        let their_script = reopen(&script, OFlag::O_RDONLY)?;
        let null = open("/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let descriptors = PassedDescriptors::new(vec![
            (their_lines.into(), 0),
            (null.try_clone()?, 1),
            (null, 2),
            (output, 3),
            (their_reports.into(), 4),
            (input, 5),
            (their_script.try_clone()?, 6),
            (their_script, 7),
        ])?;
        let control =
            Self { lines: lines.into(), reports: reports.into(), script: File::from(script), wake };
        Ok((control, descriptors))
    }

    /// Replaces the script.
    ///
    /// # Errors
    /// The error of the kernel, if there is no memory for it.
    pub fn set_script(&self, parts: &[&str]) -> io::Result<()> {
        self.script.set_len(0)?;
        let mut offset = 0;
        for part in parts {
            self.script.write_all_at(part.as_bytes(), offset)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// Sends a line to the shell. Does not block: a line for which there is no space, because the
    /// shell reads nothing, is dropped.
    pub fn send(&self, line: &str) {
        // A pipe takes a line of up to 4096 bytes whole or not at all. The shell may have ended.
        let _dropped = retry(|| nix::unistd::write(&self.lines, line.as_bytes()));
    }

    /// Wakes the thread in `wait`.
    pub fn wake(&self) {
        // It fails only when the counter is full, and then the thread is being woken anyway.
        let _full = self.wake.write(1);
    }

    /// Waits until the shell reports something, has ended (`end` is readable), `wake` is called, or
    /// `deadline` is over.
    pub fn wait(&self, buffer: &mut [u8], end: &OwnedFd, deadline: Option<Instant>) -> Wakeup {
        let watched = [self.reports.as_fd(), end.as_fd(), self.wake.as_fd()];
        let mut watched = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            // Rounded up, so that the last millisecond is not spent in a busy loop.
            let left = left + std::time::Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // A failure is like a wait that was too short.
        let _unknown = retry(|| poll(&mut watched, timeout));
        let [_, has_ended, is_woken] = watched.map(|fd| fd.any().unwrap_or(false));
        if is_woken {
            // This only resets the counter.
            let _zero = self.wake.read();
        }
        // Read after the end was seen: all that the shell had reported is in the pipe by then.
        match retry(|| nix::unistd::read(&self.reports, buffer)) {
            Ok(bytes) if bytes > 0 => Wakeup::Report(bytes),
            _ if has_ended => Wakeup::End,
            // A subshell may close the last other end before the shell's own end is seen.
            Ok(_) => self.wait_for_end(end),
            Err(_) => Wakeup::Other,
        }
    }

    /// Waits for the end of a shell that has closed its side.
    fn wait_for_end(&self, end: &OwnedFd) -> Wakeup {
        let watched = [end.as_fd(), self.wake.as_fd()];
        let mut watched = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let _unknown = retry(|| poll(&mut watched, PollTimeout::NONE));
        if watched[0].any().unwrap_or(false) { Wakeup::End } else { Wakeup::Other }
    }
}

/// Opens another file description of an open file or pipe.
pub(super) fn reopen(descriptor: &impl AsRawFd, flags: OFlag) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    open(path.as_str(), flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY, Mode::empty())
}
