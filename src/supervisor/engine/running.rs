//! What becomes of runs: launched, or not; ended by themselves.

use super::Engine;
use super::entry::Entry;
use crate::process::Outcome;
use crate::protocol::RestartMode;
use crate::protocol::{HealthStatus, ServiceState};
use crate::runs;
use crate::runs::End;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::life::Finish;
use crate::supervisor::services_file::RestartPolicy;
use std::time::Instant;

/// What is said of processes that a service has left behind.
const DAEMON: &str = "still runs in the background and is not supervised: run the program in the \
                      foreground (nginx: \"daemon off;\"); stop ends it.";

impl Engine {
    /// A launch is done, or given up.
    pub(super) fn launched(&mut self, name: &str, number: u64, result: Result<String>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.launch != number || !entry.life.is_launching() {
            if result.is_ok() {
                self.end_late(name);
            }
            return;
        }
        let run_id = match result {
            Ok(run_id) => run_id,
            Err(error) => {
                let policy = policy_of(entry, self.is_closing);
                let action = entry.life.launch_failed(&policy, Instant::now());
                self.perform(name, action);
                let next = self.next_try(name);
                let is_stopped = self.state_of(name) == Some(ServiceState::Stopped);
                let message = match error {
                    _ if is_stopped => "Stopped before it started.".to_owned(),
                    Error::Run(runs::Error::RestartCancelled) => "Starting again.".to_owned(),
                    error => followed_by(&format!("Could not be started: {error}"), &next),
                };
                self.publish_status(name, &message);
                return self.go_on_shutting_down();
            }
        };
        entry.launched_at = Instant::now();
        entry.run_id = Some(run_id.clone());
        (entry.health, entry.was_healthy) = (HealthStatus::Unknown, false);
        let action = entry.life.launched();
        let early_end = entry.early_end.take().filter(|(id, _)| *id == run_id);
        let message = starting_message(entry);
        self.perform(name, action);
        if action.is_none() {
            self.watch(name);
        }
        self.publish_status(name, &message);
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
        let message = format!("Ended {}.", end.describe());
        self.perform(name, action);
        let next = self.next_try(name);
        let daemon = if is_success { self.daemon_of(name) } else { String::new() };
        self.publish_status(name, &followed_by(&message, &format!("{daemon}{next}")));
        self.go_on_shutting_down();
    }

    /// What to say of a service whose own process has ended well and has left others running, as
    /// one does that makes itself a daemon.
    fn daemon_of(&self, name: &str) -> String {
        let pids = self.entries.get(name).map(|entry| entry.leftover_pids()).unwrap_or_default();
        match pids.as_slice() {
            [] => String::new(),
            [pid] => format!("Process {pid} {DAEMON} "),
            [pid, rest @ ..] => format!("Process {pid} (and {} more) {DAEMON} ", rest.len()),
        }
    }

    pub(super) fn state_of(&self, name: &str) -> Option<ServiceState> {
        self.entries.get(name).map(|entry| entry.life.state())
    }

    /// What is going to happen to a service that has ended, in a sentence.
    pub(super) fn next_try(&self, name: &str) -> String {
        let Some(entry) = self.entries.get(name) else { return String::new() };
        let (attempts, most) = (entry.life.attempts(), entry.config.restart_policy.max_restarts);
        match (entry.life.state(), entry.life.restart_at()) {
            (_, Some(at)) => {
                let left = at.saturating_duration_since(Instant::now()).as_secs_f64();
                let seconds = (left * 10.0).ceil() / 10.0;
                format!("Restart {attempts} of {most} in {seconds} s.")
            }
            (ServiceState::Fatal, _) => {
                let restarts = if attempts == 1 { "restart" } else { "restarts" };
                format!(
                    "gave up after {attempts} {restarts} in a row (max_restarts): fix the \
                     cause, then start it"
                )
            }
            (ServiceState::Crashed, _) => "Not restarted by its policy.".to_owned(),
            (ServiceState::Restarting, _) => format!("Restart {attempts} of {most} in progress."),
            _ => String::new(),
        }
    }
}

/// What has happened to a service, followed by what happens next, if anything does.
pub(super) fn followed_by(message: &str, next: &str) -> String {
    let message = message.trim_end_matches('.');
    match next.trim_end() {
        "" => format!("{message}."),
        next if next.starts_with(char::is_lowercase) => format!("{message}; {next}"),
        next => format!("{message}. {next}"),
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
        return format!("Started; up after running for {seconds} s.");
    }
    let most = entry.config.start_timeout.as_secs_f64();
    format!("Started; up when its health checks pass, or after {most} s.")
}
