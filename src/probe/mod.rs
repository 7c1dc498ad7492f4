//! Health checks: one look at whether a service does what it is for.

mod check;

pub use check::Check;
