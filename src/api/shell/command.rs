//! Routes that start and end the command, and read its state.

use crate::api::accept::preferred;
use crate::api::openapi::examples;
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::api::{body, entries, parameters};
use crate::logs::Range;
use crate::ops::text_report::{self, Reader};
use crate::ops::{Escapes, LogQuery, Shell, fitting_wait, logs_response};
use crate::process::Signal;
use crate::protocol::{
    KillResponse, LogsResponse, ProcessStatus, Scope, StartRequest, StartResponse,
};
use crate::runs;
use crate::runs::{RunView, Snapshot};
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// Default sizes of the output in a text report, in bytes: POST /start returns it once, GET /status
/// perhaps many times.
const TEXT_BYTES_DEFAULT: u64 = 32 * 1024;
const TEXT_BYTES_BRIEF: u64 = 4 * 1024;

/// Routes on the command.
pub const ROUTES: &[Route<Shell>] = &[
    Route::post(Scope::Run, "/start", start, |it| {
        let (run_id, command) = ("dcf70dd5071ec0f4".to_owned(), "make -j4".to_owned());
        let busy = runs::Error::AlreadyRunning { pid: 4242, run_id, command };
        let mut waited = examples::status();
        waited["output"] = examples::logs();
        it.does("start", "command", "Start a command", START)
            .reads::<StartRequest>(&json!({"command": "make -j4", "timeout": 600, "wait": 30}))
            .answers::<ProcessStatus>((201, "Its state."), &examples::status())
            .or_answers::<StartResponse>(
                (201, "With `wait`: it has ended, or the wait is over."),
                &waited,
            )
            .answers_text((201, ""), "text/plain", REPORT)
            .refuses(runs::Error::CommandBlank)
            .refuses(busy)
    })
    .with_key(),
    Route::get("/status", status, |it| {
        it.does("status", "command", "State of the last command", STATUS)
            .with([take::wait("Seconds to wait for its end before the answer.")])
            .answers::<ProcessStatus>((200, "Its state."), &examples::status())
            .answers_text((200, ""), "text/plain", REPORT)
            .refuses(runs::Error::NeverStarted)
    }),
    Route::post(Scope::Operate, "/kill", kill, |it| {
        let how = "by a kill, with SIGTERM".to_owned();
        it.does("kill", "command", "Kill the command", KILL)
            .with([take::kill_type()])
            .answers::<KillResponse>(
                (200, "Its process tree is gone, except `left`."),
                &examples::kill(),
            )
            .refuses(runs::Error::AlreadyEnded { pid: 4242, how })
            .refuses(runs::Error::NeverStarted)
    })
    .with_key(),
    Route::post(Scope::Operate, "/restart", restart, |it| {
        it.does("restart", "command", "Restart the command", RESTART)
            .with([take::timeout()])
            .answers::<ProcessStatus>((200, "State of the new run."), &examples::status())
            .refuses(runs::Error::NeverStarted)
            .refuses(runs::Error::RestartCancelled)
    })
    .with_key(),
];

/// A text report, for a model to read.
const REPORT: &str = "[run dcf70dd5071ec0f4 | exited, exit code 0 | pid 4242 | 0.1 s | lines 1-1 \
                      of 1]\nHello World\n[ended: POST /start runs the next command]\n";

const START: &str = "Runs it with the shell (`LLM_SHELL_SHELL -c`); stdout and stderr go to one \
                     log. Answers at once, or with `wait` when it has ended, and then includes \
                     its `output`. With `Accept: text/plain` the answer is a text report for a \
                     model. One command at a time: 409 while another is running.";

const STATUS: &str = "CPU and memory are those of its whole process tree. With `Accept: \
                      text/plain` the answer is a text report for a model.";

const KILL: &str = "Sends the signal to its whole process tree, and SIGKILL to what is left after \
                    `LLM_SHELL_KILL_TIMEOUT`. Also ends processes that outlived an ended command, \
                    and cancels a restart that is waiting for the old run to end.";

const RESTART: &str = "Ends the command like `POST /kill`, if it is still running, and starts it \
                       again as a new run with a new log. A kill meanwhile cancels the start.";

fn start(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body: StartRequest = body::json(request, "{\"command\": \"ls -l\"}")?;
    let wait = fitting_wait("wait", body.wait)?;
    let bytes_max = body.max_bytes;
    // Validates the size before the command is started.
    LogQuery::of_output("", Range::All, bytes_max, Escapes::Kept)?;
    let started = shell.start(request, &body, wait.is_some())?;
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
    // Read after the state: if it has ended, all of its output is there.
    let output = output(shell, run, Range::All, bytes_max, Escapes::Kept)?;
    let status = snapshot.into();
    Ok(Reply::json(StatusCode::CREATED, &StartResponse { status, output }))
}

/// Returns the output of a run so far, truncated to a size.
fn output(
    shell: &Shell,
    run: &RunView,
    range: Range,
    bytes_max: Option<u64>,
    escapes: Escapes,
) -> Result<LogsResponse, Problem> {
    let query = LogQuery::of_output(run.id(), range, bytes_max, escapes)?;
    Ok(logs_response(&shell.log_of_view(run.clone()), &query)?)
}

/// Returns whether the client prefers text, the report for a model.
fn is_for_model(request: &Request<'_>) -> bool {
    let offers = [("application/json", false), ("text/plain", true)];
    preferred(request.header("accept"), &offers).unwrap_or(false)
}

/// Answers with a text report: the state of a run, its output, and what to call next.
fn text(
    shell: &Shell,
    code: StatusCode,
    run: &RunView,
    snapshot: Snapshot,
    bytes_max: u64,
) -> Result<Reply, Problem> {
    let output = output(shell, run, Range::After(0), Some(bytes_max), Escapes::Stripped)?;
    let last = shell.last_run()?;
    let newer = (last.id() != run.id()).then(|| last.id());
    let text = text_report::of_run(&snapshot.into(), &output, newer, Reader::Http);
    Ok(Reply::bytes(code, entries::TEXT, text.into_bytes()))
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
    let signal = parameters::choice(&mut query, "type", &signals)?.unwrap_or(Signal::TERM);
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.kill(request, signal)?))
}

fn restart(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let timeout = parameters::seconds(&mut query, "timeout")?;
    query.finish()?;
    Ok(Reply::json(StatusCode::OK, &shell.restart(request, timeout)?))
}
