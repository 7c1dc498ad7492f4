//! Exit status of a process.

use super::signal::Signal;
use rustix::process::WaitIdStatus;

/// The exit status of a run's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Called exit with this status, 0 to 255.
    Exited(i32),
    /// Killed by the signal of this number.
    Signalled(i32),
    /// Unknown, because somebody else collected the status from the kernel.
    Unknown,
}

impl Outcome {
    /// Converts the status that waitid(2) returned.
    pub(super) fn read(status: &WaitIdStatus) -> Self {
        if let Some(code) = status.exit_status() {
            Self::Exited(code)
        } else if let Some(number) = status.terminating_signal() {
            Self::Signalled(number)
        } else {
            Self::Unknown
        }
    }

    /// Returns the exit code, or minus the signal's number; `None` if unknown.
    #[must_use]
    pub fn exit_code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Signalled(number) => Some(-number),
            Self::Unknown => None,
        }
    }

    /// Returns the name of the signal that killed it (`SIGTERM`, `SIGRTMIN+3`), if one did.
    #[must_use]
    pub fn signal(self) -> Option<String> {
        match self {
            Self::Signalled(number) => Signal::of(number).map(|signal| signal.to_string()),
            Self::Exited(_) | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_statuses_or_negative_signal_numbers() {
        assert_eq!(Outcome::Exited(7).exit_code(), Some(7));
        assert_eq!(Outcome::Signalled(15).exit_code(), Some(-15));
        assert_eq!(Outcome::Unknown.exit_code(), None);
    }

    #[test]
    fn only_signals_have_names() {
        assert_eq!(Outcome::Signalled(9).signal().as_deref(), Some("SIGKILL"));
        assert_eq!(Outcome::Exited(0).signal(), None);
    }
}
