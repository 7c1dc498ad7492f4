//! The HTTP server, through its public surface and over loopback.

// The lint sees tests by their attribute, and would have helpers of tests return errors.
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
