//! Errors of logs and their directories.

use crate::error::{ErrorKind, SystemError};
use std::io;
use std::path::PathBuf;

/// The result of what can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A log file or its directory cannot be used.
    #[error(
        "The log {path} cannot be {doing} ({source}): check LLM_SHELL_LOG_DIR and its permissions."
    )]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: `created`, `read`.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A log, its directory, or what belongs to them is not what we would have made.
    #[error(
        "The log {path} cannot be used because {why}: remove it, or choose another directory with \
         LLM_SHELL_LOG_DIR."
    )]
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, as a clause.
        why: &'static str,
    },
    /// Another server has the log directory.
    #[error(
        "The log directory {path} is in use by another server{}: choose a different one with \
         LLM_SHELL_LOG_DIR.",
        holder.map_or(String::new(), |pid: i32| format!(" (process {pid})"))
    )]
    FolderTaken {
        /// The directory.
        path: PathBuf,
        /// The other server's process, where that could be read.
        holder: Option<i32>,
    },
    /// A pattern that is no regular expression.
    #[error("{0}")]
    Pattern(String),
    /// A request to the kernel failed.
    #[error(transparent)]
    System(#[from] SystemError),
}

impl Error {
    /// Returns what it means to a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Pattern(_) => ErrorKind::BadRequest,
            Self::File { .. }
            | Self::Refused { .. }
            | Self::FolderTaken { .. }
            | Self::System(_) => ErrorKind::Internal,
        }
    }

    /// Whether a search was ended because its client did not wait for the answer. Nobody reads
    /// this error, and nothing has failed.
    #[must_use]
    pub fn is_of_client_that_left(&self) -> bool {
        match self {
            Self::File { source, .. } => source.kind() == io::ErrorKind::ConnectionAborted,
            Self::System(error) => error.is_of_client_that_left(),
            _ => false,
        }
    }
}
