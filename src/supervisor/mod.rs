//! Many services at once: their file, the order among them, what a changed file asks for.

mod graph;
mod plan;
pub mod services_file;

pub use graph::{Cycle, Graph};
pub use plan::{Change, Plan};
pub use services_file::{Service, ServiceConfig, ServicesFile};
