//! The routes of Astra.

use super::idempotency::Answers;
use super::log_query::{LogOf, LogRequest};
use super::openapi::{self, DocumentOf};
use super::service_detail::ServiceDetail;
use super::{body, events, login, logs, metrics, panel, parameters, talking};
use crate::http::{Guard, Problem, Reply, Request, Router};
use crate::ops::Services;
use crate::protocol::{
    BulkRequest, ReloadRequest, ServiceRequest, StdinResponse, StopRequest, SupervisorStatus,
};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;

type Handler = fn(&Services, &mut Request<'_>) -> Result<Reply, Problem>;

/// A route: its method, its two paths, what handles it.
type Route = (Method, &'static str, &'static str, Handler);

/// Those that change something: with an Idempotency-Key they do that once.
const VERBS: &[Route] = &[
    (Method::POST, "/supervisor/start", "/api/supervisor/start", start),
    (Method::POST, "/supervisor/stop", "/api/supervisor/stop", stop),
    (Method::POST, "/supervisor/restart", "/api/supervisor/restart", restart),
    (Method::POST, "/supervisor/reload", "/api/supervisor/reload", reload),
    (Method::POST, "/supervisor/bulk", "/api/supervisor/bulk", bulk),
];

/// All others.
const OTHERS: &[Route] = &[
    (Method::GET, "/supervisor/status", "/api/supervisor/status", status),
    (Method::GET, "/supervisor/status/{service}", "/api/supervisor/status/{service}", one_status),
    (Method::GET, "/supervisor/services/{service}", "/api/supervisor/services/{service}", detail),
    (Method::GET, "/supervisor/logs/{service}", "/api/supervisor/logs/{service}", read_logs),
    (Method::GET, "/supervisor/health", "/api/supervisor/health", health),
    (Method::GET, "/supervisor/health/{service}", "/api/supervisor/health/{service}", check),
    (Method::GET, "/supervisor/metrics", "/api/supervisor/metrics", metrics::json),
    (Method::GET, "/supervisor/events", "/api/supervisor/events", events::answer),
    (Method::POST, "/supervisor/signal/{service}", "/api/supervisor/signal/{service}", signal),
];

/// The routes of Astra, behind a guard.
#[must_use]
pub fn service_routes(services: &Arc<Services>, guard: Arc<Guard>) -> Router {
    let answers = Arc::new(Answers::default());
    let once = |handler: Handler| {
        let (services, answers) = (Arc::clone(services), Arc::clone(&answers));
        move |request: &mut Request<'_>| {
            let streams = Some(services.streams());
            answers.once(request, body::BYTES_MAX, streams, |request| handler(&services, request))
        }
    };
    let with_services = |handler: Handler| {
        let services = Arc::clone(services);
        move |request: &mut Request<'_>| handler(&services, request)
    };
    let mut router = Router::new();
    for (method, path, other_path, handler) in VERBS {
        router = router.route(method.clone(), path, once(*handler));
        router = router.route(method.clone(), other_path, once(*handler));
    }
    for (method, path, other_path, handler) in OTHERS {
        router = router.route(method.clone(), path, with_services(*handler));
        router = router.route(method.clone(), other_path, with_services(*handler));
    }
    for path in ["/supervisor/stdin/{service}", "/api/supervisor/stdin/{service}"] {
        let (services, answers) = (Arc::clone(services), Arc::clone(&answers));
        router = router.post(path, move |request| stdin(&services, &answers, request));
    }
    let router = router
        .public("/supervisor/health")
        .public("/api/supervisor/health")
        .acting("/supervisor/health/{service}")
        .acting("/api/supervisor/health/{service}")
        .get("/health", with_services(health))
        .public("/health")
        .get("/metrics", with_services(metrics::text));
    let router = login::add_routes(router, &guard);
    let router = panel::add_routes(router, panel::Page::Astra).guarded_by(guard);
    openapi::documented(router, DocumentOf::Services)
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
    let service = services.supervisor().find(request.param("service"))?;
    Ok(Reply::json(StatusCode::OK, &ServiceDetail::of(&service)))
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

fn read_logs(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let name = request.param("service").to_owned();
    services.supervisor().find(&name)?;
    let query = LogRequest::read(request, LogOf::Service)?;
    let source = services.log_of(&name, query.run_id.as_deref())?;
    logs::answer(query, source, services.streams(), request)
}

fn check(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    Ok(Reply::json(StatusCode::OK, &services.check(request.param("service"))?))
}

fn health(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let health = services.health();
    let code = match health.status {
        SupervisorStatus::Healthy => StatusCode::OK,
        SupervisorStatus::Degraded => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok(Reply::json(code, &health))
}

fn signal(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let signal = talking::signal(request)?;
    Ok(Reply::json(StatusCode::OK, &services.signal(request, request.param("service"), signal)?))
}

fn stdin(
    services: &Services,
    answers: &Answers,
    request: &mut Request<'_>,
) -> Result<Reply, Problem> {
    let name = request.param("service").to_owned();
    let permit = services.begin_write(request, &name)?;
    answers.once(request, talking::STDIN_BYTES_MAX, None, |request| {
        let (data, ends) = talking::input(request)?;
        let written = services.write_stdin(&permit, &name, (&data, ends))?;
        Ok(Reply::json(StatusCode::OK, &StdinResponse { written }))
    })
}

fn wait_parameter(request: &Request<'_>) -> Result<Option<Duration>, Problem> {
    let mut query = request.query()?;
    let wait = parameters::wait(&mut query, "wait")?;
    query.finish()?;
    Ok(wait)
}
