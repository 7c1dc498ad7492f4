//! How a process ended.

use nix::libc;
use nix::sys::signal::Signal;
use rustix::process::WaitIdStatus;

/// How a run's own process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It called exit with this status, 0 to 255.
    Exited(i32),
    /// A signal of this number ended it.
    Signalled(i32),
    /// Somebody else collected its status from the kernel, so nobody can know.
    Unknown,
}

impl Outcome {
    /// Reads what the kernel told about an ended child.
    pub(super) fn read(status: &WaitIdStatus) -> Self {
        if let Some(code) = status.exit_status() {
            Self::Exited(code)
        } else if let Some(number) = status.terminating_signal() {
            Self::Signalled(number)
        } else {
            Self::Unknown
        }
    }

    /// The exit status, or minus the signal's number; `None` where nobody can know.
    #[must_use]
    pub fn exit_code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Signalled(number) => Some(-number),
            Self::Unknown => None,
        }
    }

    /// The name of the signal that ended it (`SIGTERM`, `SIGRTMIN+3`), where one did.
    #[must_use]
    pub fn signal(self) -> Option<String> {
        match self {
            Self::Signalled(number) => Some(signal_name(number)),
            Self::Exited(_) | Self::Unknown => None,
        }
    }
}

/// The name that `kill -l` gives a signal. Real-time signals count from the C library's SIGRTMIN.
fn signal_name(number: i32) -> String {
    if let Ok(signal) = Signal::try_from(number) {
        return signal.as_str().to_owned();
    }
    match number - libc::SIGRTMIN() {
        0 => "SIGRTMIN".to_owned(),
        above @ 1.. if number <= libc::SIGRTMAX() => format!("SIGRTMIN+{above}"),
        _ => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_statuses_or_negative_signal_numbers() {
        assert_eq!(Outcome::Exited(7).exit_code(), Some(7));
        assert_eq!(Outcome::Signalled(15).exit_code(), Some(-15));
        assert_eq!(Outcome::Unknown.exit_code(), None);
    }

    #[test]
    fn signals_have_the_names_that_kill_lists() {
        assert_eq!(Outcome::Signalled(9).signal().as_deref(), Some("SIGKILL"));
        let minimum = libc::SIGRTMIN();
        assert_eq!(Outcome::Signalled(minimum).signal().as_deref(), Some("SIGRTMIN"));
        assert_eq!(Outcome::Signalled(minimum + 3).signal().as_deref(), Some("SIGRTMIN+3"));
        assert_eq!(Outcome::Signalled(32).signal().as_deref(), Some("signal 32"));
        assert_eq!(Outcome::Exited(0).signal(), None);
    }
}
