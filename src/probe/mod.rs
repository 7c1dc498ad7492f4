//! Health checks: probes of whether a service works.
//!
//! A probe blocks its caller, never for longer than its timeout, and returns in a few words why it
//! failed. The supervisor decides what follows from that.

mod check;
mod prober;
mod reason;
mod report;
mod run_check;
#[cfg(test)]
mod tests;
mod web;

pub use check::Check;
pub use prober::Prober;
pub use report::HealthReport;
pub use run_check::{ProbeContext, probe};
