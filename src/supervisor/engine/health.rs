//! Health checks of runs: the schedule of probes, and the effects of their results.

use super::entry::CheckState;
use super::timers::Due;
use super::{Engine, Message};
use crate::protocol::{HealthStatus, ServiceState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The maximum interval of probes while a service is starting.
const STARTING_INTERVAL: Duration = Duration::from_millis(500);

/// The maximum wait for probes in progress at shutdown; a command gets SIGKILL.
const PROBES_TIMEOUT: Duration = Duration::from_millis(500);

impl Engine {
    /// Starts the checks of a run, and the timer after which it counts as up.
    pub(super) fn watch(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let (now, launched_at) = (Instant::now(), entry.launched_at);
        let config = Arc::clone(&entry.config);
        entry.checks = vec![CheckState::default(); config.health_checks.len()];
        let is_settled = entry.machine.state() == ServiceState::Running;
        for check in 0..config.health_checks.len() {
            self.add_timer(name, now, Due::Probe(check));
        }
        if is_settled {
            return;
        }
        if config.health_checks.is_empty() {
            self.add_timer(name, launched_at + config.start_seconds, Due::Settle);
        } else {
            self.add_timer(name, launched_at + config.start_timeout, Due::StartTimeout);
        }
    }

    /// Probes with one check, on a thread of its own, so that a hanging probe delays nothing else.
    pub(super) fn probe(&mut self, name: &str, check: usize) {
        let Some(entry) = self.entries.get(name) else { return };
        let Some((check_name, config)) = entry.config.health_checks.get(check) else { return };
        let prober = entry.handle.prober(check_name);
        let (context, to_engine) = (Arc::clone(&self.context), self.sender.clone());
        let (config, service_config) = (config.clone(), Arc::clone(&entry.config));
        let (service, generation) = (name.to_owned(), entry.generation);
        let Some(run) = entry.handle.last_run() else { return };
        let work = move || {
            let found =
                context.probe_check(&config.check, &prober, config.timeout, &service_config, &run);
            // An engine that has ended needs no report.
            let _gone =
                to_engine.send(Message::ProbeFinished { service, generation, check, found });
        };
        let thread = thread::Builder::new().name("probe".into()).stack_size(512 * 1024);
        match thread.spawn(work) {
            Ok(_) => self.probes_running += 1,
            Err(error) => {
                log::error!("{name}: no thread for its health check: {error}");
                self.add_timer(name, Instant::now() + STARTING_INTERVAL, Due::Probe(check));
            }
        }
    }

    /// Handles the result of a probe.
    pub(super) fn probe_finished(
        &mut self,
        name: &str,
        generation: u64,
        check: usize,
        found: Result<(), String>,
    ) {
        self.probes_running -= 1;
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.generation != generation || !entry.machine.is_up() {
            return;
        }
        entry.record_probe(check, found);
        let is_settled = entry.machine.state() == ServiceState::Running;
        let interval = entry.config.health_checks.get(check).map(|(_, check)| check.interval);
        let interval = interval.unwrap_or(STARTING_INTERVAL);
        let interval = if is_settled { interval } else { interval.min(STARTING_INTERVAL) };
        self.add_timer(name, Instant::now() + interval, Due::Probe(check));
        if is_settled {
            self.update_health(name);
        } else if self.entries.get(name).is_some_and(|it| it.health == HealthStatus::Healthy) {
            self.settle(name);
        } else if let Some(message) = self.entries.get(name).and_then(|it| it.why_starting()) {
            self.update_message(name, &message);
        }
    }

    /// Waits for probes in progress, whose commands are killed with their runs.
    pub(super) fn finish_probes(&mut self) {
        let deadline = Instant::now() + PROBES_TIMEOUT;
        while self.probes_running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Message::ProbeFinished { .. }) => self.probes_running -= 1,
                Ok(_) => {}
                // An HTTP probe is not interrupted: it leaves no process behind.
                Err(_) => return,
            }
        }
    }

    /// Marks a service as running: it has run long enough, or its checks pass.
    pub(super) fn settle(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.machine.settle();
        self.publish_status(name, "Running.");
    }

    /// Marks a service as running but unhealthy: its checks have not passed in time.
    pub(super) fn start_timed_out(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.machine.state() != ServiceState::Starting {
            return;
        }
        entry.machine.settle();
        entry.health = HealthStatus::Unhealthy;
        let seconds = entry.config.start_timeout.as_secs_f64();
        let failing = entry.checks.iter().find_map(|check| check.found.clone()?.err());
        let why = failing.unwrap_or_else(|| "no check has catch_panic_as_error".to_owned());
        self.publish_status(name, &format!("Running, but not healthy within {seconds} s: {why}."));
        self.update_health(name);
    }

    /// Publishes the health of a running service, and restarts it if a failed check requires that.
    fn update_health(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let Some((check, config, why)) = entry.failing() else {
            if entry.health == HealthStatus::Healthy {
                self.publish_status(name, "Running.");
            }
            return;
        };
        let message = format!("Running, but its check {check} fails: {why}.");
        let restarts = config.restart_on_failure && entry.lasted() >= config.start_period;
        if !restarts {
            return self.publish_status(name, &message);
        }
        // A run that was never healthy does not reset the count, however long it lasted.
        let lasted = if entry.was_healthy { entry.lasted() } else { Duration::ZERO };
        let message = format!("Stopping: its check {check} fails: {why}.");
        let action = entry.machine.fail(lasted);
        self.perform(name, action);
        self.publish_status(name, &message);
    }
}
