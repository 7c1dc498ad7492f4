//! The routes of the LLM Shell.

use super::accept::preferred;
use super::idempotency::Answers;
use super::log_query::{LogOf, LogRequest};
use super::openapi::{self, DocumentOf};
use super::{body, login, logs, panel, parameters, shell_metrics, talking};
use crate::http::{Guard, Problem, Reply, Request, Router};
use crate::logs::Range;
use crate::manager::{RunView, Snapshot};
use crate::ops::text_report::{self, Reader};
use crate::ops::{Escapes, LogQuery, Shell, fitting_wait, logs_response};
use crate::process::Signal;
use crate::protocol::{
    LogsResponse, ProcessStatus, RunsResponse, StartRequest, StartResponse, StdinResponse,
};
use http::StatusCode;
use std::sync::Arc;

/// How many runs GET /runs tells of where it is not asked for a number.
const RUNS_DEFAULT: u64 = 20;

/// How much of the output a text has where nothing else is asked for: what is printed once by
/// POST /start, and maybe many times by GET /status, in bytes.
const TEXT_BYTES_DEFAULT: u64 = 32 * 1024;
const TEXT_BYTES_BRIEF: u64 = 4 * 1024;

type Handler = fn(&Shell, &mut Request<'_>) -> Result<Reply, Problem>;

/// The routes of the LLM Shell, behind a guard.
#[must_use]
pub fn shell_routes(shell: &Arc<Shell>, guard: Arc<Guard>) -> Router {
    let answers = Arc::new(Answers::default());
    let once = |handler: Handler| {
        let (shell, answers) = (Arc::clone(shell), Arc::clone(&answers));
        move |request: &mut Request<'_>| {
            let streams = Some(shell.streams());
            answers.once(request, body::BYTES_MAX, streams, |request| handler(&shell, request))
        }
    };
    let write = {
        let (shell, answers) = (Arc::clone(shell), Arc::clone(&answers));
        move |request: &mut Request<'_>| stdin(&shell, &answers, request)
    };
    let with_shell = |handler: Handler| {
        let shell = Arc::clone(shell);
        move |request: &mut Request<'_>| handler(&shell, request)
    };
    let router = Router::new()
        .post("/start", once(start))
        .get("/status", with_shell(status))
        .post("/kill", once(kill))
        .post("/restart", once(restart))
        .post("/signal", with_shell(signal))
        .post("/stdin", write)
        .post("/resize", with_shell(resize))
        .get("/logs", with_shell(read_logs))
        .get("/runs", with_shell(runs))
        .get("/runs/{run_id}", with_shell(one_run))
        .get("/runs/{run_id}/logs", with_shell(run_logs))
        .get("/metrics", with_shell(metrics))
        .get("/health", with_shell(health))
        .public("/health");
    let router = login::add_routes(router, &guard);
    let router = panel::add_routes(router, panel::Page::Shell).guarded_by(guard);
    openapi::documented(router, DocumentOf::Shell)
}

fn start(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body: StartRequest = body::json(request, "{\"command\": \"ls -l\"}")?;
    let wait = fitting_wait("wait", body.wait)?;
    let bytes_max = body.max_bytes;
    // Refused before anything has an effect.
    LogQuery::of_output("", Range::All, bytes_max, Escapes::Kept)?;
    let started = shell.start(body, wait.is_some())?;
    let run = &started.run;
    let is_for_model = is_for_model(request);
    let Some(wait) = wait else {
        if is_for_model {
            let bytes_max = bytes_max.unwrap_or(TEXT_BYTES_DEFAULT);
            return text(shell, StatusCode::CREATED, run, started.snapshot.clone(), bytes_max);
        }
        let status = ProcessStatus::from(started.snapshot);
        return Ok(Reply::json(StatusCode::CREATED, &status));
    };
    shell.wait_for_end_of_started(request, run, wait);
    let ended_leftovers = started.snapshot.ended_leftovers.clone();
    let snapshot = Snapshot { ended_leftovers, ..run.snapshot() };
    if is_for_model {
        let bytes_max = bytes_max.unwrap_or(TEXT_BYTES_DEFAULT);
        return text(shell, StatusCode::CREATED, run, snapshot, bytes_max);
    }
    // Behind the state: "ended" then means that all is there.
    let output = output(shell, run, (Range::All, bytes_max, Escapes::Kept))?;
    let status = snapshot.into();
    Ok(Reply::json(StatusCode::CREATED, &StartResponse { status, output }))
}

/// Returns what a run has printed so far, cut to a size.
fn output(
    shell: &Shell,
    run: &RunView,
    (range, bytes_max, escapes): (Range, Option<u64>, Escapes),
) -> Result<LogsResponse, Problem> {
    let query = LogQuery::of_output(run.id(), range, bytes_max, escapes)?;
    Ok(logs_response(&shell.log_of_view(run.clone()), &query)?)
}

/// Whether it is text that is wanted, which is made for a model to read.
fn is_for_model(request: &Request<'_>) -> bool {
    let offers = [("application/json", false), ("text/plain", true)];
    preferred(request.header("accept"), &offers).unwrap_or(false)
}

/// The state of a run, what it has printed and what to ask next, as text.
fn text(
    shell: &Shell,
    code: StatusCode,
    run: &RunView,
    snapshot: Snapshot,
    bytes_max: u64,
) -> Result<Reply, Problem> {
    let output = output(shell, run, (Range::After(0), Some(bytes_max), Escapes::Stripped))?;
    let last = shell.last_run()?;
    let newer = (last.id() != run.id()).then(|| last.id());
    let text = text_report::of_run(&snapshot.into(), &output, newer, Reader::Http);
    Ok(Reply::bytes(code, logs::TEXT, text.into_bytes()))
}

fn status(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let wait = parameters::wait(&mut query, "wait")?;
    query.finish()?;
    let run = shell.last_run()?;
    if let Some(wait) = wait {
        shell.wait_for_end(request, &run, wait)?;
    }
    if is_for_model(request) {
        return text(shell, StatusCode::OK, &run, run.snapshot(), TEXT_BYTES_BRIEF);
    }
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(run.snapshot())))
}

fn kill(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let signals = [("SIGTERM", Signal::TERM), ("SIGKILL", Signal::KILL)];
    let signal = parameters::word(&mut query, "type", &signals)?.unwrap_or(Signal::TERM);
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.kill(signal)?))
}

fn restart(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let timeout = parameters::seconds(&mut query, "timeout")?;
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.restart(timeout)?))
}

fn signal(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let signal = talking::signal(request)?;
    Ok(Reply::json(StatusCode::OK, &shell.signal(signal)?))
}

fn stdin(shell: &Shell, answers: &Answers, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let permit = shell.streams().take()?;
    answers.once(request, talking::STDIN_BYTES_MAX, None, |request| {
        let (data, ends) = talking::input(request)?;
        let written = shell.write_stdin(&permit, &data, ends)?;
        Ok(Reply::json(StatusCode::OK, &StdinResponse { written }))
    })
}

fn resize(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let size = talking::size(request)?;
    Ok(Reply::json(StatusCode::OK, &shell.resize(size)?))
}

fn read_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run = shell.last_run()?;
    let query = LogRequest::read(request, LogOf::LastRun(run.id()))?;
    let source = Box::new(shell.log_of_view(run));
    logs::answer(query, source, shell.streams(), request)
}

fn runs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let limit = parameters::count(&mut query, "limit")?.unwrap_or(RUNS_DEFAULT);
    query.finish()?;
    let runs = shell.runs(limit);
    Ok(Reply::json(StatusCode::OK, &RunsResponse { runs }))
}

fn one_run(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.run(request.param("run_id"))?))
}

fn run_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run_id = request.param("run_id").to_owned();
    // A query that cannot be is said before what became of the log that it asks for.
    let query = LogRequest::read(request, LogOf::Run(&run_id))?;
    let source = Box::new(shell.log_of(&run_id)?);
    logs::answer(query, source, shell.streams(), request)
}

fn metrics(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let manager = shell.manager();
    let run = manager.status().ok();
    Ok(shell_metrics::answer(manager.starts(), run.as_ref(), shell.streams()))
}

fn health(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.health()))
}
