//! What becomes of runs: launched, or not; ended by themselves.

use super::Engine;
use super::entry::Entry;
use crate::error::{Error, Result};
use crate::manager::End;
use crate::process::Outcome;
use crate::supervisor::life::{Finish, ServiceState};
use crate::supervisor::services_file::{RestartMode, RestartPolicy};
use std::time::Instant;

impl Engine {
    /// A launch is done.
    pub(super) fn launched(&mut self, name: &str, result: Result<String>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let run_id = match result {
            Ok(run_id) => run_id,
            Err(error) => {
                let policy = policy_of(entry, self.is_closing);
                let action = entry.life.launch_failed(&policy, Instant::now());
                self.perform(name, action);
                let next = self.next_try(name);
                let message = match error {
                    Error::RestartCancelled => "It was stopped before it was started.".to_owned(),
                    error => format!("It could not be started: {error} {next}"),
                };
                self.tell(name, message.trim_end());
                return self.go_on_shutting_down();
            }
        };
        entry.launched_at = Instant::now();
        entry.run_id = Some(run_id.clone());
        (entry.health, entry.was_healthy) = (crate::probe::HealthStatus::Unknown, false);
        let action = entry.life.launched();
        let early_end = entry.early_end.take().filter(|(id, _)| *id == run_id);
        let message = starting_message(entry);
        self.perform(name, action);
        if action.is_none() {
            self.watch(name);
        }
        self.tell(name, &message);
        // It may be all that another one waits for, though its state has not changed.
        self.release_waiting(name);
        if let Some((run_id, end)) = early_end {
            self.ended(name, &run_id, end);
        }
    }

    /// The own process of a run has ended, and all that it had printed is on disk.
    pub(super) fn ended(&mut self, name: &str, run_id: &str, end: End) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.life.is_launching() {
            entry.early_end = Some((run_id.to_owned(), end));
            return;
        }
        if entry.run_id.as_deref() != Some(run_id) || !entry.life.is_up() {
            // It was being ended: that the tree is gone is told as well.
            return;
        }
        let is_success = end.outcome == Outcome::Exited(0);
        let finish = Finish { is_success, lasted: entry.lasted() };
        let policy = policy_of(entry, self.is_closing);
        let action = entry.life.ended(&policy, finish, Instant::now());
        let message = format!("It ended {}", end.words());
        self.perform(name, action);
        let next = self.next_try(name);
        self.tell(name, format!("{message}. {next}").trim_end());
        self.go_on_shutting_down();
    }

    /// What is going to happen to a service that has ended, in a sentence.
    pub(super) fn next_try(&self, name: &str) -> String {
        let Some(entry) = self.entries.get(name) else { return String::new() };
        let (attempts, most) = (entry.life.attempts(), entry.config.restart_policy.max_restarts);
        match (entry.life.state(), entry.life.restart_at()) {
            (_, Some(at)) => {
                let left = at.saturating_duration_since(Instant::now()).as_secs_f64();
                let seconds = (left * 10.0).ceil() / 10.0;
                format!("Restart {attempts} of {most} comes in {seconds} s.")
            }
            (ServiceState::Fatal, _) if most == 0 => {
                "Its policy allows no restart: start it when the cause is mended.".to_owned()
            }
            (ServiceState::Fatal, _) => format!(
                "It was restarted {attempts} times, which is all its policy allows: start it when \
                 the cause is mended."
            ),
            (ServiceState::Crashed, _) => "Its policy wants no restart.".to_owned(),
            (ServiceState::Restarting, _) => format!("Restart {attempts} of {most} is under way."),
            _ => String::new(),
        }
    }
}

/// What decides about restarts: nothing is restarted once the supervisor ends.
fn policy_of(entry: &Entry, is_closing: bool) -> RestartPolicy {
    let policy = entry.config.restart_policy.clone();
    if is_closing { RestartPolicy { mode: RestartMode::Never, ..policy } } else { policy }
}

fn starting_message(entry: &Entry) -> String {
    if entry.config.health_checks.is_empty() {
        let seconds = entry.config.start_seconds.as_secs_f64();
        return format!("It was started, and is up when it has run for {seconds} s.");
    }
    let most = entry.config.start_timeout.as_secs_f64();
    format!("It was started, and is up when its health checks pass, or after {most} s.")
}
