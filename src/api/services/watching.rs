//! Health, metrics and events.

use super::unknown;
use crate::api::openapi::parameters as take;
use crate::api::openapi::{Operation, problems};
use crate::api::route::Route;
use crate::api::{events, metrics};
use crate::ops::Services;
use crate::protocol::{
    EventBody, MetricsResponse, ServiceHealth, SupervisorHealth, SupervisorStatus,
};
use http::StatusCode;
use http1::{Problem, Reply, Request};
use serde_json::json;

/// Routes for monitoring.
pub const ROUTES: &[Route<Services>] = &[
    Route::get("/supervisor/health", health, |it| of_health(it, "health")).public(),
    Route::get("/supervisor/health/{service}", check, |it| {
        let health = json!({
            "service": "tts", "status": "unhealthy", "checks": {"http_endpoint": "HTTP 500"},
            "response_time": 3.2, "error": "HTTP 500",
        });
        let description = "Runs them now.";
        it.does("checkService", "watching", "Run a service's health checks", description)
            .with([take::service()])
            .answers::<ServiceHealth>((200, "Their results."), &health)
            .refuses(unknown())
    })
    .with_effect(),
    Route::get("/supervisor/metrics", metrics::json, |it| {
        let up = json!({
            "cpu_percent": 3.0, "memory_mb": 81.5, "threads": 4, "connections": 2, "uptime": 60.0,
        });
        let metrics = json!({
            "timestamp": "2026-01-02T03:04:05.678901Z",
            "services": {"tts": up, "web": {"status": "stopped"}},
        });
        let description = "`GET /metrics` gives the same to Prometheus.";
        it.does("metrics", "watching", "Resource usage of services", description)
            .answers::<MetricsResponse>((200, "Usage of each."), &metrics)
    }),
    Route::get("/supervisor/events", events::of_services, |it| {
        it.does("events", "watching", "Stream events", EVENTS)
            .with([take::last_event_id("Resumes after this event.")])
            .refers_to::<EventBody>()
            .answers_text((200, "A stream that does not end."), "text/event-stream", EVENT)
    }),
    Route::get("/health", health, |it| of_health(it, "healthWithoutPrefix")).public(),
];

fn of_health<'a>(operation: Operation<'a>, id: &str) -> Operation<'a> {
    let version = env!("CARGO_PKG_VERSION");
    let healthy = json!({"status": "healthy", "version": version, "uptime": 60});
    let mut degraded = healthy.clone();
    degraded["status"] = json!("degraded");
    degraded["services"] = json!({"tts": "fatal"});
    let says = "Degraded: `services` has the state of those that failed.";
    operation
        .does(id, "watching", "Health of the supervisor", HEALTH)
        .answers::<SupervisorHealth>((200, "Healthy."), &healthy)
        .answers::<SupervisorHealth>((503, says), &degraded)
        .refuses(problems::busy())
}

const HEALTH: &str = "`degraded` if a service that is not `optional` is `fatal`, `crashed`, \
                      `unhealthy` or in `backoff`. Needs no credentials.";

const EVENTS: &str = "Server-Sent Events: `state` and `health` with an `EventBody`, `removed`, \
                      `missed` if events were dropped, and `end` when the supervisor ends.";

const EVENT: &str = "id: 7\nevent: state\ndata: {\"service\":\"tts\",\"status\":\"running\",\
                     \"health\":\"healthy\",\"message\":\"tts is up.\",\
                     \"at\":\"2026-01-02T03:04:05.678901Z\"}\n\n";

fn health(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let health = services.health();
    let code = match health.status {
        SupervisorStatus::Healthy => StatusCode::OK,
        SupervisorStatus::Degraded => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok(Reply::json(code, &health))
}

fn check(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &services.check(request, request.param("service"))?))
}
