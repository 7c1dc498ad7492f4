//! The engine's record of a service.

use super::launch::LaunchFlags;
use crate::process::LeftBehind;
use crate::protocol::HealthStatus;
use crate::runs::End;
use crate::supervisor::service_handle::{ServiceHandle, ServiceOrigin};
use crate::supervisor::services_file::{HealthCheck, Service, ServiceConfig};
use crate::supervisor::state_machine::{Leftovers, StateMachine};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The engine's record of a service.
pub struct Entry {
    /// View for other modules.
    pub handle: Arc<ServiceHandle>,
    pub machine: StateMachine,
    /// Definition in the file, or in the request that added it.
    pub definition: Service,
    /// Configuration of its run and its automatic restarts.
    pub config: Arc<ServiceConfig>,
    /// Fields of `config` that a request has overridden.
    pub overrides: Option<Value>,
    /// Origin, and whether it stays supervised.
    pub origin: ServiceOrigin,
    /// Whether it was stopped because the supervisor is shutting down.
    pub is_shut_down: bool,
    /// Id of the current or last run.
    pub run_id: Option<String>,
    pub launched_at: Instant,
    /// End of a run whose launch is not reported yet.
    pub early_end: Option<(String, End)>,
    /// Increases when pending timers and probes become void.
    pub generation: u64,
    pub checks: Vec<CheckState>,
    /// Combined result of the checks.
    pub health: HealthStatus,
    /// Whether the checks ever passed in this run.
    pub was_healthy: bool,
    /// Configuration that the current run was launched with, and is stopped with.
    pub launched_by: Arc<ServiceConfig>,
    /// Number of the current or last launch.
    pub launch: u64,
    /// Flags shared with that launch.
    pub flags: Arc<LaunchFlags>,
    /// Processes of its tree that could not be ended so far, although they were killed.
    pub stuck: Option<Vec<LeftBehind>>,
    /// Whether it waits for a service that is down and that nothing starts.
    pub is_blocked: bool,
    /// Number of restarts at the last launch.
    pub restarts_launched: u64,
    /// Reason for its state.
    pub message: String,
    pub last_restart: Option<DateTime<Utc>>,
}

/// The state of one health check.
#[derive(Clone, Debug, Default)]
pub struct CheckState {
    /// Result of the last probe; `None` before the first.
    pub found: Option<Result<(), String>>,
    /// Consecutive failures that count.
    pub failures: u32,
}

impl Entry {
    /// Sets the configuration and overrides of the current or next run.
    pub fn apply_config(&mut self, config: Arc<ServiceConfig>, overrides: Option<Value>) {
        (self.config, self.overrides) = (config, overrides);
    }

    /// Creates the entry of a service that was never started.
    pub fn new(
        handle: Arc<ServiceHandle>,
        definition: Service,
        config: Arc<ServiceConfig>,
    ) -> Self {
        Self {
            handle,
            machine: StateMachine::new(),
            definition,
            launched_by: Arc::clone(&config),
            config,
            overrides: None,
            origin: ServiceOrigin::InFile,
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
            flags: Arc::default(),
            stuck: None,
            is_blocked: false,
            message: "Not started yet.".to_owned(),
            last_restart: None,
        }
    }

    /// Records the result of a probe. Failures count once the start period is over.
    pub fn record_probe(&mut self, check: usize, found: Result<(), String>) {
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

    /// Returns a check that has reached its maximum of failures, preferably one that restarts the
    /// service, with its name and the reason.
    pub fn failing(&self) -> Option<(&str, &HealthCheck, &str)> {
        let checks = self.config.health_checks.iter().zip(&self.checks);
        let failing = checks.filter_map(|((name, check), state)| {
            let why = state.found.as_ref()?.as_ref().err()?;
            (state.failures >= check.retries).then_some((name.as_str(), check, why.as_str()))
        });
        failing.max_by_key(|(_, check, _)| check.restart_on_failure)
    }

    /// Returns a message with the check that delays its start and the reason; `None` if none has
    /// failed.
    pub fn why_starting(&self) -> Option<String> {
        let checks = self.config.health_checks.iter().zip(&self.checks);
        let mut failing = checks.filter_map(|((name, _), state)| {
            let why = state.found.as_ref()?.as_ref().err()?;
            Some(format!("Starting: check {name} fails: {why}."))
        });
        failing.next()
    }

    /// Returns whether processes of its last run are alive although that has ended.
    pub fn leftovers(&self) -> Leftovers {
        let run = self.handle.last_run().filter(|run| run.end().is_some());
        if run.is_some_and(|run| !run.is_gone()) { Leftovers::Live } else { Leftovers::None }
    }

    /// Returns the pids of processes that its last run has left behind.
    pub fn leftover_pids(&self) -> Vec<i32> {
        let run = self.handle.last_run().filter(|run| run.end().is_some());
        run.map(|run| run.leftover_pids()).unwrap_or_default()
    }

    /// Returns the time since the launch of the run.
    pub fn lasted(&self) -> Duration {
        self.launched_at.elapsed()
    }
}
