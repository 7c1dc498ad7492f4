//! The client that an operation works for.

use std::sync::Arc;

/// A client, which may leave while it waits.
pub trait Client {
    /// Returns whether it has left. Does not block.
    fn has_left(&self) -> bool;

    /// Returns what tells the same to a thread that works for it.
    fn departure(&self) -> Arc<dyn Fn() -> bool + Send + Sync>;

    /// Whether it may not choose what is run, or how: it is a page of another origin, without
    /// credentials.
    fn is_restricted(&self) -> bool;

    /// Whether a wait goes on without it, because it may ask for the outcome again.
    fn may_come_again(&self) -> bool;
}
