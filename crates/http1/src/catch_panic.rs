//! A panic boundary that logs.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `work` and returns its result; `None` if it panicked, after logging that `what` did.
///
/// A panic is a bug; it must affect only the request or task in which it happened. The caller must
/// not go on with state that `work` left half-changed, or must repair it first.
pub fn catch_panic<T>(what: impl Display, work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(panic) => {
            log::error!("{what} panicked: {}", message(panic.as_ref()));
            None
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
