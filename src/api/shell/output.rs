//! Routes for the output of commands, and for past runs.

use crate::api::log_query::{LogOf, LogRequest};
use crate::api::openapi::Operation;
use crate::api::openapi::examples::{self, status};
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::api::{logs, parameters};
use crate::ops::Error;
use crate::ops::Shell;
use crate::protocol::{LogsResponse, ProcessStatus, RunsResponse};
use crate::runs;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// How many runs GET /runs lists by default.
const RUNS_DEFAULT: u64 = 20;

/// Routes that read.
pub const ROUTES: &[Route<Shell>] = &[
    Route::get("/logs", read_logs, |it| {
        let (run_id, last) = ("dcf70dd5071ec0f4".to_owned(), "0f4ec1705dd07fcd".to_owned());
        of_lines(it.does("logs", "logs", "Output of the last command", LOGS))
            .with([take::expected_run_id()])
            .refuses(Error::AnotherRun { run_id, last })
            .refuses(runs::Error::NeverStarted)
    }),
    Route::get("/runs", runs, |it| {
        let description = "Includes runs from before a restart of the server.";
        it.does("runs", "logs", "List runs", description)
            .with([take::runs_limit()])
            .answers::<RunsResponse>((200, "Newest first."), &json!({"runs": [status()]}))
    }),
    Route::get("/runs/{run_id}", one_run, |it| {
        it.does("run", "logs", "State of a run", "As `GET /status` gives it for the last one.")
            .with([take::run_id()])
            .answers::<ProcessStatus>((200, "Its state."), &status())
            .refuses(runs::Error::NoSuchRun { run_id: "dcf70dd5071ec0f4".to_owned() })
    }),
    Route::get("/runs/{run_id}/logs", run_logs, |it| {
        let run_id = "dcf70dd5071ec0f4".to_owned();
        of_lines(it.does("runLogs", "logs", "Output of a run", LOGS))
            .with([take::run_id()])
            .refuses(runs::Error::NoSuchRun { run_id: run_id.clone() })
            .refuses(runs::Error::LogGone { run_id })
    }),
];

fn of_lines(operation: Operation<'_>) -> Operation<'_> {
    operation
        .answers::<LogsResponse>((200, "The lines, in the requested form."), &examples::logs())
        .with(take::of_logs())
        .refuses(Error::Invalid(examples::EXCLUDED.to_owned()))
        .refuses(Error::TerminalGone { run_id: "dcf70dd5071ec0f4".to_owned() })
        .forms_of_logs()
}

const LOGS: &str = "All lines by default. A last line without newline (a prompt) is part of \
                    `content` but not counted as a line; with `after` it is in `prompt` instead.";

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
    // An invalid query is reported before a missing log.
    let query = LogRequest::read(request, LogOf::Run(&run_id))?;
    let source = Box::new(shell.log_of(&run_id)?);
    logs::answer(query, source, shell.streams(), request)
}
