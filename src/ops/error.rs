//! Errors of operations, for the adapters.

use crate::error::{ErrorKind, SystemError, from_by};
use crate::permits::TooManyRequests;
use crate::protocol::Scope;
use crate::{logs, process, runs, supervisor};

/// The result of what can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why an operation failed. Texts without a full stop are facts, to which the adapters
/// add what their callers can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There was no run since the server was started, but there were some before.
    #[error("No command has been started since the server started")]
    NotStartedSince {
        /// The last run before.
        run_id: String,
    },
    /// There is no run of this id in the log of a service.
    #[error("The log of {name} has no run {run_id:?}")]
    NoSuchServiceRun {
        /// The service.
        name: String,
        /// The id.
        run_id: String,
    },
    /// A page of another origin that chooses what is run, or how.
    #[error(
        "A page of another origin may not {what} without credentials: set LLM_SHELL_TOKEN, and \
         send it with the request."
    )]
    Restricted {
        /// What it may not do, as an infinitive.
        what: &'static str,
    },
    /// The client's credentials do not allow it.
    #[error(
        "{subject} needs the scope {needed}, and these credentials have only {granted}: use a \
         token with that scope."
    )]
    MissingScope {
        /// What needs it.
        subject: &'static str,
        /// The scope it needs.
        needed: Scope,
        /// The scope the client has.
        granted: Scope,
    },
    /// A service that cannot be written to.
    #[error(
        "{name} has no open input: set \"pty\": true in the services file, or in the config of a \
         start, and start it."
    )]
    ServiceInput {
        /// The service.
        name: String,
    },
    /// A service that cannot be added, because there is one of this name.
    #[error("There is a service {name} already")]
    ServiceExists {
        /// The service.
        name: String,
    },
    /// A key that came with another request before.
    #[error(
        "The Idempotency-Key {key:?} was used for another request within the last 10 minutes: use \
         a new key for each request."
    )]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The output of a terminal that is no longer kept.
    #[error("What the terminal of run {run_id:?} got is no longer kept")]
    TerminalGone {
        /// The run.
        run_id: String,
    },
    /// A value that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// Too many requests are in progress.
    #[error(transparent)]
    TooManyRequests(#[from] TooManyRequests),
    /// An operation on services failed.
    #[error(transparent)]
    Supervisor(supervisor::Error),
    /// An operation on a command failed.
    #[error(transparent)]
    Run(runs::Error),
    /// A log cannot be used.
    #[error(transparent)]
    Log(#[from] logs::Error),
    /// A request to the kernel failed.
    #[error(transparent)]
    System(#[from] SystemError),
}

impl From<supervisor::Error> for Error {
    fn from(error: supervisor::Error) -> Self {
        match error {
            supervisor::Error::TooManyRequests(error) => error.into(),
            supervisor::Error::Run(error) => error.into(),
            supervisor::Error::Log(error) => error.into(),
            error => Self::Supervisor(error),
        }
    }
}

impl From<runs::Error> for Error {
    fn from(error: runs::Error) -> Self {
        match error {
            runs::Error::Log(error) => error.into(),
            error => Self::Run(error),
        }
    }
}

from_by!(runs::Error => Error: process::Error);

impl Error {
    /// Returns what it means to a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::BadRequest,
            Self::TerminalGone { .. } => ErrorKind::Gone,
            Self::NotStartedSince { .. } | Self::NoSuchServiceRun { .. } => ErrorKind::NotFound,
            Self::Restricted { .. } | Self::MissingScope { .. } => ErrorKind::Forbidden,
            Self::KeyReused { .. } | Self::ServiceInput { .. } | Self::ServiceExists { .. } => {
                ErrorKind::Conflict
            }
            Self::TooManyRequests(_) => ErrorKind::Unavailable,
            Self::Supervisor(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::System(_) => ErrorKind::Internal,
        }
    }

    /// Whether a search was ended because its client did not wait for the answer. Nobody reads
    /// this error, and nothing has failed.
    #[must_use]
    pub fn is_of_client_that_left(&self) -> bool {
        match self {
            Self::Log(error) => error.is_of_client_that_left(),
            Self::System(error) => error.is_of_client_that_left(),
            _ => false,
        }
    }
}

/// Completes the text of an error with advice, if there is any for this caller.
#[must_use]
pub fn with_advice(error: &Error, advice: Option<String>) -> String {
    match advice {
        Some(advice) => format!("{error}: {advice}."),
        None => error.to_string(),
    }
}
