//! Why there is no manifest.

use crate::error::Error;

/// What keeps a manifest from being written.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// A flag with a value that Kubernetes would refuse.
    #[error("--{flag} is {value:?}, and it must be {wanted}")]
    Flag {
        /// The flag, without its dashes.
        flag: &'static str,
        /// The value as it was given.
        value: String,
        /// What it should have been.
        wanted: &'static str,
    },
    /// A service that no image was given for.
    #[error("{service} has no image: give --image IMAGE for all, or --image {service}=IMAGE")]
    NoImage {
        /// The service.
        service: String,
    },
    /// An image for a service that is not there.
    #[error("--image {service}=…: there is no service {service:?} in the file")]
    NoService {
        /// The name that was given.
        service: String,
    },
    /// Two services whose names are one where names have no capitals, `.` and `_`.
    #[error(
        "{first:?} and {second:?} would both be {name:?} in Kubernetes, where a name is made of \
         small letters, digits and `-`: rename one of them"
    )]
    SameName {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// What both become.
        name: String,
    },
    /// The file of a service's variables cannot be read.
    #[error("{service}.env_file: {source}")]
    EnvironmentFile {
        /// The service.
        service: String,
        /// What is wrong with it.
        source: Error,
    },
    /// The kernel gives no random numbers for tokens.
    #[error("there is no chance to make tokens of ({source}): give --token-secret")]
    Chance {
        /// What the kernel said.
        source: std::io::Error,
    },
}
