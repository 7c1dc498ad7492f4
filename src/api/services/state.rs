//! Routes for the state, configuration and output of services.

use super::unknown;
use crate::api::log_query::{LogOf, LogRequest};
use crate::api::logs;
use crate::api::openapi::examples;
use crate::api::openapi::parameters as take;
use crate::api::route::Route;
use crate::ops::{Error, ServiceDetail, Services};
use crate::protocol::{ServiceLogs, ServiceStatus, SystemStatus};
use crate::runs;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::{Value, json};

/// Routes that read.
pub const ROUTES: &[Route<Services>] = &[
    Route::get("/supervisor/status", status, |it| {
        let description = "Each service, and totals.";
        it.does("status", "services", "State of all services", description)
            .answers::<SystemStatus>((200, "State of each."), &examples::system())
    }),
    Route::get("/supervisor/status/{service}", one_status, |it| {
        let description = "As in `GET /supervisor/status`.";
        it.does("serviceStatus", "services", "State of a service", description)
            .with([take::service()])
            .answers::<ServiceStatus>((200, "Its state."), &examples::service())
            .refuses(unknown())
    }),
    Route::get("/supervisor/services/{service}", detail, |it| {
        it.does("serviceDetail", "services", "Configuration of a service", DETAIL)
            .with([take::service()])
            .answers::<ServiceDetail>((200, "Its configuration and its last runs."), &example())
            .refuses(unknown())
    }),
    Route::get("/supervisor/logs/{service}", read_logs, |it| {
        let form = "The lines, in the requested form.";
        it.does("serviceLogs", "logs", "Output of a service", LOGS)
            .with([take::service(), take::run()])
            .with(take::of_logs())
            .answers::<ServiceLogs>((200, form), &examples::service_logs())
            .forms_of_logs()
            .refuses(Error::Invalid(examples::EXCLUDED.to_owned()))
            .refuses(runs::Error::LogGone { run_id: "dcf70dd5071ec0f4".to_owned() })
            .refuses(unknown())
    }),
];

const DETAIL: &str = "In the fields of the services file, with values that look secret masked as \
                      `***`; and how its last ten runs ended.";

const LOGS: &str = "The last 100 lines over all runs by default, each as `[YYYY-MM-DD HH:MM:SS] \
                    text`. A followed stream continues across restarts; as Server-Sent Events it \
                    has `event: run` where runs start and end.";

fn example() -> Value {
    json!({
        "service": "tts", "source": "file",
        "config": {
            "cmd": ["python3", "tts.py"], "cwd": ".", "env": {"API_TOKEN": "***"}, "env_file": null,
            "optional": false, "autostart": true, "port": 8001, "depends_on": {},
            "health_checks": {}, "start_seconds": 1.0, "start_timeout": 60.0,
            "restart_policy": {
                "mode": "on-failure", "max_restarts": 3, "backoff_seconds": 5.0,
                "backoff_multiplier": 2.0, "max_backoff_seconds": 60.0,
                "reset_after_seconds": 60.0,
            },
            "stop_signal": "SIGTERM", "stop_timeout": 10.0, "reload_signal": null, "pty": false,
            "log": {"max_bytes": null, "keep": null},
        },
        "exits": [{
            "run_id": "dcf70dd5071ec0f4", "stopped_at": "2026-01-02T03:04:05.678901Z",
            "exit_code": 1, "signal": null, "ended_by": "itself", "uptime": 12.3,
        }],
    })
}

fn status(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &services.status()))
}

fn one_status(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &services.one_status(request.param("service"))?))
}

fn detail(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &services.detail(request.param("service"))?))
}

fn read_logs(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let name = request.param("service").to_owned();
    services.supervisor().find(&name)?;
    let query = LogRequest::read(request, LogOf::Service)?;
    let source = services.log_of(&name, query.run_id.as_deref())?;
    logs::answer(query, source, services.streams(), request)
}
