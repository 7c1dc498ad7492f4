//! Astra, as the real binary: services, supervised.

mod check;
mod degraded;
mod dependencies;
mod overrides;
mod policy;
mod reload_faults;
mod routes;
mod shutdown;
mod status;
mod verbs;
mod waiting;
