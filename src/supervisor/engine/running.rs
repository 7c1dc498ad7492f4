//! Transitions of runs: launched, failed to launch, ended by themselves.

use super::Engine;
use super::entry::Entry;
use crate::process::Outcome;
use crate::protocol::RestartMode;
use crate::protocol::{HealthStatus, ServiceState};
use crate::runs;
use crate::runs::End;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::services_file::RestartPolicy;
use crate::supervisor::state_machine::Finish;
use std::time::Instant;

/// The message about processes that a service has left behind.
const DAEMON: &str = "still runs in the background and is not supervised: run the program in the \
                      foreground (nginx: \"daemon off;\"); stop ends it.";

impl Engine {
    /// Handles a launch that has completed, failed or been abandoned.
    pub(super) fn launched(&mut self, name: &str, number: u64, result: Result<String>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.launch != number || !entry.machine.is_launching() {
            if result.is_ok() {
                self.end_late(name);
            }
            return;
        }
        let run_id = match result {
            Ok(run_id) => run_id,
            Err(error) => {
                let policy = policy_of(entry, self.is_closing);
                let action = entry.machine.launch_failed(&policy, Instant::now());
                self.perform(name, action);
                let next = self.describe_next_restart(name);
                let is_stopped = self.state_of(name) == Some(ServiceState::Stopped);
                let message = match error {
                    _ if is_stopped => "Stopped before it started.".to_owned(),
                    Error::Run(runs::Error::RestartCancelled) => "Starting again.".to_owned(),
                    error => join_sentences(&format!("Could not be started: {error}"), &next),
                };
                self.publish_status(name, &message);
                return self.continue_shutdown();
            }
        };
        entry.launched_at = Instant::now();
        entry.run_id = Some(run_id.clone());
        (entry.health, entry.was_healthy) = (HealthStatus::Unknown, false);
        let action = entry.machine.launched();
        let early_end = entry.early_end.take().filter(|(id, _)| *id == run_id);
        let message = starting_message(entry);
        self.perform(name, action);
        if action.is_none() {
            self.watch(name);
        }
        self.publish_status(name, &message);
        // Other services may wait for it although its state has not changed.
        self.release_waiting(name);
        if let Some((run_id, end)) = early_end {
            self.ended(name, &run_id, end);
        }
    }

    /// Handles the end of a run's own process. Its output is on disk by then.
    pub(super) fn ended(&mut self, name: &str, run_id: &str, end: End) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.machine.is_launching() {
            entry.early_end = Some((run_id.to_owned(), end));
            return;
        }
        if entry.run_id.as_deref() != Some(run_id) || !entry.machine.is_up() {
            // It is being stopped: the end of the tree is reported separately.
            return;
        }
        let is_success = end.outcome == Outcome::Exited(0);
        let finish = Finish { is_success, lasted: entry.lasted() };
        let policy = policy_of(entry, self.is_closing);
        let action = entry.machine.ended(&policy, finish, Instant::now());
        let message = format!("Ended {}.", end.describe());
        self.perform(name, action);
        let next = self.describe_next_restart(name);
        let daemon = if is_success { self.describe_daemon(name) } else { String::new() };
        self.publish_status(name, &join_sentences(&message, &format!("{daemon}{next}")));
        self.continue_shutdown();
    }

    /// Describes the leftovers of a service whose own process has exited with 0, as that of a
    /// daemon does. Empty if there are none.
    fn describe_daemon(&self, name: &str) -> String {
        let pids = self.entries.get(name).map(|entry| entry.leftover_pids()).unwrap_or_default();
        match pids.as_slice() {
            [] => String::new(),
            [pid] => format!("Process {pid} {DAEMON} "),
            [pid, rest @ ..] => format!("Process {pid} (and {} more) {DAEMON} ", rest.len()),
        }
    }

    pub(super) fn state_of(&self, name: &str) -> Option<ServiceState> {
        self.entries.get(name).map(|entry| entry.machine.state())
    }

    /// Describes whether and when a service that has ended is restarted.
    pub(super) fn describe_next_restart(&self, name: &str) -> String {
        let Some(entry) = self.entries.get(name) else { return String::new() };
        let (attempts, most) = (entry.machine.attempts(), entry.config.restart_policy.max_restarts);
        match (entry.machine.state(), entry.machine.restart_at()) {
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

/// Joins a message with a description of what happens next, if that is not empty.
pub(super) fn join_sentences(message: &str, next: &str) -> String {
    let message = message.trim_end_matches('.');
    match next.trim_end() {
        "" => format!("{message}."),
        next if next.starts_with(char::is_lowercase) => format!("{message}; {next}"),
        next => format!("{message}. {next}"),
    }
}

/// Returns the restart policy of a service, which never restarts during a shutdown.
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
