//! The supervision of many services, for Astra.
//!
//! [`Supervisor`] is the interface for other modules. Behind it one thread, the `engine`, controls
//! all services by pure rules: `state_machine` (transitions of a service), [`Graph`] (the start
//! order) and [`Plan`] (the effects of a changed file). [`services_file`] reads the definitions.

mod bulk;
mod context;
mod engine;
mod error;
mod events;
mod graph;
mod handle;
mod masking;
mod plan;
mod roster;
mod service_handle;
pub mod services_file;
mod state_machine;

pub use bulk::{Bulk, Done, Operation};
pub use context::{OnFatal, SupervisorContext};
pub use engine::{Reloaded, ServiceCommand, Verb};
pub use error::Error;
pub use events::{Change as EventKind, Event, ServiceChange, ServiceEvents};
pub use graph::{Cycle, Graph};
pub use handle::Supervisor;
pub use masking::Masking;
pub use plan::{Change, Plan};
pub use service_handle::{ServiceHandle, ServiceOrigin, ServiceSnapshot};
pub use services_file::{HealthCheck, RestartPolicy, Service, ServiceConfig, ServicesFile};
