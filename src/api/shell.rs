//! The routes of the LLM Shell.

use super::slots::Slots;
use super::{body, login, logs, parameters};
use crate::http::{Guard, Problem, Reply, Request, Router};
use crate::logs::format_instant;
use crate::manager::{End, KillReport, ProcessManager, RunStatus, Snapshot};
use crate::process::EndSignal;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What POST /start takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartRequest {
    command: String,
}

/// What is told of a run.
#[derive(Debug, Serialize)]
struct ProcessStatus {
    process_pid: i32,
    command: String,
    status: &'static str,
    created_at: String,
    stopped_at: Option<String>,
    exit_code: Option<i32>,
    log_file: String,
    signal: Option<String>,
    ended_by: Option<&'static str>,
    run_id: String,
    uptime: f64,
    cpu_percent: f64,
    memory_mb: f64,
    idle: Option<f64>,
    pty: bool,
    stdin_open: bool,
    cwd: String,
    leftover_pids: Vec<i32>,
    log_dropped_lines: u64,
}

/// What POST /kill answers.
#[derive(Debug, Serialize)]
struct KillResponse {
    stopped_at: Option<String>,
    exit_code: Option<i32>,
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    signal: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<Left>,
}

/// A process that could not be ended.
#[derive(Debug, Serialize)]
struct Left {
    pid: i32,
    why: &'static str,
}

/// What GET /health answers; `uptime` in whole seconds.
#[derive(Debug, Serialize)]
struct HealthResponse {
    status: &'static str,
    version: &'static str,
    uptime: u64,
}

/// What the handlers work with.
struct Shell {
    manager: Arc<ProcessManager>,
    restart_timeout: Duration,
    slots: Slots,
    began: Instant,
}

type Handler = fn(&Shell, &mut Request<'_>) -> Result<Reply, Problem>;

/// The routes of the LLM Shell around a manager, behind a guard. `restart_timeout` is the grace of
/// a restart that names none; so many requests may wait or stream at once as `streams_max`.
#[must_use]
pub fn shell_routes(
    manager: Arc<ProcessManager>,
    guard: Arc<Guard>,
    restart_timeout: Duration,
    streams_max: usize,
) -> Router {
    let slots = Slots::new(streams_max);
    let shell = Arc::new(Shell { manager, restart_timeout, slots, began: Instant::now() });
    let with_shell = |handler: Handler| {
        let shell = Arc::clone(&shell);
        move |request: &mut Request<'_>| handler(&shell, request)
    };
    Router::new()
        .post("/start", with_shell(start))
        .get("/status", with_shell(status))
        .post("/kill", with_shell(kill))
        .post("/restart", with_shell(restart))
        .get("/logs", with_shell(read_logs))
        .get("/health", with_shell(health))
        .open("/health")
        .post("/login", login::handler(Arc::clone(&guard)))
        .open("/login")
        .guarded_by(guard)
}

fn start(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body: StartRequest = body::json(request, "{\"command\": \"ls -l\"}")?;
    let snapshot = shell.manager.start(&body.command)?;
    Ok(Reply::json(StatusCode::CREATED, &ProcessStatus::from(snapshot)))
}

fn status(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let snapshot = shell.manager.status()?;
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(snapshot)))
}

fn kill(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let signals = [("SIGTERM", EndSignal::Terminate), ("SIGKILL", EndSignal::Kill)];
    let signal = parameters::word(&mut query, "type", &signals)?.unwrap_or(EndSignal::Terminate);
    query.finish()?;
    let report = shell.manager.kill(signal)?;
    Ok(Reply::json(StatusCode::OK, &KillResponse::new(report, signal)))
}

fn restart(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let timeout = parameters::seconds(&mut query, "timeout")?;
    query.finish()?;
    let snapshot = shell.manager.restart(timeout.unwrap_or(shell.restart_timeout))?;
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(snapshot)))
}

fn read_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run = shell.manager.last_run()?;
    let log = Arc::clone(run.log());
    let status = Box::new(move || json_of(ProcessStatus::from(run.snapshot())));
    logs::answer(request, logs::Source { log, status }, &shell.slots)
}

fn json_of(status: ProcessStatus) -> Value {
    // A struct of texts, numbers and lists always has a JSON form.
    serde_json::to_value(status).unwrap_or_default()
}

fn health(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let uptime = shell.began.elapsed().as_secs();
    let version = env!("CARGO_PKG_VERSION");
    Ok(Reply::json(StatusCode::OK, &HealthResponse { status: "healthy", version, uptime }))
}

impl From<Snapshot> for ProcessStatus {
    fn from(run: Snapshot) -> Self {
        let end = run.end.as_ref();
        Self {
            process_pid: run.pid,
            status: run.status().word(),
            created_at: format_instant(run.created_at),
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            signal: end.and_then(|end| end.outcome.signal()),
            ended_by: end.map(|end| end.by.word()),
            command: run.command,
            log_file: run.log_name,
            run_id: run.run_id,
            uptime: seconds(run.uptime),
            cpu_percent: run.usage.cpu_percent,
            memory_mb: run.usage.memory_mb,
            idle: run.log.idle.map(seconds),
            pty: false,
            stdin_open: false,
            cwd: run.directory.to_string_lossy().into_owned(),
            leftover_pids: run.leftover_pids,
            log_dropped_lines: run.log.dropped_lines,
        }
    }
}

impl KillResponse {
    fn new(report: KillReport, signal: EndSignal) -> Self {
        let end: Option<End> = report.end;
        let left = report.left.into_iter();
        Self {
            stopped_at: end.map(|end| format_instant(end.at)),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            kind: match signal {
                EndSignal::Terminate => "SIGTERM",
                EndSignal::Kill => "SIGKILL",
            },
            // A process that withstands SIGKILL is not told to be dead.
            status: end.map_or(RunStatus::Running, |_| RunStatus::Killed).word(),
            signal: end.and_then(|end| end.outcome.signal()),
            left: left.map(|left| Left { pid: left.pid, why: left.why }).collect(),
        }
    }
}

/// Seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
