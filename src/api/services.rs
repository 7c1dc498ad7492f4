//! The routes of Astra.

use super::idempotency::Answers;
use super::log_query::{LogOf, LogQuery};
use super::logs::Named;
use super::openapi::{self, DocumentOf};
use super::run_source::RunSource;
use super::service_detail::ServiceDetail;
use super::service_source::ServiceSource;
use super::slots::Slots;
use super::talking::{self};
use super::{body, events, login, logs, metrics, panel, parameters, waiting};
use crate::error::Error;
use crate::http::{Guard, Problem, Reply, Request, Router};
use crate::protocol::{
    BulkOperation, BulkRequest, BulkResponse, BulkStatus, OperationStatus, ReloadKind,
    ReloadRequest, ServiceHealth, ServiceRequest, ServiceStatus, StdinResponse, StopRequest,
    SupervisorHealth, SupervisorStatus, SystemStatus, VerbResponse, VerbStatus,
};
use crate::supervisor::{Ask, Bulk, Standing, Supervisor, Verb};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the handlers work with.
pub struct Astra {
    pub supervisor: Arc<Supervisor>,
    /// For requests that wait or stream as long as the client wants.
    pub slots: Slots,
    /// Those to requests that may come twice.
    answers: Answers,
    began: Instant,
}

type Handler = fn(&Astra, &mut Request<'_>) -> Result<Reply, Problem>;

/// A route: its method, its two paths, what handles it.
type Route = (Method, &'static str, &'static str, Handler);

/// Those that change something: with an Idempotency-Key they do that once.
const VERBS: &[Route] = &[
    (Method::POST, "/supervisor/start", "/api/supervisor/start", start),
    (Method::POST, "/supervisor/stop", "/api/supervisor/stop", stop),
    (Method::POST, "/supervisor/restart", "/api/supervisor/restart", restart),
    (Method::POST, "/supervisor/reload", "/api/supervisor/reload", reload),
    (Method::POST, "/supervisor/bulk", "/api/supervisor/bulk", bulk),
    (Method::POST, "/supervisor/stdin/{service}", "/api/supervisor/stdin/{service}", stdin),
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

/// The routes of Astra around a supervisor, behind a guard. So many requests may wait or stream at
/// once as `streams_max`.
#[must_use]
pub fn service_routes(
    supervisor: Arc<Supervisor>,
    guard: Arc<Guard>,
    streams_max: usize,
) -> Router {
    let slots = Slots::of_streams(streams_max);
    let astra =
        Arc::new(Astra { supervisor, slots, answers: Answers::default(), began: Instant::now() });
    let once = |handler: Handler| {
        let astra = Arc::clone(&astra);
        move |request: &mut Request<'_>| {
            astra.answers.once(request, &astra.slots, |request| handler(&astra, request))
        }
    };
    let with_astra = |handler: Handler| {
        let astra = Arc::clone(&astra);
        move |request: &mut Request<'_>| handler(&astra, request)
    };
    let mut router = Router::new();
    for (method, path, other_path, handler) in VERBS {
        router = router.route(method.clone(), path, once(*handler));
        router = router.route(method.clone(), other_path, once(*handler));
    }
    for (method, path, other_path, handler) in OTHERS {
        router = router.route(method.clone(), path, with_astra(*handler));
        router = router.route(method.clone(), other_path, with_astra(*handler));
    }
    let router = router
        .public("/supervisor/health")
        .public("/api/supervisor/health")
        .acting("/supervisor/health/{service}")
        .acting("/api/supervisor/health/{service}")
        .get("/health", with_astra(health))
        .public("/health")
        .get("/metrics", with_astra(metrics::text));
    let router = login::add_routes(router, &guard);
    let router = panel::add_routes(router, panel::Page::Astra).guarded_by(guard);
    openapi::documented(router, DocumentOf::Services)
}

fn status(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let usage = astra.supervisor.usage();
    Ok(Reply::json(StatusCode::OK, &SystemStatus::of(&astra.supervisor.services(), &usage)))
}

fn one_status(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let service = astra.supervisor.find(request.param("service"))?;
    let usage = astra.supervisor.usage();
    Ok(Reply::json(StatusCode::OK, &ServiceStatus::of(&service, Some(&usage))))
}

fn detail(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let service = astra.supervisor.find(request.param("service"))?;
    Ok(Reply::json(StatusCode::OK, &ServiceDetail::of(&service)))
}

fn start(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let example = "{\"name\": \"tts\"}";
    let ServiceRequest { name, config } = body::json(request, example)?;
    may_act(astra, request, &name)?;
    may_configure(request, config.as_ref())?;
    let ask = Ask { verb: Verb::Start, service: name, overrides: config };
    act(astra, request, &ask, (VerbStatus::Starting, wait))
}

fn stop(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let StopRequest { name } = body::json(request, "{\"name\": \"tts\"}")?;
    may_act(astra, request, &name)?;
    let ask = Ask { verb: Verb::Stop, service: name, overrides: None };
    act(astra, request, &ask, (VerbStatus::Stopping, wait))
}

fn restart(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let ServiceRequest { name, config } = body::json(request, "{\"name\": \"tts\"}")?;
    may_act(astra, request, &name)?;
    may_configure(request, config.as_ref())?;
    let ask = Ask { verb: Verb::Restart, service: name, overrides: config };
    act(astra, request, &ask, (VerbStatus::Restarting, wait))
}

/// Refuses a service that the file does not define to a request that may act on no other.
fn may_act(astra: &Astra, request: &Request<'_>, name: &str) -> Result<(), Problem> {
    let service = astra.supervisor.find(name).ok();
    if service.is_some_and(|service| service.facts().standing == Standing::Added) {
        return request.require_full_privilege("act on a service that the file does not define");
    }
    Ok(())
}

/// Refuses a configuration to a request that may not choose one.
fn may_configure<C>(request: &Request<'_>, config: Option<&C>) -> Result<(), Problem> {
    match config {
        Some(_) => request.require_full_privilege("choose a service's configuration"),
        None => Ok(()),
    }
}

/// Asks it, and waits for the service to settle where that is wanted.
fn act(
    astra: &Astra,
    request: &Request<'_>,
    ask: &Ask,
    (status, wait): (VerbStatus, Option<Duration>),
) -> Result<Reply, Problem> {
    let _slot = wait.map(|_| astra.slots.take()).transpose()?;
    let name = ask.service.clone();
    let message = astra.supervisor.ask(ask)?;
    let mut response = VerbResponse { status, service: Some(name.clone()), message };
    if let Some(wait) = wait {
        wait_settled(astra, request, std::slice::from_ref(&name), wait);
        if let Ok(service) = astra.supervisor.find(&name) {
            let facts = service.facts();
            (response.status, response.message) = (facts.state.into(), facts.message);
        }
    }
    Ok(Reply::json(StatusCode::OK, &response))
}

fn reload(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let example = "{\"name\": \"tts\", \"type\": \"config\"}";
    let ReloadRequest { name, kind } = body::json_or_nothing(request, example)?.unwrap_or_default();
    if let Some(name) = &name {
        may_act(astra, request, name)?;
    }
    if kind == ReloadKind::Code {
        let Some(name) = name else {
            return Err(Error::Input(
                "A reload of the type code is of one service: give its name.".to_owned(),
            )
            .into());
        };
        let ask = Ask { verb: Verb::Restart, service: name, overrides: None };
        return act(astra, request, &ask, (VerbStatus::Reloading, wait));
    }
    let _slot = wait.map(|_| astra.slots.take()).transpose()?;
    let reloaded = astra.supervisor.reload(name.as_deref())?;
    let mut response = VerbResponse {
        status: VerbStatus::Reloading,
        service: name.clone(),
        message: reloaded.message,
    };
    if let Some(wait) = wait {
        let names: Vec<String> = reloaded.touched.into_iter().chain(name.clone()).collect();
        let is_settled = wait_settled(astra, request, &names, wait);
        let state = name.and_then(|name| astra.supervisor.find(&name).ok()).map(|it| it.state());
        response.status = match state {
            Some(state) => state.into(),
            None if is_settled => VerbStatus::Reloaded,
            None => VerbStatus::Reloading,
        };
    }
    Ok(Reply::json(StatusCode::OK, &response))
}

fn bulk(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let wait = wait_parameter(request)?;
    let example = "{\"action\": \"restart\", \"services\": [\"tts\"], \"parallel\": true}";
    let BulkRequest { action, services, parallel } = body::json(request, example)?;
    services.iter().try_for_each(|name| may_act(astra, request, name))?;
    let _slot = wait.map(|_| astra.slots.take()).transpose()?;
    let bulk = Bulk { action, services, is_parallel: parallel };
    let (operations, done) = bulk.begin(&astra.supervisor)?;
    let is_done = wait.is_some_and(|wait| waiting::wait(request, wait, |until| done.wait(until)));
    let mut operations: Vec<_> = operations.into_iter().map(BulkOperation::from).collect();
    if wait.is_some() {
        for operation in operations.iter_mut().filter(|it| it.detail.is_none()) {
            if let Ok(service) = astra.supervisor.find(&operation.service) {
                operation.status = OperationStatus::Accepted(service.state().into());
            }
        }
    }
    for (service, error) in done.take_failures() {
        if let Some(operation) = operations.iter_mut().find(|it| it.service == service) {
            *operation = BulkOperation::failed(service, &error);
        }
    }
    let status = match is_done {
        false => BulkStatus::Processing,
        true if operations.iter().any(|it| it.status.has_failed()) => BulkStatus::Failed,
        true => BulkStatus::Completed,
    };
    Ok(Reply::json(StatusCode::OK, &BulkResponse { status, operations }))
}

fn read_logs(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let service = astra.supervisor.find(request.param("service"))?;
    let query = LogQuery::read(request, LogOf::Service)?;
    let Some(run_id) = query.run_id.clone() else {
        return logs::answer(query, Box::new(ServiceSource(service)), &astra.slots, request);
    };
    let log = service.manager().log_of(&run_id).map_err(|error| match error {
        Error::NoSuchRun { run_id } => {
            Error::NoSuchServiceRun { name: service.name().to_owned(), run_id }
        }
        other => other,
    })?;
    let name = Named::Service { name: service.name().to_owned() };
    let status = Box::new(move || ServiceStatus::of(&service, None).json());
    logs::answer(query, Box::new(RunSource { name, log, status }), &astra.slots, request)
}

fn check(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let name = request.param("service").to_owned();
    let _slot = astra.slots.take()?;
    let report = astra.supervisor.check(&name)?;
    Ok(Reply::json(StatusCode::OK, &ServiceHealth::new(name, &report)))
}

fn health(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let troubled = astra.supervisor.troubled();
    let (status, word) = if troubled.is_empty() {
        (StatusCode::OK, SupervisorStatus::Healthy)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, SupervisorStatus::Degraded)
    };
    let health = SupervisorHealth {
        status: word,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime: astra.began.elapsed().as_secs(),
        services: troubled.into_iter().collect(),
    };
    Ok(Reply::json(status, &health))
}

fn signal(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.require_full_privilege("send a signal")?;
    let signal = talking::signal(request)?;
    let service = astra.supervisor.signal(request.param("service"), signal)?;
    let usage = astra.supervisor.usage();
    Ok(Reply::json(StatusCode::OK, &ServiceStatus::of(&service, Some(&usage))))
}

fn stdin(astra: &Astra, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.require_full_privilege("write to a service")?;
    let service = astra.supervisor.find(request.param("service"))?;
    let _slot = astra.slots.take()?;
    let (data, ends) = talking::input(request)?;
    let written = service.manager().write_stdin(&data, ends).map_err(|error| match error {
        Error::NeverStarted | Error::NotRunning { .. } | Error::StdinNotOpen { .. } => {
            Error::ServiceInput { name: service.name().to_owned() }
        }
        other => other,
    })?;
    Ok(Reply::json(StatusCode::OK, &StdinResponse { written }))
}

fn wait_parameter(request: &Request<'_>) -> Result<Option<Duration>, Problem> {
    let mut query = request.query()?;
    let wait = parameters::wait(&mut query, "wait")?;
    query.finish()?;
    Ok(wait)
}

/// Waits for these services to settle. Whether they have.
fn wait_settled(astra: &Astra, request: &Request<'_>, names: &[String], wait: Duration) -> bool {
    waiting::wait(request, wait, |until| astra.supervisor.wait_settled(names, until))
}
