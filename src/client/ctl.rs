//! `llm-shell ctl`: control of a running server of either mode.

use super::command::{CtlCommand, Verb};
use super::console::{Console, Tone};
use super::error::ClientError;
use super::request::{Answer, Client};
use super::server::{Outcome, Received, Server, format_duration};
use super::{services, shell};
use crate::protocol::{SupervisorHealth, SupervisorStatus};
use std::time::Duration;

/// The time limit for a server to identify itself, which needs no lookup.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a command. Blocks until it is done; when following output, possibly forever. Returns the
/// exit code: 0 if the target is healthy, 1 if not, or that of the shell command that was waited
/// for.
///
/// # Errors
/// `ClientError` if the server is unreachable, refuses the request, or cannot fulfil it.
pub fn run(command: &CtlCommand, client: &Client, console: &Console) -> Result<u8, ClientError> {
    let server = Server { client, console, command };
    if matches!(server.verb(), Verb::Health(names) if names.is_empty()) {
        return health(&server).map(Outcome::exit_code);
    }
    let outcome = if has_services(&server)? { services::run(&server) } else { shell::run(&server) };
    outcome.map(Outcome::exit_code)
}

/// Returns whether an llm-shell server answers there. Blocks for 5 s at most.
#[must_use]
pub fn is_ours(client: &Client) -> bool {
    let answer = client.without_credentials().get_within("/health", PROBE_TIMEOUT);
    answer.is_ok_and(|answer| supervisor_health(&answer).is_some())
}

/// Parses the health response of an llm-shell server; an LLM Shell's is healthy and without
/// services.
fn supervisor_health(answer: &Answer) -> Option<Received<SupervisorHealth>> {
    let health = Received::<SupervisorHealth>::from_body(&answer.body).ok()?;
    let status = match health.body.status {
        SupervisorStatus::Healthy => 200,
        SupervisorStatus::Degraded => 503,
    };
    (answer.status == status).then_some(health)
}

/// Shows the health of a server. No credentials are sent, so that a shell command can check the
/// health without having access to them.
fn health(server: &Server<'_>) -> Result<Outcome, ClientError> {
    let answer = server.client.without_credentials().get_within("/health", PROBE_TIMEOUT)?;
    let Some(Received { json, body: health }) = supervisor_health(&answer) else {
        return Err(ClientError::of(&answer, server.client));
    };
    let is_healthy = health.status == SupervisorStatus::Healthy;
    if !server.print_json(&json) {
        let tone = if is_healthy { Tone::Good } else { Tone::Bad };
        let shown = server.console.tinted(health.status.as_str(), tone);
        if is_healthy {
            #[expect(clippy::cast_precision_loss, reason = "shown in days")]
            let uptime = format_duration(health.uptime as f64);
            server.console.say(&format!("{shown}, {}, up {uptime}", health.version));
        } else {
            server.console.say(&shown);
        }
        for (name, problem) in &health.services {
            server.console.say(&format!("{name}: {problem}"));
        }
    }
    Ok(if is_healthy { Outcome::Healthy } else { Outcome::Unhealthy })
}

/// Returns whether the server is Astra.
fn has_services(server: &Server<'_>) -> Result<bool, ClientError> {
    // Needs no credentials, so a server that is not llm-shell never receives them.
    let client = server.client.without_credentials();
    let answer = client.get_within("/supervisor/health", PROBE_TIMEOUT)?;
    if supervisor_health(&answer).is_some() {
        return Ok(true);
    }
    // For an LLM Shell this is an unknown path like any other.
    match answer.status {
        401 | 403 | 404 if is_ours(server.client) => Ok(false),
        status @ (401 | 403 | 404) => Err(ClientError::not_ours(server.client.url(), status)),
        _ => Err(ClientError::of(&answer, server.client)),
    }
}
