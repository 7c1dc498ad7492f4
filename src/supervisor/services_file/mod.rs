//! The services file: the definitions of services. The parser reports all errors at once.
//!
//! `config` declares the fields, each in one row, by the means of `table`, `kinds` and `compound`.
//! `file` reads a whole file by them and `overlay` one service, from nodes: JSON values that know
//! their position.

mod checks;
mod compound;
mod config;
mod error;
mod expand;
mod fields;
mod file;
mod kinds;
mod limits;
mod names;
mod node;
mod object_schema;
mod overlay;
mod port;
mod schema;
mod table;

pub use checks::HealthCheck;
pub use config::{LogLimits, RestartPolicy, ServiceConfig};
pub use error::{Position, ServicesFileError, ServicesFileErrors};
pub use file::ServicesFile;
pub use limits::check_limits;
pub use names::is_service_name;
pub use object_schema::Mapping;
pub use overlay::{ParseContext, Service};
pub use schema::{ShownConfig, schema};
