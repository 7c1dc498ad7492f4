//! Routes of the LLM Shell.

mod command;
mod input;
mod output;

use super::route::{Mode, Route};
use super::shell_metrics;
use crate::ops::Shell;
use crate::permits::Permits;
use crate::protocol::HealthResponse;
use crate::runs;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use prometheus_client::registry::Registry;
use serde_json::json;

impl Mode for Shell {
    const TITLE: &'static str = "LLM Shell";
    const TAGS: &'static [(&'static str, &'static str)] = &[
        ("command", "The command that is running, or ran last."),
        ("logs", "Runs and their output."),
        ("server", "The server itself."),
    ];
    const ROUTES: &'static [&'static [Route<Self>]] =
        &[command::ROUTES, input::ROUTES, output::ROUTES, SERVER];
    const PAGE: &'static str = "shell/index.html";
    const METRICS_PREFIX: &'static str = "llm_shell";
    const ALIAS: Option<(&'static str, &'static str)> = None;

    fn streams(&self) -> &Permits {
        Self::streams(self)
    }

    fn register_metrics(&self, all: &mut Registry) {
        let run = self.manager().status().ok();
        shell_metrics::register(self.manager().starts(), run.as_ref(), all);
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

fn ended() -> runs::Error {
    runs::Error::NotRunning { pid: 4242, how: "by itself, with exit code 0".to_owned() }
}
