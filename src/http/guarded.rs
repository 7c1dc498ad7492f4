//! Runs what may panic, and goes on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` gives; `None` when it panicked, with one line in the log that names the request.
///
/// Nothing that `work` was lent is used again as it was: the connection is closed afterwards.
pub(super) fn guarded<T>(id: &str, work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(panic) => {
            log::error!("Request {id}: its handler panicked: {}", message(panic.as_ref()));
            None
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
