//! What the document tells of the LLM Shell's own routes.

use super::examples::{kill, logs, status};
use super::parameters as take;
use super::route::Route;
use crate::error::Error;
use crate::protocol::{
    HealthResponse, KillResponse, LogsResponse, ProcessStatus, RunsResponse, Size, StartRequest,
    StartResponse, StdinRequest, StdinResponse,
};
use serde_json::json;

/// The groups of routes, with what they are for.
pub const TAGS: [(&str, &str); 3] = [
    ("command", "The one command that runs, or ran last."),
    ("logs", "What was printed."),
    ("server", "The server itself."),
];

/// The text that is made for a model to read.
const TOLD: &str = "[run dcf70dd5071ec0f4 | exited, exit code 0 | pid 4242 | 0.1 s | lines 1-1 of \
                    1]\nHello World\n[ended: POST /start runs the next command]\n";

/// One problem of each kind that many routes share.
fn ended() -> Error {
    Error::NotRunning { pid: 4242, how: "by itself, with exit code 0".to_owned() }
}

fn no_run() -> Error {
    Error::NoSuchRun { run_id: "dcf70dd5071ec0f4".to_owned() }
}

fn log_gone() -> Error {
    Error::LogGone { run_id: "dcf70dd5071ec0f4".to_owned() }
}

fn another_run() -> Error {
    let (run_id, last) = ("dcf70dd5071ec0f4".to_owned(), "0f4ec1705dd07fcd".to_owned());
    Error::AnotherRun { run_id, last }
}

/// Every route of the LLM Shell that Astra does not have likewise.
pub fn routes() -> Vec<Route> {
    let all: [Vec<Route>; 5] =
        [beginning().into(), ending().into(), talking().into(), reading().into(), about().into()];
    all.into_iter().flatten().collect()
}

fn beginning() -> [Route; 2] {
    let (run_id, command) = ("dcf70dd5071ec0f4".to_owned(), "make -j4".to_owned());
    let busy = Error::AlreadyRunning { pid: 4242, run_id, command };
    let output = logs();
    let mut waited = status();
    waited["output"] = output;
    [
        Route::post("/start", "start")
            .does("command", "Run a command", START)
            .reads::<StartRequest>(&json!({"command": "make -j4", "timeout": 600, "wait": 30}))
            .answers::<ProcessStatus>((201, "It runs."), &status())
            .or_answers::<StartResponse>(
                (201, "With `wait`: it has ended, or time is up."),
                &waited,
            )
            .answers_text((201, ""), "text/plain", TOLD)
            .refuses(Error::CommandBlank)
            .refuses(busy)
            .once(),
        Route::get("/status", "status")
            .does("command", "How the last command is", STATUS)
            .with([take::wait("Answers when it has ended, or after so many seconds.")])
            .answers::<ProcessStatus>((200, "Its state."), &status())
            .answers_text((200, ""), "text/plain", TOLD)
            .refuses(Error::NeverStarted),
    ]
}

fn ending() -> [Route; 2] {
    [
        Route::post("/kill", "kill")
            .does("command", "End the command", KILL)
            .with([take::kill_type()])
            .answers::<KillResponse>((200, "All of it is gone, but for `left`."), &kill())
            .refuses(Error::AlreadyEnded { pid: 4242, how: "by a kill, with SIGTERM".to_owned() })
            .refuses(Error::NeverStarted)
            .once(),
        Route::post("/restart", "restart")
            .does("command", "End the command and start it again", RESTART)
            .with([take::timeout()])
            .answers::<ProcessStatus>((200, "It runs again."), &status())
            .refuses(Error::NeverStarted)
            .refuses(Error::RestartCancelled)
            .once(),
    ]
}

fn talking() -> [Route; 3] {
    let closed = Error::StdinNotOpen { pid: 4242, how: "\"stdin\": true or \"pty\": true" };
    [
        Route::post("/signal", "signal")
            .does("command", "Send a signal", "To the whole tree, without waiting.")
            .with([take::signal_type()])
            .answers::<ProcessStatus>((200, "It was sent."), &status())
            .refuses(Error::NeverStarted)
            .refuses(ended()),
        Route::post("/stdin", "writeStdin")
            .does("command", "Write to the command's input", STDIN)
            .reads::<StdinRequest>(&json!({"data": "y\n", "eof": false}))
            .or_nothing()
            .reads_raw(&["text/plain", "application/octet-stream"])
            .answers::<StdinResponse>((200, "So much was taken."), &json!({"written": 2}))
            .refuses(Error::NeverStarted)
            .refuses(ended())
            .refuses(closed)
            .once(),
        Route::post("/resize", "resize")
            .does("command", "Give the command's terminal another size", "For one with a `pty`.")
            .reads::<Size>(&json!({"rows": 24, "cols": 80}))
            .answers::<ProcessStatus>((200, "It has that size."), &status())
            .refuses(Error::NeverStarted)
            .refuses(ended())
            .refuses(Error::NoTerminal { pid: 4242 }),
    ]
}

fn reading() -> [Route; 4] {
    let told = || (200, "The lines, in the form that was asked for.");
    let lines = |route: Route| {
        route
            .answers::<LogsResponse>(told(), &logs())
            .with(take::of_logs())
            .refuses(Error::Input(super::examples::EXCLUDED.to_owned()))
            .forms_of_logs()
    };
    [
        lines(
            Route::get("/logs", "logs")
                .does("logs", "What the last command printed", LOGS)
                .with([take::expected_run_id()]),
        )
        .refuses(another_run())
        .refuses(Error::NeverStarted),
        Route::get("/runs", "runs")
            .does("logs", "The runs that were", "Those before a restart of the server too.")
            .with([take::runs_limit()])
            .answers::<RunsResponse>((200, "The newest first."), &json!({"runs": [status()]})),
        Route::get("/runs/{run_id}", "run")
            .does("logs", "One run", "As `GET /status` tells of the last.")
            .with([take::run_id()])
            .answers::<ProcessStatus>((200, "Its state."), &status())
            .refuses(no_run()),
        lines(
            Route::get("/runs/{run_id}/logs", "runLogs")
                .does("logs", "What a run printed", LOGS)
                .with([take::run_id()]),
        )
        .refuses(no_run())
        .refuses(log_gone()),
    ]
}

fn about() -> [Route; 1] {
    let version = env!("CARGO_PKG_VERSION");
    let well = json!({"status": "healthy", "version": version, "uptime": 60});
    [Route::get("/health", "health")
        .does("server", "Whether the server is up", "Needs no credentials.")
        .answers::<HealthResponse>((200, "It is up."), &well)
        .open()]
}

const START: &str = "Runs it with the shell (`LLM_SHELL_SHELL`, with `-c`). Standard output and \
                     standard error go to one log. Answers at once, or with `wait` when it has \
                     ended, and then with its `output`. With `Accept: text/plain` the answer is a \
                     text that is made for a model to read.";

const STATUS: &str = "`running`, `exited` by itself, or `killed`; CPU and memory are those of its \
                      whole tree. With `Accept: text/plain` a text that is made for a model to \
                      read.";

const KILL: &str = "Sends the signal to every process that the command started, and after the \
                    grace (`LLM_SHELL_KILL_TIMEOUT`) SIGKILL to what is left. Also ends what an \
                    ended command left behind. Cancels the start of a restart that is under way.";

const RESTART: &str = "Ends it as `POST /kill` does, and starts the same command with a new log; \
                       also when it had ended.";

const STDIN: &str = "The body as it is, unless its Content-Type is `application/json`; then \
                     `data`, and the end of the input behind it with `eof`. A program that does \
                     not read for 5 s: `written` says how much it has taken.";

const LOGS: &str = "All lines, unless a parameter chooses some. A last line that has not ended (a \
                    prompt) is part of `content`, and not of the counts.";
