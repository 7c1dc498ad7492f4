//! Many services at once: what Astra supervises.
//!
//! [`Supervisor`] is what others hold. Behind it one thread, the `engine`, decides what is done to
//! every service, by rules that are pure: `life` (what may follow what), [`Graph`] (the order),
//! [`Plan`] (what a changed file asks for). [`services_file`] reads what there is to supervise.

mod bulk;
mod context;
mod engine;
mod error;
mod events;
mod graph;
mod handle;
mod life;
mod masking;
mod plan;
mod roster;
mod service_handle;
pub mod services_file;

pub use bulk::{Bulk, Done, Operation};
pub use context::{OnFatal, SupervisorContext};
pub use engine::{Ask, Reloaded, Verb};
pub use error::Error;
pub use events::{Change as EventKind, Event, EventLog, News};
pub use graph::{Cycle, Graph};
pub use handle::Supervisor;
pub use masking::Masking;
pub use plan::{Change, Plan};
pub use service_handle::{ServiceHandle, ServiceOrigin, ServiceSnapshot};
pub use services_file::{HealthCheck, RestartPolicy, Service, ServiceConfig, ServicesFile};
