//! Routes of sessions: shells that keep their state, and run one command at a time.

use super::no_such;
use crate::api::openapi::examples::logs;
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::api::{body, parameters};
use crate::logs::Range;
use crate::ops::{Escapes, ExecSource, LogQuery, Shell, Until, fitting_wait};
use crate::protocol::{ExecRequest, ExecResponse, Scope};
use crate::runs;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::{Value, json};

/// Routes of sessions.
pub const ROUTES: &[Route<Shell>] = &[
    Route::post(Scope::Run, "/runs/{run}/exec", exec, |it| {
        let run_id = "dcf70dd5071ec0f4".to_owned();
        it.does("exec", "runs", "Run a command in a session", EXEC)
            .with([take::named_run()])
            .reads::<ExecRequest>(&json!({"command": "cd src && ls", "wait": 30}))
            .answers::<ExecResponse>((200, "Its state."), &example())
            .refuses(no_such())
            .refuses(runs::Error::SessionBusy { number: 3 })
            .refuses(runs::Error::NoSession { run_id })
    })
    .with_key(),
    Route::get("/runs/{run}/exec", last_exec, |it| {
        let run_id = "dcf70dd5071ec0f4".to_owned();
        it.does("lastExec", "runs", "Last command of a session", LAST_EXEC)
            .with([take::named_run()])
            .with(take::of_exec())
            .answers::<ExecResponse>((200, "Its state."), &example())
            .refuses(no_such())
            .refuses(runs::Error::NoCommand { run_id: run_id.clone() })
            .refuses(runs::Error::NoSession { run_id })
    }),
];

const EXEC: &str = "A session is started by `POST /runs` with `\"session\": true`. Directory, \
                    variables, functions and aliases last from one command to the next. Answers \
                    at once, or with `wait` when the command has ended (or `until` says so). Its \
                    stdin is empty unless `stdin` is true. SIGINT to the run interrupts the \
                    command, not the session; `exit` ends the session.";

const LAST_EXEC: &str = "The command that is running, or ran last: for one that a wait ran out on.";

fn example() -> Value {
    json!({
        "number": 3, "exit_code": 0, "cwd": "/home/ann/src", "running": false,
        "session_ended": false, "output": logs(),
    })
}

fn exec(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body: ExecRequest = body::json(request, "{\"command\": \"cd src && ls\"}")?;
    let wait = fitting_wait("wait", body.wait)?;
    let until = parameters::until_of(body.until.as_deref(), wait, request)?;
    let until = until.unwrap_or(Until::End);
    // Validates the size before the command is started.
    output_query(request, 0, body.max_bytes)?;
    let _permit = wait.map(|_| shell.streams().take()).transpose()?;
    let source = shell.exec(request, request.param("run"), &body)?;
    let query = output_query(request, source.after(), body.max_bytes)?;
    let waits = wait.map(|wait| (&until, wait));
    Ok(Reply::json(StatusCode::OK, &source.answer(request, waits, query)?))
}

fn last_exec(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let wait = parameters::wait(&mut query, "wait")?;
    let until = parameters::until(&mut query, wait, request)?.unwrap_or(Until::End);
    let bytes_max = parameters::count(&mut query, "max_bytes")?;
    query.finish()?;
    output_query(request, 0, bytes_max)?;
    let source: ExecSource = shell.last_exec(request.param("run"))?;
    let _permit = wait.map(|_| shell.streams().take()).transpose()?;
    let query = output_query(request, source.after(), bytes_max)?;
    let waits = wait.map(|wait| (&until, wait));
    Ok(Reply::json(StatusCode::OK, &source.answer(request, waits, query)?))
}

/// Returns the query of a command's output.
fn output_query(
    request: &Request<'_>,
    after: u64,
    bytes_max: Option<u64>,
) -> Result<LogQuery, Problem> {
    let path = format!("/runs/{}/logs", request.param("run"));
    Ok(LogQuery::of_output(path, Range::After(after), bytes_max, Escapes::Kept)?)
}
