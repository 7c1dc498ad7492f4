//! The services file: what is to be supervised, read with all of its faults at once.
//!
//! `file` reads a whole file and `service` one service of it, both by `node`, a JSON value that
//! knows its place. Below this room there are only valid values: those of `config`.

mod checks;
mod config;
mod expand;
mod fault;
mod fields;
mod file;
mod limits;
mod node;
mod overlay;
mod port;
mod schema;
mod service;

pub use config::{Condition, HealthCheck, LogLimits, RestartMode, RestartPolicy, ServiceConfig};
pub use fault::{Fault, Faults, Position};
pub use file::{NAME_CHARACTERS_MAX, ServicesFile, is_service_name};
pub use limits::check_limits;
pub use overlay::{ParseContext, Service};
pub use schema::schema;
