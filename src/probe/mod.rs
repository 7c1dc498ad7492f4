//! Health checks: a look at whether a service does what it is for.
//!
//! A look blocks its caller, never for longer than its timeout, and tells in a few words what it
//! found. What follows from that is for the supervisor to say.

mod check;
mod prober;
mod report;
mod run_check;
#[cfg(test)]
mod tests;
mod web;

pub use check::Check;
pub use prober::Prober;
pub use report::HealthReport;
pub use run_check::{ProbeContext, probe};
