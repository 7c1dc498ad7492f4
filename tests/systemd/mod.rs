//! Tests under systemd: notifications, socket activation, control groups and units.

mod activation;
mod cgroups;
mod group;
mod limits;
mod notified;
mod units;
