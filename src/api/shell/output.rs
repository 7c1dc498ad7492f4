//! Routes for the output of commands, and for past runs.

use super::{another, no_such};
use crate::api::log_query::{LogOf, LogRequest};
use crate::api::openapi::Operation;
use crate::api::openapi::examples::{self, status};
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::api::{events, logs, parameters};
use crate::ops::{Error, RunSource, RunsQuery, Shell, WaitFor, Which};
use crate::protocol::{LogsResponse, RunEventBody, RunStatus, RunsResponse, RunsWaitResponse};
use crate::runs::{self, FoundRun};
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// How many runs GET /runs lists by default.
const RUNS_DEFAULT: u64 = 20;

/// Routes that read.
pub const ROUTES: &[Route<Shell>] = &[
    Route::get("/logs", read_logs, |it| {
        of_lines(it.does("logs", "logs", "Output of the last command", LOGS))
            .with([take::expected_run_id()])
            .refuses(another())
            .refuses(runs::Error::NeverStarted)
    }),
    Route::get("/runs", runs, |it| {
        let description = "Includes runs from before a restart of the server.";
        it.does("runs", "runs", "List runs", description)
            .with(take::of_runs())
            .answers::<RunsResponse>(
                (200, "Newest first."),
                &json!({"runs": [status()], "total": 1, "next": null}),
            )
            .refuses(no_such())
    }),
    Route::get("/runs/wait", wait_for_runs, |it| {
        let ended = json!({"runs": [status()], "ended": ["dcf70dd5071ec0f4"]});
        it.does("waitForRuns", "runs", "Wait for several runs", WAIT)
            .with(take::of_runs_wait())
            .answers::<RunsWaitResponse>((200, "Their states."), &ended)
            .refuses(no_such())
    }),
    Route::get("/events", events::of_runs, |it| {
        it.does("runEvents", "runs", "Stream events", EVENTS)
            .with([take::last_event_id("Resumes after this event.")])
            .refers_to::<RunEventBody>()
            .answers_text((200, "A stream that does not end."), "text/event-stream", EVENT)
    }),
    Route::get("/runs/{run}/logs", run_logs, |it| {
        let run_id = "dcf70dd5071ec0f4".to_owned();
        of_lines(it.does("runLogs", "logs", "Output of a run", LOGS))
            .with([take::named_run()])
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

const WAIT: &str = "Answers when all of them have ended, or with `for=any` one of them, or when \
                    the wait is over.";

const EVENTS: &str = "Server-Sent Events: `start`, `prompt` (a run has printed a line without a \
                      newline, and then nothing) and `end`, each with a `RunEventBody`; `missed` \
                      if events were dropped. After a reconnection the open prompts are sent \
                      again.";

const EVENT: &str = "id: 7\nevent: end\ndata: {\"run_id\":\"dcf70dd5071ec0f4\",\
                     \"name\":null,\"command\":\"make\",\"process_pid\":4242,\
                     \"at\":\"2026-01-02T03:04:05.678901Z\",\"status\":\"exited\",\
                     \"exit_code\":0,\"signal\":null,\"ended_by\":\"itself\"}\n\n";

fn read_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let run = shell.last_run()?;
    let query = LogRequest::read(request, LogOf::LastRun(run.id()))?;
    let source = Box::new(RunSource::of_view(run));
    logs::answer(query, source, shell.streams(), request)
}

fn runs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let limit = parameters::count(&mut query, "limit")?.unwrap_or(RUNS_DEFAULT);
    let (before, name) = (query.take("before"), query.take("name"));
    let states: Vec<_> = RunStatus::ALL.iter().map(|status| (status.as_str(), *status)).collect();
    let status = parameters::choice(&mut query, "status", &states)?;
    query.finish()?;
    let runs = shell.list(RunsQuery { limit, before, name, status })?;
    Ok(Reply::json(StatusCode::OK, &runs))
}

fn wait_for_runs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query_with_repeated(&["run"])?;
    let names = query.take_all("run");
    let choices = [("any", WaitFor::Any), ("all", WaitFor::All)];
    let wanted = parameters::choice(&mut query, "for", &choices)?.unwrap_or(WaitFor::All);
    let wait = parameters::wait(&mut query, "wait")?.unwrap_or_default();
    query.finish()?;
    let waited = shell.wait_for_runs(request, &names, wanted, wait)?;
    Ok(Reply::json(StatusCode::OK, &waited))
}

fn run_logs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let named = request.param("run");
    // An invalid query is reported before a missing run.
    LogRequest::read(request, LogOf::Run(named))?;
    let found = shell.find(Which::Run(named))?;
    let run_id = match &found {
        FoundRun::Managed(found) => found.run.id(),
        FoundRun::Past(past) => &past.record.run_id,
    };
    let query = LogRequest::read(request, LogOf::Run(run_id))?;
    let source = Box::new(shell.log_of(found)?);
    logs::answer(query, source, shell.streams(), request)
}
