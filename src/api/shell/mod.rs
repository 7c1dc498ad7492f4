//! Routes of the LLM Shell.

mod command;
mod input;
mod output;
mod session;

use super::route::{Mode, Route};
use super::shell_metrics;
use crate::ops::{Shell, Which};
use crate::permits::Permits;
use crate::protocol::HealthResponse;
use crate::runs;
use http::StatusCode;
use http1::{Problem, Query, Reply, Request};
use prometheus_client::registry::Registry;
use serde_json::json;

impl Mode for Shell {
    const TITLE: &'static str = "LLM Shell";
    const TAGS: &'static [(&'static str, &'static str)] = &[
        ("command", "The foreground command: the one that is running, or ran last."),
        ("runs", "All runs, each by its id or name."),
        ("logs", "The output of runs."),
        ("server", "The server itself."),
    ];
    const ROUTES: &'static [&'static [Route<Self>]] =
        &[command::ROUTES, input::ROUTES, output::ROUTES, session::ROUTES, SERVER];
    const PAGE: &'static str = "shell/index.html";
    const METRICS_PREFIX: &'static str = "llm_shell";
    const ALIAS: Option<(&'static str, &'static str)> = None;

    fn streams(&self) -> &Permits {
        Self::streams(self)
    }

    fn register_metrics(&self, all: &mut Registry) {
        shell_metrics::register(self.runs(), all);
    }
}

const SERVER: &[Route<Shell>] = &[Route::get("/health", health, |it| {
    let version = env!("CARGO_PKG_VERSION");
    let healthy = json!({"status": "healthy", "version": version, "uptime": 60});
    it.does("health", "server", "Health of the server", "Needs no credentials.")
        .answers::<HealthResponse>((200, "It is up."), &healthy)
})
.public()];

fn health(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.health()))
}

/// The run that a request names.
enum RunOf {
    /// That of the foreground command, if it has this id.
    Foreground(Option<String>),
    /// The one with this id or name.
    Named(String),
}

impl RunOf {
    fn which(&self) -> Which<'_> {
        match self {
            Self::Foreground(run_id) => Which::Foreground(run_id.as_deref()),
            Self::Named(run) => Which::Run(run),
        }
    }
}

/// Returns the run that a request names: in its path, or else as the `run_id` of the query.
fn run_of(request: &Request<'_>, query: &mut Query) -> RunOf {
    match request.param_if_any("run") {
        Some(run) => RunOf::Named(run.to_owned()),
        None => RunOf::Foreground(query.take("run_id")),
    }
}

/// Returns the error of a run that is not known.
fn no_such() -> runs::Error {
    runs::Error::NoSuchRun { run_id: "dcf70dd5071ec0f4".to_owned() }
}

/// Returns the error of a foreground command that is another run.
fn another() -> runs::Error {
    let (run_id, last) = ("dcf70dd5071ec0f4".to_owned(), "0f4ec1705dd07fcd".to_owned());
    runs::Error::AnotherRun { run_id, last }
}

fn ended() -> runs::Error {
    runs::Error::NotRunning { pid: 4242, how: "by itself, with exit code 0".to_owned() }
}
