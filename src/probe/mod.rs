//! Health checks: a look at whether a service does what it is for.
//!
//! A look blocks its caller, never for longer than its timeout, and tells in a few words what it
//! found. What follows from that is for the supervisor to say.

mod check;
mod look;
mod prober;
mod report;
#[cfg(test)]
mod tests;
mod web;

pub use check::Check;
pub use look::{ProbeContext, look};
pub use prober::Prober;
pub use report::HealthReport;
