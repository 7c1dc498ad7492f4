//! Changes of services, as events for subscribers.

use super::service_handle::ServiceSnapshot;
use crate::event_log::{Entry, EventLog};
use crate::protocol::{HealthStatus, ServiceState};

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The state changed.
    State,
    /// The health changed.
    Health,
    /// The service was removed.
    Removed,
}

/// A change of one service.
#[derive(Clone, Debug)]
pub struct ServiceChange {
    /// Name of the service.
    pub service: String,
    /// Kind of the change.
    pub change: Change,
    /// State of the service after the change.
    pub state: ServiceState,
    /// Health of the service after the change.
    pub health: HealthStatus,
    /// Reason, in a sentence.
    pub message: String,
}

/// A numbered change of one service.
pub type Event = Entry<ServiceChange>;

/// The last changes of services.
pub type ServiceEvents = EventLog<ServiceChange>;

impl ServiceChange {
    /// Creates the change of a service that has led to this snapshot.
    pub(super) fn new(service: &str, change: Change, snapshot: &ServiceSnapshot) -> Self {
        let (service, message) = (service.to_owned(), snapshot.message.clone());
        Self { service, change, state: snapshot.state, health: snapshot.health, message }
    }
}
