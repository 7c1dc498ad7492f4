//! The client of an operation.

use std::sync::Arc;

/// A client, which may disconnect while it waits.
pub trait Client {
    /// Returns whether it has left. Does not block.
    fn has_left(&self) -> bool;

    /// Returns a function with the result of [`Self::has_left`], for another thread.
    fn has_left_fn(&self) -> Arc<dyn Fn() -> bool + Send + Sync>;

    /// Returns whether it may not choose what is run, or how: it is a page of another origin,
    /// without credentials.
    fn is_restricted(&self) -> bool;

    /// Returns whether a wait continues without it, because it may request the outcome again.
    fn may_retry(&self) -> bool;
}
