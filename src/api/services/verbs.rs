//! Routes that start, stop, restart and reload services.

use super::{in_state, unknown};
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::api::{body, parameters};
use crate::ops::Error;
use crate::ops::Services;
use crate::protocol::{
    BulkRequest, BulkResponse, ReloadRequest, Scope, ServiceRequest, ServiceState, StopRequest,
    VerbResponse,
};
use crate::supervisor;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::{Value, json};
use std::time::Duration;

/// Routes that act on services.
pub const ROUTES: &[Route<Services>] = &[
    Route::post(Scope::Operate, "/supervisor/start", start, |it| {
        it.does("startService", "services", "Start a service", START)
            .with([wait()])
            .reads::<ServiceRequest>(&json!({"name": "tts", "config": {"env": {"DEBUG": "1"}}}))
            .answers::<VerbResponse>(
                (200, "It is starting."),
                &begun("starting", "tts is starting."),
            )
            .refuses(unknown())
            .refuses(in_state(ServiceState::Running, "restart it, or leave it as it is"))
    })
    .with_key(),
    Route::post(Scope::Operate, "/supervisor/stop", stop, |it| {
        it.does("stopService", "services", "Stop a service", STOP)
            .with([wait()])
            .reads::<StopRequest>(&json!({"name": "tts"}))
            .answers::<VerbResponse>(
                (200, "It is stopping."),
                &begun("stopping", "tts is stopping."),
            )
            .refuses(unknown())
            .refuses(in_state(ServiceState::Stopped, "start it, or leave it as it is"))
    })
    .with_key(),
    Route::post(Scope::Operate, "/supervisor/restart", restart, |it| {
        let answer = begun("restarting", "tts is restarting.");
        it.does("restartService", "services", "Restart a service", RESTART)
            .with([wait()])
            .reads::<ServiceRequest>(&json!({"name": "tts"}))
            .answers::<VerbResponse>((200, "It is restarting."), &answer)
            .refuses(unknown())
    })
    .with_key(),
    Route::delete(Scope::Run, "/supervisor/services/{service}", remove, |it| {
        it.does("removeService", "services", "Remove an added service", REMOVE)
            .with([take::service(), take::wait(REMOVE_WAIT_TEXT)])
            .answers_nothing((204, "It is stopped, with all of its processes, and removed."))
            .refuses(unknown())
            .refuses(supervisor::Error::InFile { name: "tts".to_owned() })
    }),
    Route::post(Scope::Operate, "/supervisor/reload", reload, |it| {
        let fault = "astra_services.json:3:5: tts.cmd: is empty: give a command to run.";
        let answer = begun("reloading", "tts has no changes.");
        it.does("reload", "services", "Reload the services file", RELOAD)
            .with([wait()])
            .reads::<ReloadRequest>(&json!({"name": "tts", "type": "config"}))
            .or_nothing()
            .answers::<VerbResponse>((200, "Changes are being applied."), &answer)
            .refuses(Error::Invalid(fault.to_owned()))
            .refuses(unknown())
            .refuses(supervisor::Error::NotInFile { name: "tts".to_owned() })
    })
    .with_key(),
    Route::post(Scope::Operate, "/supervisor/bulk", bulk, |it| {
        let request = json!({"action": "restart", "services": ["tts", "web"], "parallel": true});
        let operations = json!([
            {"service": "tts", "status": "restarting"},
            {"service": "wbe", "status": "error", "detail": unknown().to_string()},
        ]);
        it.does("bulk", "services", "Act on several services", BULK)
            .with([wait()])
            .reads::<BulkRequest>(&request)
            .answers::<BulkResponse>(
                (200, "Outcome for each service; a refused one does not stop the others."),
                &json!({"status": "processing", "operations": operations}),
            )
    })
    .with_key(),
];

const START: &str = "Starts its dependencies first. `config` overrides any field of the services \
                     file for this run and its automatic restarts. A new name with a `cmd` adds a \
                     service until it is removed or the supervisor ends.";

const STOP: &str = "Ends its whole process tree, and cancels a pending restart.";

const RESTART: &str = "Stops it and starts it again; starts it if it is down. `config` as in \
                       `POST /supervisor/start`.";

const REMOVE: &str = "Stops a service that was added over the API, and removes it; answers when \
                      it is gone. Its log stays on disk. One that the file defines is removed \
                      there.";

/// The default wait for the removal of a service.
const REMOVE_WAIT: Duration = Duration::from_mins(1);

const REMOVE_WAIT_TEXT: &str = "Seconds to wait until it is gone (60); 409 if it is then still \
                                stopping, and it is removed later.";

const RELOAD: &str = "`config` applies what changed in the file for this service, or for all \
                      without a name; `code` restarts the service with its present configuration. \
                      An invalid file changes nothing and is answered with all of its errors.";

const BULK: &str = "In the order of their dependencies. With `\"parallel\": false` one after \
                    another, each waiting until the one before has settled. With `wait` the \
                    status is `completed` or `failed`.";

fn wait() -> Value {
    take::wait("Seconds to wait until the service has settled; the answer then has its state.")
}

fn begun(status: &str, message: &str) -> Value {
    json!({"status": status, "service": "tts", "message": message})
}

fn start(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let body: ServiceRequest = body::json(request, "{\"name\": \"tts\"}")?;
    Ok(Reply::json(StatusCode::OK, &services.start(request, body, wait)?))
}

fn stop(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let body: StopRequest = body::json(request, "{\"name\": \"tts\"}")?;
    Ok(Reply::json(StatusCode::OK, &services.stop(request, body, wait)?))
}

fn restart(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let body: ServiceRequest = body::json(request, "{\"name\": \"tts\"}")?;
    Ok(Reply::json(StatusCode::OK, &services.restart(request, body, wait)?))
}

fn remove(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?.unwrap_or(REMOVE_WAIT);
    let name = request.param("service").to_owned();
    services.remove(request, &name, wait)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn reload(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let example = "{\"name\": \"tts\", \"type\": \"config\"}";
    let body: ReloadRequest = body::json_or_nothing(request, example)?.unwrap_or_default();
    Ok(Reply::json(StatusCode::OK, &services.reload(request, body, wait)?))
}

fn bulk(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let example = "{\"action\": \"restart\", \"services\": [\"tts\"], \"parallel\": true}";
    let body: BulkRequest = body::json(request, example)?;
    Ok(Reply::json(StatusCode::OK, &services.bulk(request, body, wait)?))
}

fn wait_parameter(request: &Request<'_>) -> Result<Option<Duration>, Problem> {
    let mut query = request.query()?;
    let wait = parameters::wait(&mut query, "wait")?;
    query.finish()?;
    Ok(wait)
}
