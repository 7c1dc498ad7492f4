//! Errors of spawning and signalling processes.

use crate::error::{ErrorKind, InternalError, SystemError};
use std::io;
use std::path::PathBuf;

/// The result of what can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why a process could not be spawned or reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused to run the shell.
    #[error(
        "The shell {shell} could not be run ({source}): check LLM_SHELL_SHELL and the resource \
         limits."
    )]
    SpawnShell {
        /// The shell that was to run the command.
        shell: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused to run a program.
    #[error(
        "The program {program:?} could not be run ({source}): check that it exists, at this path \
         or in PATH, and is executable."
    )]
    SpawnProgram {
        /// The program that was to run.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Arguments and environment together are more than the kernel hands over.
    #[error(
        "The command and its environment exceed the kernel's size limit ({source}): make env \
         smaller, or put values into a file."
    )]
    EnvironmentTooLarge {
        /// What the kernel said.
        source: io::Error,
    },
    /// A command cannot start in what is no directory.
    #[error(
        "The working directory {path:?} cannot be used ({source}): give a directory that \
         exists and is accessible."
    )]
    Directory {
        /// The path, as it was given.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The work panicked.
    #[error(transparent)]
    Internal(#[from] InternalError),
    /// A request to the kernel failed.
    #[error(transparent)]
    System(#[from] SystemError),
}

impl Error {
    /// Returns what it means to a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::EnvironmentTooLarge { .. } | Self::Directory { .. } => ErrorKind::BadRequest,
            Self::SpawnShell { .. }
            | Self::SpawnProgram { .. }
            | Self::Internal(_)
            | Self::System(_) => ErrorKind::Internal,
        }
    }
}
