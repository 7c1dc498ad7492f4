//! Astra, as the real binary: services, supervised.

mod check;
mod dependencies;
mod overrides;
mod reload_faults;
mod routes;
mod shutdown;
mod status;
mod verbs;
mod waiting;
