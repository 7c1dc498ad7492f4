//! Signals by name or number.

use nix::libc;
use std::fmt;
use std::str::FromStr;

/// A signal that can be sent: its number is one that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(i32);

impl Signal {
    /// SIGHUP, which ends an interactive shell.
    pub const HANGUP: Self = Self(libc::SIGHUP);
    /// SIGINT, which interrupts a command.
    pub const INTERRUPT: Self = Self(libc::SIGINT);
    /// SIGTERM, the request to end.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// SIGCONT, which continues a stopped process.
    pub const CONTINUE: Self = Self(libc::SIGCONT);
    /// SIGKILL, which ends a process unconditionally.
    pub const KILL: Self = Self(libc::SIGKILL);

    /// Returns the kernel's number of the signal.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Returns the signal of this number, if the kernel has one.
    #[must_use]
    pub fn of(number: i32) -> Option<Self> {
        (1..=libc::SIGRTMAX()).contains(&number).then_some(Self(number))
    }

    /// Converts it for the call that sends it.
    pub(super) fn raw(self) -> rustix::process::Signal {
        // SAFETY: the number is one that the kernel knows; it is only passed back to the kernel,
        // and those that the C library keeps for itself are sent to other processes alone.
        unsafe { rustix::process::Signal::from_raw_unchecked(self.0) }
    }
}

/// Formats the name as `kill -l` does. Real-time signals count from the C library's SIGRTMIN.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(signal) = nix::sys::signal::Signal::try_from(self.0) {
            return f.write_str(signal.as_str());
        }
        match self.0 - libc::SIGRTMIN() {
            0 => f.write_str("SIGRTMIN"),
            above @ 1.. => write!(f, "SIGRTMIN+{above}"),
            _ => write!(f, "signal {}", self.0),
        }
    }
}

/// Parses a name with or without `SIG`, in any case, or a number; the error states what is
/// expected.
impl FromStr for Signal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "a signal such as SIGTERM, INT, SIGRTMIN+1 or 15".to_owned();
        if let Ok(number) = text.parse::<i32>() {
            return Self::of(number).ok_or_else(wanted);
        }
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        if let Some(above) = name.strip_prefix("RTMIN") {
            let above = if above.is_empty() { Some("0") } else { above.strip_prefix('+') };
            let is_number = |above: &&str| above.bytes().all(|byte| byte.is_ascii_digit());
            let above = above.filter(is_number).and_then(|above| above.parse::<u8>().ok());
            let number = above.map(|above| libc::SIGRTMIN() + i32::from(above));
            return number.and_then(Self::of).ok_or_else(wanted);
        }
        let signal = format!("SIG{name}").parse::<nix::sys::signal::Signal>();
        signal.map(|signal| Self(signal as i32)).map_err(|_| wanted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_names_are_those_of_kill() {
        let minimum = libc::SIGRTMIN();
        for (number, name) in [
            (9, "SIGKILL".to_owned()),
            (minimum, "SIGRTMIN".to_owned()),
            (minimum + 3, "SIGRTMIN+3".to_owned()),
            (32, "signal 32".to_owned()),
        ] {
            assert_eq!(Signal::of(number).unwrap().to_string(), name);
        }
    }

    #[test]
    fn signals_are_parsed_by_name_or_number() {
        for text in ["SIGINT", "INT", "int", "sigint", "2"] {
            assert_eq!(text.parse::<Signal>().unwrap().number(), 2, "{text}");
        }
        assert_eq!("RTMIN+2".parse::<Signal>().unwrap().number(), libc::SIGRTMIN() + 2);
        for text in
            ["", "SIG", "0", "-1", "65", "SIGNOTHING", "RTMIN+99", "RTMINfoo", "SIGRTMIN++1", "15x"]
        {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }
}
