//! Resource usage of services, as JSON and as text for Prometheus.

use super::request_metrics;
use super::route::{Api, Mode, Route, Verb};
use crate::ops::Services;
use crate::permits::Permits;
use crate::protocol::{
    HealthStatus, MetricsResponse, Scope, ServiceMetrics, ServiceState, seconds,
};
use crate::supervisor::ServiceHandle;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

/// Content-Type of the text, by the specification of `OpenMetrics`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Media type in the `OpenAPI` document, and an example.
const MEDIA_TYPE: &str = "application/openmetrics-text";
const EXAMPLE: &str = "# HELP llm_shell_runs Commands that were started.\n# TYPE llm_shell_runs \
                       counter\nllm_shell_runs_total 1\n# EOF\n";

/// Returns the route of GET /metrics.
pub fn routes<O: Mode>() -> &'static [Route<O>] {
    const {
        &[Route::of_api(Verb::Get, Scope::Read, "/metrics", answer, |it| {
            let description = "In the text of `OpenMetrics`.";
            it.does("prometheus", "server", "Metrics for Prometheus", description).answers_text(
                (200, "All metrics."),
                MEDIA_TYPE,
                EXAMPLE,
            )
        })]
    }
}

fn answer<O: Mode>(api: &Api<O>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let mut all = Registry::with_prefix(O::METRICS_PREFIX);
    register_streams(&mut all, api.ops.streams());
    request_metrics::register(&mut all, api.guard.counts(), api.ops.audit());
    api.ops.register_metrics(&mut all);
    let mut text = String::new();
    // Writing to a string cannot fail.
    encode(&mut text, &all).unwrap_or_default();
    Ok(Reply::bytes(StatusCode::OK, OPEN_METRICS, text.into_bytes()))
}

/// Answers with each service's metrics.
pub fn json(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let each = samples(services).into_iter().map(|sample| {
        let metrics = match sample.live {
            Some(live) => ServiceMetrics::Up {
                cpu_percent: live.cpu_percent,
                memory_mb: live.memory_mb,
                threads: live.threads,
                connections: live.connections,
                uptime: live.uptime,
            },
            None => ServiceMetrics::Down { status: sample.service.state() },
        };
        (sample.service.name().to_owned(), metrics)
    });
    Ok(Reply::json(StatusCode::OK, &MetricsResponse::new(each.collect::<BTreeMap<_, _>>())))
}

/// Registers the metrics of each service.
pub fn register(services: &Services, all: &mut Registry) {
    let mut families = Families::default();
    for sample in samples(services) {
        families.add(&sample);
    }
    families.register(all.sub_registry_with_prefix("service"));
}

/// Registers the number of streams, and its limit.
fn register_streams(all: &mut Registry, streams: &Permits) {
    let (taken, count_max) = streams.counts();
    let gauge = |count: usize| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        gauge
    };
    all.register("streams", "Requests that wait or stream", gauge(taken));
    all.register("streams_max", "Maximum number of them", gauge(count_max));
}

/// The metrics of one service.
struct Sample {
    service: std::sync::Arc<ServiceHandle>,
    /// `None` if it has no process.
    live: Option<Live>,
}

struct Live {
    cpu_percent: f64,
    memory_mb: f64,
    threads: u32,
    connections: usize,
    uptime: f64,
}

fn samples(services: &Services) -> Vec<Sample> {
    let usage = services.supervisor().usage();
    let connections = services.supervisor().connections();
    let sample = |service: std::sync::Arc<ServiceHandle>| {
        let run = service.last_run().filter(|run| run.end().is_none());
        let live = run.map(|run| {
            let used = usage.get(&run.pid()).copied().unwrap_or_default();
            Live {
                cpu_percent: used.cpu_percent,
                memory_mb: used.memory_mb,
                threads: used.threads,
                connections: connections.get(&run.pid()).copied().unwrap_or_default(),
                uptime: seconds(run.age()),
            }
        });
        Sample { service, live }
    };
    services.supervisor().services().into_iter().map(sample).collect()
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    service: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InState {
    service: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InHealth {
    service: String,
    health: &'static str,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// Every metric, by service.
#[derive(Default)]
struct Families {
    up: Family<Of, Gauge>,
    required: Family<Of, Gauge>,
    healthy: Family<Of, Gauge>,
    health: Family<InHealth, Gauge>,
    state: Family<InState, Gauge>,
    restarts: Family<Of, Counter>,
    cpu: Family<Of, FloatGauge>,
    memory: Family<Of, FloatGauge>,
    threads: Family<Of, Gauge>,
    connections: Family<Of, Gauge>,
    uptime: Family<Of, FloatGauge>,
    lines: Family<Of, Counter>,
    dropped: Family<Of, Counter>,
}

impl Families {
    fn add(&mut self, sample: &Sample) {
        let facts = sample.service.snapshot();
        let service = sample.service.name().to_owned();
        let of = Of { service: service.clone() };
        self.up.get_or_create(&of).set(i64::from(facts.state == ServiceState::Running));
        self.required.get_or_create(&of).set(i64::from(!facts.config.is_optional));
        let health = facts.health.as_str();
        self.healthy.get_or_create(&of).set(i64::from(facts.health == HealthStatus::Healthy));
        self.health.get_or_create(&InHealth { service: service.clone(), health }).set(1);
        self.state.get_or_create(&InState { service, state: facts.state.as_str() }).set(1);
        self.restarts.get_or_create(&of).inc_by(facts.restarts);
        if let Some(run) = sample.service.last_run() {
            let log = run.log().snapshot();
            self.lines.get_or_create(&of).inc_by(log.lines);
            self.dropped.get_or_create(&of).inc_by(log.dropped_lines);
        }
        let Some(live) = &sample.live else { return };
        self.cpu.get_or_create(&of).set(live.cpu_percent / 100.0);
        self.memory.get_or_create(&of).set(live.memory_mb * 1_048_576.0);
        self.threads.get_or_create(&of).set(i64::from(live.threads));
        let connections = i64::try_from(live.connections).unwrap_or(i64::MAX);
        self.connections.get_or_create(&of).set(connections);
        self.uptime.get_or_create(&of).set(live.uptime);
    }

    fn register(self, all: &mut Registry) {
        all.register("up", "Whether it is up", self.up);
        all.register("required", "Whether Astra is degraded if it fails", self.required);
        all.register("healthy", "Whether its health checks pass", self.healthy);
        all.register("health", "1 for the result of its health checks", self.health);
        all.register("state", "1 for its current state", self.state);
        all.register("restarts", "Number of restarts", self.restarts);
        all.register_with_unit("cpu", "Busy cores, of its whole tree", cores(), self.cpu);
        let bytes = Unit::Bytes;
        all.register_with_unit("memory", "Resident memory of its whole tree", bytes, self.memory);
        all.register("threads", "Threads of its whole tree", self.threads);
        all.register("connections", "TCP and UDP sockets of its whole tree", self.connections);
        let seconds = Unit::Seconds;
        all.register_with_unit(
            "uptime",
            "Time since the start of its current run",
            seconds,
            self.uptime,
        );
        all.register("log_lines", "Lines that it printed", self.lines);
        all.register("log_dropped_lines", "Lines that could not be written", self.dropped);
    }
}

/// Returns the unit of CPU usage: busy cores.
pub fn cores() -> Unit {
    Unit::Other("cores".to_owned())
}
