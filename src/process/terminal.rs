//! The kinds of a command's input (nothing, a pipe, or a terminal for all three streams), and
//! pseudo-terminals.

use nix::libc;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The kind of a command's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// No input: /dev/null.
    Nothing,
    /// A pipe.
    Pipe,
    /// A terminal, which gets the output as well.
    Terminal(TerminalSize),
}

impl Input {
    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal(_))
    }
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

impl Default for TerminalSize {
    /// Returns the size of a VT100, which programs take for granted.
    fn default() -> Self {
        Self { rows: 24, cols: 80 }
    }
}

impl TerminalSize {
    fn kernel_form(self) -> Winsize {
        Winsize { ws_row: self.rows, ws_col: self.cols, ws_xpixel: 0, ws_ypixel: 0 }
    }
}

/// Value of `TERM`, unless the environment has one.
pub(super) const TERMINAL_TYPE: &str = "xterm-256color";

/// Whether what is written to a terminal comes back as output: unless it reads lines without echo,
/// as for a password.
pub(super) fn echoes_lines(terminal: BorrowedFd<'_>) -> bool {
    tcgetattr(terminal).is_ok_and(|settings| {
        let reads_lines = settings.local_flags.contains(LocalFlags::ICANON);
        !reads_lines || settings.local_flags.intersects(LocalFlags::ECHO | LocalFlags::ECHONL)
    })
}

/// Opens a terminal; returns our side and the command's.
pub(super) fn open(size: TerminalSize) -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = openpty(&size.kernel_form(), None)?;
    // openpty has no flag for it, and no other launch may inherit our side.
    for side in [&pair.master, &pair.slave] {
        nix::fcntl::fcntl(side, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    Ok((pair.master, pair.slave))
}

/// Resizes a terminal; its foreground processes get SIGWINCH.
pub(super) fn resize(terminal: BorrowedFd<'_>, size: TerminalSize) -> io::Result<()> {
    let size = size.kernel_form();
    // SAFETY: the kernel reads one Winsize, which lives until the call returns.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Returns the character that a terminal takes for the end of the input, at the beginning of a
/// line.
pub(super) fn end_of_file(terminal: BorrowedFd<'_>) -> u8 {
    const CONTROL_D: u8 = 4;
    let settings = tcgetattr(terminal);
    let character = settings.map(|it| it.control_chars[libc::VEOF]);
    character.unwrap_or(CONTROL_D)
}
