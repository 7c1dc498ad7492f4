//! Health checks of runs: when they look, and what follows.

use super::entry::CheckState;
use super::timers::Due;
use super::{Engine, Message};
use crate::protocol::{HealthStatus, ServiceState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a service that is not up yet is looked at, at least.
const STARTING_INTERVAL: Duration = Duration::from_millis(500);

/// How long looks that are under way in the end are waited for: a command gets SIGKILL.
const LOOKS_TIMEOUT: Duration = Duration::from_millis(500);

impl Engine {
    /// Begins the checks of a run, and the wait for it to be up.
    pub(super) fn watch(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let (now, launched_at) = (Instant::now(), entry.launched_at);
        let config = Arc::clone(&entry.config);
        entry.checks = vec![CheckState::default(); config.health_checks.len()];
        let is_settled = entry.life.state() == ServiceState::Running;
        for check in 0..config.health_checks.len() {
            self.add_timer(name, now, Due::Look(check));
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

    /// Looks with one check, on a thread of its own: one that hangs delays nobody.
    pub(super) fn look(&mut self, name: &str, check: usize) {
        let Some(entry) = self.entries.get(name) else { return };
        let Some((check_name, config)) = entry.config.health_checks.get(check) else { return };
        let prober = entry.it.prober(check_name);
        let (tools, outbox) = (Arc::clone(&self.tools), self.outbox.clone());
        let (config, service_config) = (config.clone(), Arc::clone(&entry.config));
        let (service, generation) = (name.to_owned(), entry.generation);
        let Some(run) = entry.it.last_run() else { return };
        let work = move || {
            let found =
                tools.look((&config.check, &prober), config.timeout, (&service_config, &run));
            // An engine that is gone needs to know nothing.
            let _gone = outbox.send(Message::ProbeFinished { service, generation, check, found });
        };
        let thread = thread::Builder::new().name("probe".into()).stack_size(512 * 1024);
        match thread.spawn(work) {
            Ok(_) => self.probes_running += 1,
            Err(error) => {
                log::error!("{name}: no thread for its health check: {error}");
                self.add_timer(name, Instant::now() + STARTING_INTERVAL, Due::Look(check));
            }
        }
    }

    /// A check of a run has looked.
    pub(super) fn looked(
        &mut self,
        name: &str,
        generation: u64,
        check: usize,
        found: Result<(), String>,
    ) {
        self.probes_running -= 1;
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.generation != generation || !entry.life.is_up() {
            return;
        }
        entry.take_look(check, found);
        let is_settled = entry.life.state() == ServiceState::Running;
        let interval = entry.config.health_checks.get(check).map(|(_, check)| check.interval);
        let interval = interval.unwrap_or(STARTING_INTERVAL);
        let interval = if is_settled { interval } else { interval.min(STARTING_INTERVAL) };
        self.add_timer(name, Instant::now() + interval, Due::Look(check));
        if is_settled {
            self.judge(name);
        } else if self.entries.get(name).is_some_and(|it| it.health == HealthStatus::Healthy) {
            self.settle(name);
        } else if let Some(message) = self.entries.get(name).and_then(|it| it.why_starting()) {
            self.explain(name, &message);
        }
    }

    /// Waits for the looks that are under way, whose commands are being ended with their runs.
    pub(super) fn finish_probes(&mut self) {
        let deadline = Instant::now() + LOOKS_TIMEOUT;
        while self.probes_running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Message::ProbeFinished { .. }) => self.probes_running -= 1,
                Ok(_) => {}
                // A look at a web page is not cut short: it leaves nothing behind.
                Err(_) => return,
            }
        }
    }

    /// The run has lived for long enough, or its checks pass.
    pub(super) fn settle(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.life.settle();
        self.publish_status(name, "Running.");
    }

    /// Its checks have not passed in time: it runs as it is.
    pub(super) fn start_timed_out(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.life.state() != ServiceState::Starting {
            return;
        }
        entry.life.settle();
        entry.health = HealthStatus::Unhealthy;
        let seconds = entry.config.start_timeout.as_secs_f64();
        let failing = entry.checks.iter().find_map(|check| check.found.clone()?.err());
        let why = failing.unwrap_or_else(|| "no check has answered".to_owned());
        self.publish_status(name, &format!("Running, but not healthy within {seconds} s: {why}."));
        self.judge(name);
    }

    /// Tells what the checks of a service that is up say, and restarts it where that is wanted.
    fn judge(&mut self, name: &str) {
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
        // A run that was never healthy does not clear the count, however long it was given.
        let lasted = if entry.was_healthy { entry.lasted() } else { Duration::ZERO };
        let message = format!("Stopping: its check {check} fails: {why}.");
        let action = entry.life.fail(lasted);
        self.perform(name, action);
        self.publish_status(name, &message);
    }
}
