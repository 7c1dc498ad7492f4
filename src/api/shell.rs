//! The routes of the LLM Shell.

use super::accept::preferred;
use super::idempotency::Answers;
use super::log_query::{Escapes, LogOf, LogQuery};
use super::logs::Named;
use super::openapi::{self, DocumentOf};
use super::run_source::RunSource;
use super::slots::Slots;
use super::talking::{self};
use super::told::{self, Reader};
use super::{body, login, logs, panel, parameters, shell_metrics, waiting};
use crate::error::Error;
use crate::http::{Guard, Problem, Reply, Request, Router};
use crate::logs::{Range, RunLog};
use crate::manager::{ProcessManager, RunView, Snapshot};
use crate::process::Signal;
use crate::protocol::{
    HealthResponse, KillResponse, ProcessStatus, RunsResponse, ServerHealth, StartRequest,
    StartResponse, StdinResponse,
};
use http::StatusCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many runs GET /runs tells of where it is not asked for a number.
const RUNS_DEFAULT: u64 = 20;

/// How much of the output a text has where nothing else is asked for: what is printed once by
/// POST /start, and maybe many times by GET /status, in bytes.
const TOLD_BYTES_DEFAULT: u64 = 32 * 1024;
const TOLD_BYTES_BRIEFLY: u64 = 4 * 1024;

/// What the handlers work with.
struct Shell {
    manager: Arc<ProcessManager>,
    restart_timeout: Duration,
    /// For requests that wait or stream as long as the client wants.
    slots: Slots,
    /// For starts and restarts, which wait for their turn.
    turns: Slots,
    /// For kills, which are let in however many starts wait.
    kills: Slots,
    /// Those to requests that may come twice.
    answers: Answers,
    began: Instant,
}

/// How many starts and restarts may wait for their turn, and how many kills for an end. The others
/// of the floor's connections are left to requests that do not wait.
const TURNS_MAX: usize = 64;

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
    let slots = Slots::of_streams(streams_max);
    let turns = Slots::new(TURNS_MAX, "starts and restarts wait already: try again, or POST /kill");
    let kills = Slots::new(TURNS_MAX, "kills wait already: wait for one of them");
    let (began, answers) = (Instant::now(), Answers::default());
    let shell = Arc::new(Shell { manager, restart_timeout, slots, turns, kills, answers, began });
    let once = |handler: Handler| {
        let shell = Arc::clone(&shell);
        move |request: &mut Request<'_>| {
            shell.answers.once(request, &shell.slots, |request| handler(&shell, request))
        }
    };
    let with_shell = |handler: Handler| {
        let shell = Arc::clone(&shell);
        move |request: &mut Request<'_>| handler(&shell, request)
    };
    let router = Router::new()
        .post("/start", once(start))
        .get("/status", with_shell(status))
        .post("/kill", once(kill))
        .post("/restart", once(restart))
        .post("/signal", with_shell(signal))
        .post("/stdin", once(stdin))
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
    let wait = parameters::fitting_wait("wait", body.wait)?;
    let bytes_max = body.max_bytes;
    // Refused before anything has an effect.
    LogQuery::of_output("", Range::All, bytes_max, Escapes::Kept)?;
    let spec = body.spec()?;
    let _slot = wait.map(|_| shell.slots.take()).transpose()?;
    let turn = shell.turns.take()?;
    let (snapshot, run) = shell.manager.start_to_watch(&spec)?;
    drop(turn);
    let is_for_model = is_for_model(request);
    let snapshot = match wait {
        None if is_for_model => snapshot,
        None => return Ok(Reply::json(StatusCode::CREATED, &ProcessStatus::from(snapshot))),
        Some(wait) => {
            wait_for_end(request, run.log(), wait);
            Snapshot { ended_leftovers: snapshot.ended_leftovers, ..run.snapshot() }
        }
    };
    if is_for_model {
        return told(
            shell,
            StatusCode::CREATED,
            &run,
            snapshot,
            bytes_max.unwrap_or(TOLD_BYTES_DEFAULT),
        );
    }
    // Behind the state: "ended" then means that all is there.
    let output = logs::output(run.id(), run.log(), Range::All, bytes_max, Escapes::Kept)?;
    let status = snapshot.into();
    Ok(Reply::json(StatusCode::CREATED, &StartResponse { status, output }))
}

/// Whether it is text that is wanted, which is made for a model to read.
fn is_for_model(request: &Request<'_>) -> bool {
    let offers = [("application/json", false), ("text/plain", true)];
    preferred(request.header("accept"), &offers).unwrap_or(false)
}

/// The state of a run, what it has printed and what to ask next, as text.
fn told(
    shell: &Shell,
    code: StatusCode,
    run: &RunView,
    snapshot: Snapshot,
    bytes_max: u64,
) -> Result<Reply, Problem> {
    let range = Range::After(0);
    let output = logs::output(run.id(), run.log(), range, Some(bytes_max), Escapes::Stripped)?;
    let last = shell.manager.last_run()?;
    let newer = (last.id() != run.id()).then(|| last.id());
    let text = told::of_run(&snapshot.into(), &output, newer, Reader::Http);
    Ok(Reply::bytes(code, logs::TEXT, text.into_bytes()))
}

/// The last run; where there was none since the server's start, the last one before is named.
fn last_run(shell: &Shell) -> Result<RunView, Error> {
    shell.manager.last_run().map_err(|error| match shell.manager.run_records().first() {
        Some(last) => Error::NotStartedSince { run_id: last.run_id.clone() },
        None => error,
    })
}

fn status(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let wait = parameters::wait(&mut query, "wait")?;
    query.finish()?;
    let run = last_run(shell)?;
    if let Some(wait) = wait {
        let _slot = shell.slots.take()?;
        wait_for_end(request, run.log(), wait);
    }
    if is_for_model(request) {
        return told(shell, StatusCode::OK, &run, run.snapshot(), TOLD_BYTES_BRIEFLY);
    }
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(run.snapshot())))
}

/// Waits for the run of a log to end.
fn wait_for_end(request: &Request<'_>, log: &RunLog, wait: Duration) {
    waiting::wait(request, wait, |until| {
        log.wait_until(until, |glance| glance.is_over);
        log.glance().is_over
    });
}

fn kill(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let signals = [("SIGTERM", Signal::TERM), ("SIGKILL", Signal::KILL)];
    let signal = parameters::word(&mut query, "type", &signals)?.unwrap_or(Signal::TERM);
    query.finish()?;
    let _turn = shell.kills.take()?;
    let report = shell.manager.kill(signal)?;
    Ok(Reply::json(StatusCode::OK, &KillResponse::new(report, signal)))
}

fn restart(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let timeout = parameters::seconds(&mut query, "timeout")?;
    query.finish()?;
    let _turn = shell.turns.take()?;
    let snapshot = shell.manager.restart(timeout.unwrap_or(shell.restart_timeout))?;
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(snapshot)))
}

fn signal(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run = shell.manager.signal(talking::signal(request)?)?;
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(run.snapshot())))
}

fn stdin(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let _slot = shell.slots.take()?;
    let (data, ends) = talking::input(request)?;
    let written = shell.manager.write_stdin(&data, ends)?;
    Ok(Reply::json(StatusCode::OK, &StdinResponse { written }))
}

fn resize(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run = shell.manager.resize(talking::size(request)?)?;
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(run.snapshot())))
}

fn read_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run = last_run(shell)?;
    let (log, run_id) = (Arc::clone(run.log()), run.id().to_owned());
    let status = Box::new(move || ProcessStatus::from(run.snapshot()).json());
    let query = LogQuery::read(request, LogOf::LastRun(&run_id))?;
    let source = RunSource { name: of_run(&log, run_id), log, status };
    logs::answer(query, Box::new(source), &shell.slots, request)
}

fn runs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let limit = parameters::count(&mut query, "limit")?.unwrap_or(RUNS_DEFAULT);
    query.finish()?;
    let runs = shell.manager.runs(usize::try_from(limit).unwrap_or(usize::MAX));
    let runs = runs.into_iter().map(ProcessStatus::from).collect();
    Ok(Reply::json(StatusCode::OK, &RunsResponse { runs }))
}

fn one_run(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let run = shell.manager.run(request.param("run_id"))?;
    Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(run)))
}

fn run_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run_id = request.param("run_id").to_owned();
    // A query that cannot be is said before what became of the log that it asks for.
    let query = LogQuery::read(request, LogOf::Run(&run_id))?;
    let log = shell.manager.log_of(&run_id)?;
    let (manager, id) = (Arc::clone(&shell.manager), run_id.clone());
    let status = move || manager.run(&id).map(|run| ProcessStatus::from(run).json());
    let status = Box::new(move || status().unwrap_or_default());
    let source = RunSource { name: of_run(&log, run_id), log, status };
    logs::answer(query, Box::new(source), &shell.slots, request)
}

fn of_run(log: &RunLog, run_id: String) -> Named {
    Named::Run { log_file: log.name().to_owned(), run_id }
}

fn metrics(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let run = shell.manager.status().ok();
    Ok(shell_metrics::answer(shell.manager.starts(), run.as_ref(), &shell.slots))
}

fn health(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let uptime = shell.began.elapsed().as_secs();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Reply::json(
        StatusCode::OK,
        &HealthResponse { status: ServerHealth::Healthy, version, uptime },
    ))
}
