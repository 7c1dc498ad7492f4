//! The view of a service that other modules have.

use super::services_file::ServiceConfig;
use crate::probe::Prober;
use crate::protocol::{HealthStatus, ServiceState};
use crate::runs::{ProcessManager, RunView};
use chrono::{DateTime, Utc};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;

/// The origin of a service, and whether it stays supervised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOrigin {
    /// It is defined in the file.
    InFile,
    /// It was added over the API and stays until it is removed or the supervisor ends.
    Added,
    /// It is no longer in the file, or a client removes it: it is gone as soon as it is down.
    Leaving,
}

/// The state of a service at one moment, without its run.
#[derive(Clone, Debug)]
pub struct ServiceSnapshot {
    /// State.
    pub state: ServiceState,
    /// Combined result of its health checks.
    pub health: HealthStatus,
    /// Reason for its state, in a sentence.
    pub message: String,
    /// Number of restarts.
    pub restarts: u64,
    /// Time of the last restart.
    pub last_restart: Option<DateTime<Utc>>,
    /// Time of the next restart.
    pub next_restart_at: Option<DateTime<Utc>>,
    /// Origin, and whether it stays supervised.
    pub origin: ServiceOrigin,
    /// Whether it waits for a service that is down and that nothing is about to start.
    pub is_blocked: bool,
    /// Configuration of its run.
    pub config: Arc<ServiceConfig>,
}

impl ServiceSnapshot {
    /// Whether no operation on it is in progress.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_blocked || self.state.is_settled()
    }
}

/// A service with its manager. Only the engine changes its snapshot.
#[derive(Debug)]
pub struct ServiceHandle {
    name: String,
    manager: Arc<ProcessManager>,
    snapshot: Mutex<ServiceSnapshot>,
    /// By check name, the state kept between probes.
    probers: Mutex<HashMap<String, Prober>>,
}

impl ServiceHandle {
    /// Creates the handle of a service that was never started.
    pub(super) fn new(
        name: String,
        manager: Arc<ProcessManager>,
        config: Arc<ServiceConfig>,
    ) -> Self {
        let snapshot = ServiceSnapshot {
            state: ServiceState::Stopped,
            health: HealthStatus::Unknown,
            message: "Not started yet.".to_owned(),
            restarts: 0,
            last_restart: None,
            next_restart_at: None,
            origin: ServiceOrigin::InFile,
            is_blocked: false,
            config,
        };
        Self { name, manager, snapshot: Mutex::new(snapshot), probers: Mutex::default() }
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the manager of its runs and logs.
    #[must_use]
    pub fn manager(&self) -> &Arc<ProcessManager> {
        &self.manager
    }

    /// Returns its current snapshot. Does not block.
    #[must_use]
    pub fn snapshot(&self) -> ServiceSnapshot {
        self.lock().clone()
    }

    /// Returns its current state. Does not block.
    #[must_use]
    pub fn state(&self) -> ServiceState {
        self.lock().state
    }

    /// Returns its last run, if there was one. Does not block.
    #[must_use]
    pub fn last_run(&self) -> Option<RunView> {
        self.manager.last_run().ok()
    }

    /// Returns the state that a check keeps between probes.
    pub(super) fn prober(&self, check: &str) -> Prober {
        let mut probers = self.probers.lock();
        probers.entry(check.to_owned()).or_default().clone()
    }

    /// Replaces the snapshot and returns the previous one.
    pub(super) fn replace(&self, snapshot: ServiceSnapshot) -> ServiceSnapshot {
        std::mem::replace(&mut *self.lock(), snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, ServiceSnapshot> {
        self.snapshot.lock()
    }
}
