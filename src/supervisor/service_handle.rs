//! A service as everybody may look at it.

use super::services_file::ServiceConfig;
use crate::probe::Prober;
use crate::protocol::{HealthStatus, ServiceState};
use crate::runs::{ProcessManager, RunView};
use chrono::{DateTime, Utc};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;

/// How a service came to be supervised, and whether it goes on to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOrigin {
    /// The file has it.
    InFile,
    /// It was added over the API, until the supervisor ends.
    Added,
    /// The file has it no more: it is forgotten as soon as it is down.
    Leaving,
}

/// What is known of a service at one moment, apart from its run.
#[derive(Clone, Debug)]
pub struct ServiceSnapshot {
    /// Its state.
    pub state: ServiceState,
    /// What its health checks say.
    pub health: HealthStatus,
    /// Why it is in this state, in a sentence.
    pub message: String,
    /// How often it was started again.
    pub restarts: u64,
    /// When it was last.
    pub last_restart: Option<DateTime<Utc>>,
    /// When it is next.
    pub next_restart_at: Option<DateTime<Utc>>,
    /// How it came to be supervised, and whether it goes on to be.
    pub standing: ServiceOrigin,
    /// Whether it waits for a service that is down, and that nobody is about to start.
    pub is_blocked: bool,
    /// What it is run by.
    pub config: Arc<ServiceConfig>,
}

impl ServiceSnapshot {
    /// Whether it stays so until something happens: nothing is being done to it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_blocked || self.state.is_settled()
    }
}

/// A service with its manager. The engine alone changes its facts.
#[derive(Debug)]
pub struct ServiceHandle {
    name: String,
    manager: Arc<ProcessManager>,
    facts: Mutex<ServiceSnapshot>,
    /// By the name of a check, what it keeps from look to look.
    probers: Mutex<HashMap<String, Prober>>,
}

impl ServiceHandle {
    /// A service that was never started.
    pub(super) fn new(
        name: String,
        manager: Arc<ProcessManager>,
        config: Arc<ServiceConfig>,
    ) -> Self {
        let facts = ServiceSnapshot {
            state: ServiceState::Stopped,
            health: HealthStatus::Unknown,
            message: "Not started yet.".to_owned(),
            restarts: 0,
            last_restart: None,
            next_restart_at: None,
            standing: ServiceOrigin::InFile,
            is_blocked: false,
            config,
        };
        Self { name, manager, facts: Mutex::new(facts), probers: Mutex::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What runs it, and has its logs.
    #[must_use]
    pub fn manager(&self) -> &Arc<ProcessManager> {
        &self.manager
    }

    /// What is known of it now. Does not block.
    #[must_use]
    pub fn facts(&self) -> ServiceSnapshot {
        self.lock().clone()
    }

    /// Its state now. Does not block.
    #[must_use]
    pub fn state(&self) -> ServiceState {
        self.lock().state
    }

    /// Its last run, if there was one. Does not block.
    #[must_use]
    pub fn last_run(&self) -> Option<RunView> {
        self.manager.last_run().ok()
    }

    /// What a check of it keeps from look to look.
    pub(super) fn prober(&self, check: &str) -> Prober {
        let mut probers = self.probers.lock();
        probers.entry(check.to_owned()).or_default().clone()
    }

    /// Puts other facts in the place of the present ones, which it gives.
    pub(super) fn replace(&self, facts: ServiceSnapshot) -> ServiceSnapshot {
        std::mem::replace(&mut *self.lock(), facts)
    }

    fn lock(&self) -> MutexGuard<'_, ServiceSnapshot> {
        self.facts.lock()
    }
}
