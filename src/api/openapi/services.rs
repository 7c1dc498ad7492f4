//! What the document tells of Astra's own routes.

use super::examples::{service, service_logs, system};
use super::parameters as take;
use super::route::Route;
use crate::api::service_detail::ServiceDetail;
use crate::error::Error;
use crate::protocol::{
    BulkRequest, BulkResponse, EventBody, MetricsResponse, ReloadRequest, ServiceHealth,
    ServiceLogs, ServiceRequest, ServiceState, ServiceStatus, StdinRequest, StdinResponse,
    StopRequest, SupervisorHealth, SystemStatus, VerbResponse,
};
use serde_json::{Value, json};

/// The groups of routes, with what they are for.
pub const TAGS: [(&str, &str); 4] = [
    ("services", "What is supervised, and what is done to it."),
    ("logs", "What was printed."),
    ("watching", "Health, metrics and events."),
    ("server", "The supervisor itself."),
];

/// Another prefix of the same routes, as the address of a server.
pub const OTHER_PREFIX: &str = "/api";

fn unknown() -> Error {
    Error::NoSuchService { name: "tss".to_owned(), known: vec!["tts".to_owned(), "web".to_owned()] }
}

/// What is said of a service's configuration.
const DETAIL: &str = "In the fields of the services file, with values that look secret masked; and \
                      how its last ten runs ended.";

fn detail() -> Value {
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

fn in_state(state: ServiceState, advice: &'static str) -> Error {
    Error::ServiceState { name: "tts".to_owned(), state, advice }
}

fn wait() -> Value {
    take::wait("Answers when the service has settled, or after so many seconds.")
}

fn begun(status: &str, message: &str) -> Value {
    json!({"status": status, "service": "tts", "message": message})
}

/// Every route of Astra that the LLM Shell does not have likewise.
pub fn routes() -> Vec<Route> {
    let all: [Vec<Route>; 5] =
        [telling().into(), verbs().into(), several().into(), watching().into(), talking().into()];
    all.into_iter().flatten().collect()
}

fn telling() -> [Route; 4] {
    [
        Route::get("/supervisor/status", "status")
            .does("services", "How everything is", "Every service, and all of them together.")
            .answers::<SystemStatus>((200, "The state of each."), &system()),
        Route::get("/supervisor/status/{service}", "serviceStatus")
            .does("services", "How a service is", "One of those of `GET /supervisor/status`.")
            .with([take::service()])
            .answers::<ServiceStatus>((200, "Its state."), &service())
            .refuses(unknown()),
        Route::get("/supervisor/services/{service}", "serviceDetail")
            .does("services", "What a service is run by", DETAIL)
            .with([take::service()])
            .answers::<ServiceDetail>((200, "Its configuration and its last ends."), &detail())
            .refuses(unknown()),
        Route::get("/supervisor/logs/{service}", "serviceLogs")
            .does("logs", "What a service printed", LOGS)
            .with([take::service(), take::run()])
            .with(take::of_logs())
            .answers::<ServiceLogs>((200, "The lines, in the form asked for."), &service_logs())
            .forms_of_logs()
            .refuses(Error::Input(super::examples::EXCLUDED.to_owned()))
            .refuses(Error::LogGone { run_id: "dcf70dd5071ec0f4".to_owned() })
            .refuses(unknown()),
    ]
}

fn verbs() -> [Route; 3] {
    [
        Route::post("/supervisor/start", "startService")
            .does("services", "Start a service", START)
            .with([wait()])
            .reads::<ServiceRequest>(&json!({"name": "tts", "config": {"env": {"DEBUG": "1"}}}))
            .answers::<VerbResponse>((200, "It starts."), &begun("starting", "tts is starting."))
            .refuses(unknown())
            .refuses(in_state(ServiceState::Running, "restart it, or leave it as it is"))
            .once(),
        Route::post("/supervisor/stop", "stopService")
            .does("services", "Stop a service", STOP)
            .with([wait()])
            .reads::<StopRequest>(&json!({"name": "tts"}))
            .answers::<VerbResponse>((200, "It stops."), &begun("stopping", "tts is stopping."))
            .refuses(unknown())
            .refuses(in_state(ServiceState::Stopped, "start it, or leave it as it is"))
            .once(),
        Route::post("/supervisor/restart", "restartService")
            .does("services", "Restart a service", RESTART)
            .with([wait()])
            .reads::<ServiceRequest>(&json!({"name": "tts"}))
            .answers::<VerbResponse>(
                (200, "It is started again."),
                &begun("restarting", "tts is restarting."),
            )
            .refuses(unknown())
            .once(),
    ]
}

fn several() -> [Route; 2] {
    let bulk = json!({"action": "restart", "services": ["tts", "web"], "parallel": true});
    let operations = json!([
        {"service": "tts", "status": "restarting"},
        {"service": "wbe", "status": "error", "detail": unknown().to_string()},
    ]);
    let fault =
        "The services file has a fault at line 3, column 5 (tts.cmd: it is empty): mend it.";
    [
        Route::post("/supervisor/reload", "reload")
            .does("services", "Read the services file again", RELOAD)
            .with([wait()])
            .reads::<ReloadRequest>(&json!({"name": "tts", "type": "config"}))
            .or_nothing()
            .answers::<VerbResponse>(
                (200, "What has changed is applied."),
                &begun("reloading", "tts has no changes."),
            )
            .refuses(Error::Input(fault.to_owned()))
            .refuses(unknown())
            .refuses(Error::NotInFile { name: "tts".to_owned() })
            .once(),
        Route::post("/supervisor/bulk", "bulk")
            .does("services", "One verb for several services", BULK)
            .with([wait()])
            .reads::<BulkRequest>(&bulk)
            .answers::<BulkResponse>(
                (200, "What becomes of each; one that is refused does not stop the others."),
                &json!({"status": "processing", "operations": operations}),
            )
            .once(),
    ]
}

fn watching() -> [Route; 4] {
    let version = env!("CARGO_PKG_VERSION");
    let well = json!({"status": "healthy", "version": version, "uptime": 60});
    let mut ill = well.clone();
    ill["status"] = json!("degraded");
    ill["services"] = json!({"tts": "fatal"});
    let health = json!({
        "service": "tts", "status": "unhealthy", "checks": {"http_endpoint": "HTTP 500"},
        "response_time": 3.2, "error": "HTTP 500",
    });
    let up = json!({
        "cpu_percent": 3.0, "memory_mb": 81.5, "threads": 4, "connections": 2, "uptime": 60.0,
    });
    let metrics = json!({
        "timestamp": "2026-01-02T03:04:05.678901Z",
        "services": {"tts": up, "web": {"status": "stopped"}},
    });
    let probing = |path, id| health_of_all(path, id, (&well, &ill));
    [
        probing("/supervisor/health", "health"),
        Route::get("/supervisor/health/{service}", "checkService")
            .does("watching", "Run a service's health checks", "Now, and answers what they found.")
            .with([take::service()])
            .answers::<ServiceHealth>((200, "What they found."), &health)
            .refuses(unknown()),
        Route::get("/supervisor/metrics", "metrics")
            .does("watching", "What services cost", "`GET /metrics` has the same for Prometheus.")
            .answers::<MetricsResponse>((200, "What each costs."), &metrics),
        probing("/health", "healthWithoutPrefix"),
    ]
}

fn health_of_all(path: &'static str, id: &str, (well, ill): (&Value, &Value)) -> Route {
    Route::get(path, id)
        .does("watching", "Whether all required services are well", HEALTH)
        .answers::<SupervisorHealth>((200, "They are."), well)
        .answers::<SupervisorHealth>((503, "Some are not: `services` has their states."), ill)
        .refuses(super::problems::busy())
        .open()
}

fn talking() -> [Route; 3] {
    let closed = || Error::ServiceInput { name: "tts".to_owned() };
    [
        Route::get("/supervisor/events", "events")
            .does("watching", "Every change, as it happens", EVENTS)
            .with([take::last_event_id("Goes on behind this event.")])
            .told_of::<EventBody>()
            .answers_text((200, "A stream without an end."), "text/event-stream", EVENT),
        Route::post("/supervisor/stdin/{service}", "writeServiceStdin")
            .does("services", "Write to a service's terminal", "For one with `\"pty\": true`.")
            .with([take::service()])
            .reads::<StdinRequest>(&json!({"data": "y\n", "eof": false}))
            .or_nothing()
            .reads_raw(&["text/plain", "application/octet-stream"])
            .answers::<StdinResponse>((200, "So much was taken."), &json!({"written": 2}))
            .refuses(unknown())
            .refuses(closed())
            .once(),
        Route::post("/supervisor/signal/{service}", "signalService")
            .does("services", "Send a signal to a service", "To its whole tree, without waiting.")
            .with([take::service(), take::signal_type()])
            .answers::<ServiceStatus>((200, "It was sent."), &service())
            .refuses(unknown())
            .refuses(in_state(ServiceState::Stopped, "start it first")),
    ]
}

const START: &str = "After what it depends on, which is started as well. `config` overrides any \
                     field of the services file for this run and its automatic restarts; a new \
                     name with a `cmd` adds a service until the supervisor ends.";

const STOP: &str = "Ends its whole tree; cancels a restart that it waits for.";

const RESTART: &str = "Ends it and starts it again; starts one that is down. `config` as in \
                       `POST /supervisor/start`.";

const RELOAD: &str = "With the type `config`, applies what the file says otherwise now of this \
                      service, or of all without a name; with `code`, restarts the service as it \
                      is. A broken file changes nothing.";

const BULK: &str = "In the order of what depends on what. With `\"parallel\": false` one by one, \
                    each waiting for the last to be up, or down.";

const LOGS: &str = "Its last 100 lines over all runs, unless a parameter chooses others. A stream \
                    goes on over restarts; as events, `event: run` tells where runs begin and end.";

const HEALTH: &str = "Not those that are `optional`. Needs no credentials.";

const EVENTS: &str = "Server-Sent Events: `state` and `health` with an `EventBody`, `removed`, \
                      `missed` where some were dropped meanwhile, `end` with the supervisor's \
                      end.";

const EVENT: &str = "id: 7\nevent: state\ndata: {\"service\":\"tts\",\"status\":\"running\",\
                     \"health\":\"healthy\",\"message\":\"tts is up.\",\
                     \"at\":\"2026-01-02T03:04:05.678901Z\"}\n\n";
