//! One service, as the engine keeps it.

use super::launch::Ticket;
use crate::process::LeftBehind;
use crate::protocol::HealthStatus;
use crate::runs::End;
use crate::supervisor::life::{Leftovers, Life};
use crate::supervisor::service_handle::{ServiceHandle, ServiceOrigin};
use crate::supervisor::services_file::{HealthCheck, Service, ServiceConfig};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One service.
pub struct Entry {
    /// What others see of it.
    pub it: Arc<ServiceHandle>,
    pub life: Life,
    /// What the file says, or whoever added it.
    pub definition: Service,
    /// What its run and its automatic restarts go by.
    pub config: Arc<ServiceConfig>,
    /// What a request had differ in that from the definition.
    pub overrides: Option<Value>,
    /// How it came to be supervised, and whether it goes on to be.
    pub standing: ServiceOrigin,
    /// Whether it was ended because the supervisor is.
    pub is_shut_down: bool,
    /// The run that lives, or was last.
    pub run_id: Option<String>,
    pub launched_at: Instant,
    /// The end of a run whose launch was not told yet.
    pub early_end: Option<(String, End)>,
    /// Grows when what timers and checks were for is over.
    pub generation: u64,
    pub checks: Vec<CheckState>,
    /// What they say together.
    pub health: HealthStatus,
    /// Whether they ever passed in this run.
    pub was_healthy: bool,
    /// What the run that lives was launched by: it is ended by that.
    pub launched_by: Arc<ServiceConfig>,
    /// Which launch is under way, or was last.
    pub launch: u64,
    /// What it is told.
    pub ticket: Arc<Ticket>,
    /// What of its tree could not be ended so far, although it was killed.
    pub stuck: Option<Vec<LeftBehind>>,
    /// Whether it waits for one that is down, and that nobody starts.
    pub is_blocked: bool,
    /// How many restarts the last launch was told with.
    pub restarts_launched: u64,
    /// Why it is in its state.
    pub message: String,
    pub last_restart: Option<DateTime<Utc>>,
}

/// What is known by one health check.
#[derive(Clone, Debug, Default)]
pub struct CheckState {
    /// What the last look found; `None` before the first.
    pub found: Option<Result<(), String>>,
    /// Failures in a row that count.
    pub failures: u32,
}

impl Entry {
    /// Has its next run, or the one that goes on, go by these.
    pub fn apply_config(&mut self, config: Arc<ServiceConfig>, overrides: Option<Value>) {
        (self.config, self.overrides) = (config, overrides);
    }

    /// A service that was never started.
    pub fn new(it: Arc<ServiceHandle>, definition: Service, config: Arc<ServiceConfig>) -> Self {
        Self {
            it,
            life: Life::new(),
            definition,
            launched_by: Arc::clone(&config),
            config,
            overrides: None,
            standing: ServiceOrigin::InFile,
            is_shut_down: false,
            run_id: None,
            launched_at: Instant::now(),
            early_end: None,
            generation: 0,
            checks: Vec::new(),
            health: HealthStatus::Unknown,
            was_healthy: false,
            restarts_launched: 0,
            launch: 0,
            ticket: Arc::default(),
            stuck: None,
            is_blocked: false,
            message: "Not started yet.".to_owned(),
            last_restart: None,
        }
    }

    /// Takes what a look found; failures count once the start period is over.
    pub fn take_look(&mut self, check: usize, found: Result<(), String>) {
        let lasted = self.lasted();
        let config = self.config.health_checks.get(check).map(|(_, check)| check);
        let (Some(config), Some(state)) = (config, self.checks.get_mut(check)) else { return };
        state.failures = match found {
            Ok(()) => 0,
            Err(_) if lasted < config.start_period => state.failures,
            Err(_) => state.failures.saturating_add(1),
        };
        state.found = Some(found);
        if self.failing().is_some() {
            self.health = HealthStatus::Unhealthy;
        } else if self.checks.iter().all(|check| check.found == Some(Ok(()))) {
            (self.health, self.was_healthy) = (HealthStatus::Healthy, true);
        }
    }

    /// The checks that have failed as often as they may, those that restart it first: the name,
    /// and why.
    pub fn failing(&self) -> Option<(&str, &HealthCheck, &str)> {
        let checks = self.config.health_checks.iter().zip(&self.checks);
        let failing = checks.filter_map(|((name, check), state)| {
            let why = state.found.as_ref()?.as_ref().err()?;
            (state.failures >= check.retries).then_some((name.as_str(), check, why.as_str()))
        });
        failing.max_by_key(|(_, check, _)| check.restart_on_failure)
    }

    /// Which check keeps it from being up, and how it fails; `None` where none has failed.
    pub fn why_starting(&self) -> Option<String> {
        let checks = self.config.health_checks.iter().zip(&self.checks);
        let mut failing = checks.filter_map(|((name, _), state)| {
            let why = state.found.as_ref()?.as_ref().err()?;
            Some(format!("Starting: check {name} fails: {why}."))
        });
        failing.next()
    }

    /// Whether anything lives of its last run although that has ended.
    pub fn leftovers(&self) -> Leftovers {
        let run = self.it.last_run().filter(|run| run.end().is_some());
        if run.is_some_and(|run| !run.is_gone()) { Leftovers::Live } else { Leftovers::None }
    }

    /// The processes that its last run has left behind.
    pub fn leftover_pids(&self) -> Vec<i32> {
        let run = self.it.last_run().filter(|run| run.end().is_some());
        run.map(|run| run.leftover_pids()).unwrap_or_default()
    }

    /// How long the run has lived.
    pub fn lasted(&self) -> Duration {
        self.launched_at.elapsed()
    }
}
