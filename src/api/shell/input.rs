//! Routes that send signals, input and terminal sizes to the command.

use super::ended;
use crate::api::input::{self, Input};
use crate::api::openapi::examples::status;
use crate::api::openapi::parameters as take;
use crate::api::route::{Api, Route, Verb};
use crate::ops::Shell;
use crate::protocol::{ProcessStatus, Scope, Size, StdinRequest, StdinResponse};
use crate::runs;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// Routes that send something to the command.
pub const ROUTES: &[Route<Shell>] = &[
    Route::post(Scope::Operate, "/signal", signal, |it| {
        it.does(
            "signal",
            "command",
            "Send a signal",
            "Sends it to the whole process tree, without waiting for its effect.",
        )
        .with([take::signal_type()])
        .answers::<ProcessStatus>((200, "Its state."), &status())
        .refuses(runs::Error::NeverStarted)
        .refuses(ended())
    }),
    Route::of_api(Verb::Post, Scope::Run, "/stdin", stdin, |it| {
        let closed =
            runs::Error::StdinNotOpen { pid: 4242, how: "\"stdin\": true or \"pty\": true" };
        it.does("writeStdin", "command", "Write to stdin", STDIN)
            .reads::<StdinRequest>(&json!({"data": "y\n", "eof": false}))
            .or_nothing()
            .reads_raw(&["text/plain", "application/octet-stream"])
            .answers::<StdinResponse>((200, "Number of bytes written."), &json!({"written": 2}))
            .refuses(runs::Error::NeverStarted)
            .refuses(ended())
            .refuses(closed)
    })
    .with_key_in_handler(),
    Route::post(Scope::Operate, "/resize", resize, |it| {
        let summary = "Resize the terminal";
        it.does("resize", "command", summary, "For a command started with `pty`.")
            .reads::<Size>(&json!({"rows": 24, "cols": 80}))
            .answers::<ProcessStatus>((200, "Its state."), &status())
            .refuses(runs::Error::NeverStarted)
            .refuses(ended())
            .refuses(runs::Error::NoTerminal { pid: 4242 })
    }),
];

const STDIN: &str = "The body as it is; with `Content-Type: application/json` its `data` and \
                     `keys`, and `eof` closes stdin after them. If the program does not read for \
                     5 s, `written` is less than was sent.";

fn signal(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let signal = input::signal(request)?;
    Ok(Reply::json(StatusCode::OK, &shell.signal(request, signal)?))
}

fn stdin(api: &Api<Shell>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let permit = api.ops.streams().take()?;
    api.answers.once(request, input::STDIN_BYTES_MAX, None, |request| {
        let Input { data, keys, ends } = input::input(request)?;
        let data = api.ops.with_keys(data, &keys)?;
        let written = api.ops.write_stdin(request, &permit, &data, ends)?;
        Ok(Reply::json(StatusCode::OK, &StdinResponse { written }))
    })
}

fn resize(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let size = input::size(request)?;
    Ok(Reply::json(StatusCode::OK, &shell.resize(request, size)?))
}
