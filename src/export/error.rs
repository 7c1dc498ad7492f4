//! Errors of the export.

use crate::error::Error;

/// The reason why no manifest can be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A value that Kubernetes would refuse.
    #[error("invalid --{flag} {value:?}: expected {expected}")]
    Flag {
        /// The flag, without its dashes.
        flag: &'static str,
        /// The value as it was given.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A service without an image.
    #[error("{service} has no image: give --image IMAGE for all, or --image {service}=IMAGE")]
    NoImage {
        /// The service.
        service: String,
    },
    /// An image for an unknown service.
    #[error("--image {service}=…: there is no service {service:?} in the file")]
    NoService {
        /// The name that was given.
        service: String,
    },
    /// Two services whose names differ only in capitals, `.` and `_`.
    #[error(
        "{first:?} and {second:?} would both be {name:?} in Kubernetes, where a name is made of \
         small letters, digits and `-`: rename one of them"
    )]
    SameName {
        /// The first service.
        first: String,
        /// The second service.
        second: String,
        /// The resulting name.
        name: String,
    },
    /// An unreadable `env_file`.
    #[error("{service}.env_file: {source}")]
    EnvironmentFile {
        /// The service.
        service: String,
        /// The cause.
        source: Error,
    },
    /// The kernel has no random numbers for tokens.
    #[error("cannot generate tokens ({source}): give --token-secret")]
    Randomness {
        /// The error of the kernel.
        source: std::io::Error,
    },
}
