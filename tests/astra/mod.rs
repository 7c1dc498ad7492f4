//! Astra, as the real binary: services, supervised.

mod bulk;
mod check;
mod checking;
mod degraded;
mod dependencies;
mod events;
mod following;
mod health;
mod keeping;
mod logs;
mod metrics;
mod overrides;
mod policy;
mod reload;
mod reload_faults;
mod routes;
mod shutdown;
mod signals;
mod status;
mod talking;
mod twice;
mod verbs;
mod waiting;
