//! What runs our services in the place of Astra: manifests for Kubernetes.
//!
//! `services` turns a services file into objects, one service at a time by `workload`, and
//! `shells` makes those of one LLM Shell per agent. What has no place among them is a [`Warning`]
//! that names the field. `objects` and `pod` are the words of the published schema, no more of
//! them than are used.

mod command;
mod environment;
mod fault;
mod fields;
mod images;
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

pub use fault::ExportFault;
pub use images::Images;
pub use names::Namespace;
pub use notes::Warning;
pub use services::{Around, export_services};
pub use shells::{Shells, TokenSource, export_shells};
pub use yaml::Manifest;
