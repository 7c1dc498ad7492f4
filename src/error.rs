//! What the errors of all modules have in common: their kinds, and failures of the system.
//!
//! Each module has an error type of its own: `process::Error`, `logs::Error`, `runs::Error`,
//! `supervisor::Error`, `ops::Error`. Advice that depends on who asks is added by the adapters.

use rustix::io::Errno;
use std::io;

/// A request to the kernel that failed. Its text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("Cannot {doing} ({source}){}.", advice(.source))]
pub struct SystemError {
    /// What was tried, as an infinitive.
    doing: &'static str,
    /// The error of the kernel.
    source: io::Error,
}

impl SystemError {
    /// Wraps the error of the kernel while the server was `doing` something (an infinitive).
    pub fn new(doing: &'static str, source: impl Into<io::Error>) -> Self {
        Self { doing, source: source.into() }
    }

    /// Whether the work was ended because its client did not wait for the answer.
    #[must_use]
    pub fn is_of_client_that_left(&self) -> bool {
        self.source.kind() == io::ErrorKind::ConnectionAborted
    }
}

/// A bug in the server: the work panicked.
#[derive(Debug, thiserror::Error)]
#[error("The server failed to do this: see its log, and report the error there as a bug.")]
pub struct InternalError;

/// Returns the advice for an error of the kernel.
fn advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => {
            ": check whether the machine is out of processes, memory or descriptors, and try again"
        }
        Some(Errno::NOSPC | Errno::DQUOT) => ": free some space there, and try again",
        Some(Errno::TIMEDOUT | Errno::IO) => ": check whether its disk or network is available",
        Some(Errno::PERM | Errno::ACCESS) => ": check the permissions of the server's user",
        _ => ": the kernel's log (dmesg) may say more",
    }
}

/// The meaning of an error to a caller. `api` maps it to a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input is at fault.
    BadRequest,
    /// The caller may not do it.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// There was such a thing.
    Gone,
    /// It does not fit the state of things.
    Conflict,
    /// There are as many as may be.
    TooMany,
    /// It cannot be done now, and may be done later.
    Unavailable,
    /// The fault is ours or the machine's.
    Internal,
}

impl ErrorKind {
    /// Returns its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::TooMany => "too_many_requests",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// Implements `From` for errors that are converted by way of another type.
macro_rules! from_by {
    ($via:ty => $target:ty: $($source:ty),+ $(,)?) => {
        $(
            impl From<$source> for $target {
                fn from(error: $source) -> Self {
                    <$via>::from(error).into()
                }
            }
        )+
    };
}

pub(crate) use from_by;
