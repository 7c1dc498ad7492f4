//! Runs what may panic, and goes on.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `work` and gives what it returns; `None` where it panicked, with one line in the log that
/// says that `what` did.
///
/// A panic is a bug: it costs whoever it happened to, and nobody else. The caller goes on with
/// nothing that `work` was lent half-changed, or repairs it first.
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
