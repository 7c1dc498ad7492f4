//! The export to Kubernetes manifests, which run the services instead of Astra.
//!
//! `services` converts a services file into objects, one service at a time by `workload`, and
//! `shells` generates those of one LLM Shell per agent. A [`Warning`] names each field that cannot
//! be expressed. `objects` and `pod` define the parts of the published schema that are used.

mod command;
mod context;
mod environment;
mod error;
mod fields;
mod images;
mod kind;
mod metadata;
mod names;
mod neighbours;
mod notes;
mod objects;
mod pod;
mod probes;
mod services;
mod shells;
mod waits;
mod workload;
mod yaml;

pub use error::ExportError;
pub use images::Images;
pub use names::Namespace;
pub use notes::Warning;
pub use services::{ServicesExport, export_services};
pub use shells::{Shells, TokenSource, export_shells};
pub use yaml::Manifest;
