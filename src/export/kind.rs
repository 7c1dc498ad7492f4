//! The kinds of objects that run services.

/// The kind of object that runs a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service that restarts whenever it ends.
    Deployment {
        /// Whether it is started at once.
        is_started: bool,
    },
    /// A service that ends, with a limited number of retries.
    Job {
        /// Whether it is started at once.
        is_started: bool,
        /// The number of retries after a failure.
        retries: u32,
    },
}
