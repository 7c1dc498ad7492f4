//! Routes that send signals, input and terminal sizes to runs.

use super::{another, ended, no_such, run_of};
use crate::api::input::{self, Input};
use crate::api::openapi::Operation;
use crate::api::openapi::examples::{logs, status};
use crate::api::openapi::parameters as take;
use crate::api::route::{Api, Route, Verb};
use crate::ops::Shell;
use crate::protocol::{ProcessStatus, Scope, Size, StdinRequest, StdinResponse};
use crate::runs;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// Routes that send something to a run.
pub const ROUTES: &[Route<Shell>] = &[
    Route::post(Scope::Operate, "/signal", signal, |it| {
        signalled(it.does("signal", "command", "Send a signal", SIGNAL))
            .with([take::expected_run_id()])
            .refuses(runs::Error::NeverStarted)
            .refuses(another())
    }),
    Route::post(Scope::Operate, "/runs/{run}/signal", signal, |it| {
        signalled(it.does("signalRun", "runs", "Send a signal to a run", SIGNAL))
            .with([take::named_run()])
            .refuses(no_such())
    }),
    Route::of_api(Verb::Post, Scope::Run, "/stdin", stdin, |it| {
        written(it.does("writeStdin", "command", "Write to stdin", STDIN))
            .with([take::expected_run_id()])
            .refuses(runs::Error::NeverStarted)
            .refuses(another())
    })
    .with_key_in_handler(),
    Route::of_api(Verb::Post, Scope::Run, "/runs/{run}/stdin", stdin, |it| {
        written(it.does("writeRunStdin", "runs", "Write to the stdin of a run", STDIN))
            .with([take::named_run()])
            .refuses(no_such())
    })
    .with_key_in_handler(),
    Route::post(Scope::Operate, "/resize", resize, |it| {
        resized(it.does("resize", "command", "Resize the terminal", RESIZE))
            .with([take::expected_run_id()])
            .refuses(runs::Error::NeverStarted)
            .refuses(another())
    }),
    Route::post(Scope::Operate, "/runs/{run}/resize", resize, |it| {
        resized(it.does("resizeRun", "runs", "Resize the terminal of a run", RESIZE))
            .with([take::named_run()])
            .refuses(no_such())
    }),
];

const SIGNAL: &str = "Sends it to the whole process tree, without waiting for its effect.";

const STDIN: &str = "The body as it is; with `Content-Type: application/json` its `data` and \
                     `keys`, and `eof` closes stdin after them. If the program does not read for \
                     5 s, `written` is less than was sent. With `wait` the answer comes when a \
                     line was printed since (or `until` says so), and has the `output`; the echo \
                     of a terminal does not count.";

const RESIZE: &str = "For a command started with `pty`.";

fn signalled(operation: Operation<'_>) -> Operation<'_> {
    operation
        .with([take::signal_type()])
        .answers::<ProcessStatus>((200, "Its state."), &status())
        .refuses(ended())
}

fn written(operation: Operation<'_>) -> Operation<'_> {
    let closed = runs::Error::StdinNotOpen { pid: 4242, how: "\"stdin\": true or \"pty\": true" };
    operation
        .with(take::of_input())
        .reads::<StdinRequest>(&json!({"data": "y\n", "eof": false}))
        .or_nothing()
        .reads_raw(&["text/plain", "application/octet-stream"])
        .answers::<StdinResponse>((200, "Number of bytes written."), &json!({"written": 2}))
        .or_answers::<StdinResponse>(
            (200, "With `wait`."),
            &json!({"written": 2, "output": logs()}),
        )
        .refuses(ended())
        .refuses(closed)
}

fn resized(operation: Operation<'_>) -> Operation<'_> {
    operation
        .reads::<Size>(&json!({"rows": 24, "cols": 80}))
        .answers::<ProcessStatus>((200, "Its state."), &status())
        .refuses(ended())
        .refuses(runs::Error::NoTerminal { pid: 4242 })
}

fn signal(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let run = run_of(request, &mut query);
    let signal = input::signal(query)?;
    Ok(Reply::json(StatusCode::OK, &shell.signal(request, run.which(), signal)?))
}

fn stdin(api: &Api<Shell>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let permit = api.ops.streams().take()?;
    api.answers.once(request, input::STDIN_BYTES_MAX, None, |request| {
        let mut query = request.query()?;
        let run = run_of(request, &mut query);
        let mut input = Input::read(request, query)?;
        let data = api.ops.with_keys(run.which(), std::mem::take(&mut input.data), &input.keys)?;
        let written = api.ops.write_stdin(request, &permit, run.which(), &data, input.ends)?;
        let path = format!("/runs/{}/logs", written.run.id());
        Ok(Reply::json(StatusCode::OK, &input.answer(request, &written, path)?))
    })
}

fn resize(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let run = run_of(request, &mut query);
    let size = input::size(request, query)?;
    Ok(Reply::json(StatusCode::OK, &shell.resize(request, run.which(), size)?))
}
