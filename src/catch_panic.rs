//! Runs work that may panic and logs the panic: one function for all threads.

pub use http1::catch_panic;
