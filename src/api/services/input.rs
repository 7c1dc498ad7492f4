//! Routes that send signals and input to services.

use super::{in_state, unknown};
use crate::api::input::{self, Input};
use crate::api::openapi::examples;
use crate::api::openapi::parameters as take;
use crate::api::route::{Api, Route, Verb};
use crate::ops::Error;
use crate::ops::Services;
use crate::protocol::{Scope, ServiceState, ServiceStatus, StdinRequest, StdinResponse};
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// Routes that send something to a service.
pub const ROUTES: &[Route<Services>] = &[
    Route::of_api(Verb::Post, Scope::Run, "/supervisor/stdin/{service}", stdin, |it| {
        let (summary, description) = (
            "Write to a service's terminal",
            "For a service with `\"pty\": true`; as `POST /stdin` of the LLM Shell.",
        );
        it.does("writeServiceStdin", "services", summary, description)
            .with([take::service()])
            .with(take::of_input())
            .reads::<StdinRequest>(&json!({"data": "y\n", "eof": false}))
            .or_nothing()
            .reads_raw(&["text/plain", "application/octet-stream"])
            .answers::<StdinResponse>((200, "Number of bytes written."), &json!({"written": 2}))
            .refuses(unknown())
            .refuses(Error::ServiceInput { name: "tts".to_owned() })
    })
    .with_key_in_handler(),
    Route::post(Scope::Operate, "/supervisor/signal/{service}", signal, |it| {
        let description = "Sends it to the whole process tree, without waiting for its effect.";
        it.does("signalService", "services", "Send a signal to a service", description)
            .with([take::service(), take::signal_type()])
            .answers::<ServiceStatus>((200, "Its state."), &examples::service())
            .refuses(unknown())
            .refuses(in_state(ServiceState::Stopped, "start it first"))
    }),
];

fn signal(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let signal = input::signal(request.query()?)?;
    Ok(Reply::json(StatusCode::OK, &services.signal(request, request.param("service"), signal)?))
}

fn stdin(api: &Api<Services>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let name = request.param("service").to_owned();
    let permit = api.ops.begin_write(request, &name)?;
    api.answers.once(request, input::STDIN_BYTES_MAX, None, |request| {
        let mut input = Input::read(request, request.query()?)?;
        let data = api.ops.with_keys(&name, std::mem::take(&mut input.data), &input.keys)?;
        let written = api.ops.write_stdin(request, &permit, &name, &data, input.ends)?;
        let path = format!("/supervisor/logs/{name}");
        Ok(Reply::json(StatusCode::OK, &input.answer(request, &written, path)?))
    })
}
