//! Runs what may panic, and goes on: the function of the HTTP server, for all threads of ours.

pub use http1::catch_panic as guarded;
