//! The HTTP server, tested through its public API over loopback.

// The lint recognizes tests by their attribute, and would have helpers return errors.
#![allow(clippy::expect_used)]

mod alone;
mod answers;
mod closing;
mod deadlines;
mod framing;
mod load;
mod served;
mod streams;
mod support;
