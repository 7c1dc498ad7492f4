//! How a process ended.

use super::signal::Signal;
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
            Self::Signalled(number) => Signal::of(number).map(|signal| signal.to_string()),
            Self::Exited(_) | Self::Unknown => None,
        }
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
    fn a_signal_has_a_name_and_an_exit_has_none() {
        assert_eq!(Outcome::Signalled(9).signal().as_deref(), Some("SIGKILL"));
        assert_eq!(Outcome::Exited(0).signal(), None);
    }
}
