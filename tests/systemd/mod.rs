//! At home under systemd: what it is told, what it hands over, and the units.

mod activation;
mod cgroups;
mod group;
mod limits;
mod notified;
mod units;
