//! Routes that start and end runs, and read their state: of the foreground command, and of each
//! run by its id or name.

use super::{another, no_such, run_of};
use crate::api::accept::preferred;
use crate::api::openapi::Operation;
use crate::api::openapi::examples;
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::api::{body, entries, parameters};
use crate::logs::Range;
use crate::ops::text_report::{self, Reader};
use crate::ops::{
    Escapes, LogQuery, OutputMark, Place, RunSource, Shell, Started, Until, fitting_wait,
    logs_response, refuse_first,
};
use crate::process::Signal;
use crate::protocol::{
    KillResponse, ProcessStatus, RunRequest, Scope, StartRequest, StartResponse, WaitedStatus,
};
use crate::runs::{self, FoundRun, RunView, Snapshot};
use http::StatusCode;
use http1::{HeaderValue, Problem, Reply, Request, header};
use serde_json::json;
use std::time::Duration;

/// Default sizes of the output in a text report, in bytes: a start returns it once, a status
/// perhaps many times.
const TEXT_BYTES_DEFAULT: u64 = 32 * 1024;
const TEXT_BYTES_BRIEF: u64 = 4 * 1024;

/// Routes that start, end and show runs.
pub const ROUTES: &[Route<Shell>] = &[
    Route::post(Scope::Run, "/start", start, |it| {
        let (run_id, command) = ("dcf70dd5071ec0f4".to_owned(), "make -j4".to_owned());
        let busy = runs::Error::AlreadyRunning { pid: 4242, run_id, command };
        let it = it.does("start", "command", "Start a command", START);
        started(
            it.reads::<StartRequest>(&json!({"command": "make -j4", "timeout": 600, "wait": 30})),
        )
        .refuses(busy)
    })
    .with_key(),
    Route::post(Scope::Run, "/runs", start_beside, |it| {
        let (name, run_id) = ("dev".to_owned(), "dcf70dd5071ec0f4".to_owned());
        let example = json!({
            "command": "npm run dev", "name": "dev", "wait": 30, "until": "match:listening",
        });
        let it = it.does("startRun", "runs", "Start a run beside others", START_BESIDE);
        started(it.reads::<RunRequest>(&example))
            .refuses(runs::Error::NameTaken { name, run_id })
            .refuses(runs::Error::TooManyRuns { live: 64 })
    })
    .with_key(),
    Route::get("/status", status, |it| {
        let it = it.does("status", "command", "State of the last command", STATUS);
        described(it.with([take::expected_run_id()]))
            .refuses(runs::Error::NeverStarted)
            .refuses(another())
    }),
    Route::get("/runs/{run}", status, |it| {
        let it = it.does("run", "runs", "State of a run", STATUS);
        described(it.with([take::named_run()])).refuses(no_such())
    }),
    Route::post(Scope::Operate, "/kill", kill, |it| {
        let it = it.does("kill", "command", "Kill the command", KILL);
        killed(it.with([take::expected_run_id()]))
            .refuses(runs::Error::NeverStarted)
            .refuses(another())
    })
    .with_key(),
    Route::post(Scope::Operate, "/runs/{run}/kill", kill, |it| {
        let it = it.does("killRun", "runs", "Kill a run", KILL);
        killed(it.with([take::named_run()])).refuses(no_such())
    })
    .with_key(),
    Route::post(Scope::Operate, "/restart", restart, |it| {
        it.does("restart", "command", "Restart the command", RESTART)
            .with([take::timeout(), take::expected_run_id()])
            .answers::<ProcessStatus>((200, "State of the new run."), &examples::status())
            .refuses(runs::Error::NeverStarted)
            .refuses(another())
            .refuses(runs::Error::RestartCancelled)
    })
    .with_key(),
    Route::post(Scope::Operate, "/runs/{run}/restart", restart, |it| {
        let run_id = "dcf70dd5071ec0f4".to_owned();
        it.does("restartRun", "runs", "Restart a run", RESTART)
            .with([take::timeout(), take::named_run()])
            .answers::<ProcessStatus>((200, "State of the new run."), &examples::status())
            .refuses(no_such())
            .refuses(runs::Error::NotRestartable { run_id })
            .refuses(runs::Error::TooManyRuns { live: 64 })
    })
    .with_key(),
    Route::delete(Scope::Operate, "/runs/{run}", forget, |it| {
        let run_id = "dcf70dd5071ec0f4".to_owned();
        it.does("deleteRun", "runs", "Forget a run", FORGET)
            .with([take::named_run()])
            .answers_nothing((204, "It is forgotten, and its log is deleted."))
            .refuses(no_such())
            .refuses(runs::Error::StillLives { run_id })
    }),
];

/// A text report, for a model to read.
const REPORT: &str = "[run dcf70dd5071ec0f4 | exited, exit code 0 | pid 4242 | 0.1 s | lines 1-1 \
                      of 1]\nHello World\n[ended: POST /start runs the next command]\n";

const START: &str = "Runs it with the shell (`LLM_SHELL_SHELL -c`); stdout and stderr go to one \
                     log. Answers at once, or with `wait` when it has ended (or `until` says so), \
                     and then includes its `output`. With `Accept: text/plain` the answer is a \
                     text report for a model. One foreground command at a time: 409 while another \
                     is running; `POST /runs` starts any number beside it.";

const START_BESIDE: &str = "Like `POST /start`, for any number of commands at once (at most \
                            `LLM_SHELL_MAX_RUNS` live ones). `Location` is the path of the run.";

const STATUS: &str = "CPU and memory are those of its whole process tree. With `wait` the answer \
                      comes when the run has ended, or earlier if `until` says so; `reason` is \
                      what ended the wait. With `Accept: text/plain` the answer is a text report \
                      for a model.";

const KILL: &str = "Sends the signal to its whole process tree, and SIGKILL to what is left after \
                    `LLM_SHELL_KILL_TIMEOUT`. Also ends processes that outlived an ended command, \
                    and cancels a restart that is waiting for the old run to end.";

const RESTART: &str = "Ends the command like a kill, if it is still running, and starts it again \
                       as a new run with a new log. A kill meanwhile cancels the start.";

const FORGET: &str = "Deletes its log and what is known of it. Only of a run that has ended and \
                      left no process behind.";

fn started(operation: Operation<'_>) -> Operation<'_> {
    let mut waited = examples::status();
    waited["output"] = examples::logs();
    operation
        .answers::<ProcessStatus>((201, "Its state."), &examples::status())
        .or_answers::<StartResponse>((201, "With `wait`: its state then."), &waited)
        .answers_text((201, ""), "text/plain", REPORT)
        .refuses(runs::Error::CommandBlank)
}

fn described(operation: Operation<'_>) -> Operation<'_> {
    operation
        .with(take::of_wait())
        .answers::<WaitedStatus>((200, "Its state."), &examples::status())
        .answers_text((200, ""), "text/plain", REPORT)
}

fn killed(operation: Operation<'_>) -> Operation<'_> {
    let how = "by a kill, with SIGTERM".to_owned();
    operation
        .with([take::kill_type()])
        .answers::<KillResponse>(
            (200, "Its process tree is gone, except `left`."),
            &examples::kill(),
        )
        .refuses(runs::Error::AlreadyEnded { pid: 4242, how })
}

fn start(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body: StartRequest = body::json(request, "{\"command\": \"ls -l\"}")?;
    start_at(shell, request, &body.into(), Place::Foreground)
}

fn start_beside(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body: RunRequest = body::json(request, "{\"command\": \"ls -l\", \"name\": \"list\"}")?;
    start_at(shell, request, &body, Place::Beside)
}

fn start_at(
    shell: &Shell,
    request: &Request<'_>,
    body: &RunRequest,
    place: Place,
) -> Result<Reply, Problem> {
    let wait = fitting_wait("wait", body.wait)?;
    let until = parameters::until_of(body.until.as_deref(), wait, request)?;
    let bytes_max = body.max_bytes;
    // Validates the size before the command is started.
    LogQuery::of_output(String::new(), Range::All, bytes_max, Escapes::Kept)?;
    let started = shell.start(request, body, place, wait.is_some())?;
    let reply = match wait {
        None => started_reply(request, &started, bytes_max),
        Some(wait) => {
            let until = until.unwrap_or(Until::End);
            waited_reply(shell, request, &started, (&until, wait), bytes_max)
        }
    }?;
    if place == Place::Foreground {
        return Ok(reply);
    }
    // An id is plain ASCII.
    match HeaderValue::try_from(format!("/runs/{}", started.run.id())) {
        Ok(location) => Ok(reply.with_header(header::LOCATION, location)),
        Err(_) => Ok(reply),
    }
}

fn started_reply(
    request: &Request<'_>,
    started: &Started,
    bytes_max: Option<u64>,
) -> Result<Reply, Problem> {
    if is_for_model(request) {
        let bytes_max = bytes_max.unwrap_or(TEXT_BYTES_DEFAULT);
        let snapshot = started.snapshot.clone();
        return text(StatusCode::CREATED, &started.run, snapshot, bytes_max);
    }
    let status = ProcessStatus::from(started.snapshot.clone());
    Ok(Reply::json(StatusCode::CREATED, &status))
}

/// Waits for the output of a run that was started, and answers with it.
fn waited_reply(
    shell: &Shell,
    request: &Request<'_>,
    started: &Started,
    (until, wait): (&Until, Duration),
    bytes_max: Option<u64>,
) -> Result<Reply, Problem> {
    let run = &started.run;
    let waited = shell.wait_for_started(request, run, &OutputMark::default(), until, wait)?;
    let ended_leftovers = started.snapshot.ended_leftovers.clone();
    let snapshot = Snapshot { ended_leftovers, ..run.snapshot() };
    if is_for_model(request) {
        let bytes_max = bytes_max.unwrap_or(TEXT_BYTES_DEFAULT);
        return text(StatusCode::CREATED, run, snapshot, bytes_max);
    }
    // Read after the state: if it has ended, all of its output is there.
    let mut query = output_query(run, Range::All, bytes_max, Escapes::Kept)?;
    query.waited = Some(waited);
    let output = logs_response(&RunSource::of_view(run.clone()), &query)?;
    let status = snapshot.into();
    Ok(Reply::json(StatusCode::CREATED, &StartResponse { status, output }))
}

/// Returns the query of a run's output so far, truncated to a size.
fn output_query(
    run: &RunView,
    range: Range,
    bytes_max: Option<u64>,
    escapes: Escapes,
) -> Result<LogQuery, Problem> {
    let path = format!("/runs/{}/logs", run.id());
    Ok(LogQuery::of_output(path, range, bytes_max, escapes)?)
}

/// Returns whether the client prefers text, the report for a model.
fn is_for_model(request: &Request<'_>) -> bool {
    let offers = [("application/json", false), ("text/plain", true)];
    preferred(request.header("accept"), &offers).unwrap_or(false)
}

/// Answers with a text report: the state of a run, its output, and what to call next.
fn text(
    code: StatusCode,
    run: &RunView,
    snapshot: Snapshot,
    bytes_max: u64,
) -> Result<Reply, Problem> {
    let query = output_query(run, Range::After(0), Some(bytes_max), Escapes::Stripped)?;
    let output = logs_response(&RunSource::of_view(run.clone()), &query)?;
    let text = text_report::of_run(&snapshot.into(), &output, &[], Reader::Http);
    Ok(Reply::bytes(code, entries::TEXT, text.into_bytes()))
}

fn status(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let run = run_of(request, &mut query);
    let wait = parameters::wait(&mut query, "wait")?;
    let until = parameters::until(&mut query, wait, request)?;
    let after = parameters::count(&mut query, "after")?;
    query.finish()?;
    refuse_first(&[(after.is_some() && until.is_none(), "after needs until: give both")])?;
    let found = shell.find(run.which())?;
    let FoundRun::Managed(found) = found else {
        return Ok(Reply::json(StatusCode::OK, &ProcessStatus::from(found)));
    };
    let run = found.run;
    let mut waited = None;
    if let Some(wait) = wait {
        let (mark, until) = (OutputMark::after(after.unwrap_or(0)), until.unwrap_or(Until::End));
        waited = Some(shell.wait(request, &run, &mark, &until, wait)?);
    }
    if is_for_model(request) {
        return text(StatusCode::OK, &run, run.snapshot(), TEXT_BYTES_BRIEF);
    }
    let status = ProcessStatus::from(run.snapshot());
    let (reason, matched_line) =
        waited.map_or((None, None), |it| (Some(it.reason), it.matched_line));
    Ok(Reply::json(StatusCode::OK, &WaitedStatus { status, reason, matched_line }))
}

fn kill(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let run = run_of(request, &mut query);
    let signals = [("SIGTERM", Signal::TERM), ("SIGKILL", Signal::KILL)];
    let signal = parameters::choice(&mut query, "type", &signals)?.unwrap_or(Signal::TERM);
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.kill(request, run.which(), signal)?))
}

fn restart(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let run = run_of(request, &mut query);
    let timeout = parameters::seconds(&mut query, "timeout")?;
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.restart(request, run.which(), timeout)?))
}

fn forget(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    shell.forget(request, request.param("run"))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
