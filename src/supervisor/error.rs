//! Errors of operations on services.

use crate::error::{ErrorKind, InternalError, SystemError, from_by};
use crate::nearest::nearest;
use crate::permits::TooManyRequests;
use crate::protocol::ServiceState;
use crate::{logs, process, runs};
use std::path::PathBuf;

/// The result of what can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why an operation on services failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service cannot start without the variables of its file.
    #[error("The env_file {path:?} cannot be read ({why}): fix it, or remove it.")]
    EnvironmentFile {
        /// The path, as it was given.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no service of this name.
    #[error("There is no service {name:?}: {}.", offer(name, known))]
    NoSuchService {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A service stands in no file, so it cannot be read again.
    #[error(
        "The services file has no {name:?}: add it there, or reload it with type code, which \
         restarts it unchanged."
    )]
    NotInFile {
        /// The service.
        name: String,
    },
    /// A service of the file cannot be removed over the API.
    #[error(
        "{name} is defined in the services file: remove it there and reload the file, or stop it."
    )]
    InFile {
        /// The service.
        name: String,
    },
    /// A service cannot be removed before those that depend on it.
    #[error("{name} is needed by {}: remove what depends on it first.", by.join(", "))]
    Needed {
        /// The service.
        name: String,
        /// The services that depend on it.
        by: Vec<String>,
    },
    /// What is asked of a service does not fit its state.
    #[error("{name} is {state}: {advice}.")]
    ServiceState {
        /// The service.
        name: String,
        /// Its state.
        state: ServiceState,
        /// What to do, without a full stop.
        advice: &'static str,
    },
    /// A value that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// Too many operations are in progress.
    #[error(transparent)]
    TooManyRequests(#[from] TooManyRequests),
    /// An operation on its command failed.
    #[error(transparent)]
    Run(#[from] runs::Error),
    /// Its log cannot be used.
    #[error(transparent)]
    Log(#[from] logs::Error),
    /// The work panicked.
    #[error(transparent)]
    Internal(#[from] InternalError),
    /// A request to the kernel failed.
    #[error(transparent)]
    System(#[from] SystemError),
}

from_by!(runs::Error => Error: process::Error);

impl Error {
    /// Returns what it means to a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::EnvironmentFile { .. } | Self::Invalid(_) => ErrorKind::BadRequest,
            Self::NoSuchService { .. } | Self::NotInFile { .. } => ErrorKind::NotFound,
            Self::ServiceState { .. } | Self::InFile { .. } | Self::Needed { .. } => {
                ErrorKind::Conflict
            }
            Self::TooManyRequests(_) => ErrorKind::Unavailable,
            Self::Run(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Internal(_) | Self::System(_) => ErrorKind::Internal,
        }
    }
}

/// Names in a row, as far as that helps.
fn offer(name: &str, known: &[String]) -> String {
    let offered = nearest(name, known.iter().map(String::as_str));
    match (&offered[..], known.len()) {
        ([], _) => "there are none".to_owned(),
        (all, count) if all.len() == count => format!("there are {}", all.join(", ")),
        (some, count) => format!("the nearest of {count} are {}", some.join(", ")),
    }
}
