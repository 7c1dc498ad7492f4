//! The bodies of requests and answers of Astra: field names are part of the contract.

use super::bodies::seconds;
use super::openapi::{OperationStatus, ServiceOverrides, SupervisorWord, VerbStatus};
use crate::error::Error;
use crate::logs::{format_instant, now};
use crate::manager::RunView;
use crate::probe::{HealthReport, HealthStatus};
use crate::process::{FleetUsage, Usage};
use crate::supervisor::{BulkAction, Event, EventKind, Operation, ServiceState, Supervised};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What POST /start and POST /restart take.
#[derive(Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// Which service.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "tts")]
    pub name: String,
    /// Fields that differ for this run and its automatic restarts.
    #[schema(value_type = Option<ServiceOverrides>)]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub config: Option<Value>,
}

/// What POST /stop takes.
#[derive(Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// Which service.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "tts")]
    pub name: String,
}

/// What POST /reload takes.
#[derive(Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Which service; all of the file where it is left out.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "tts")]
    pub name: Option<String>,
    /// What is read again.
    #[serde(rename = "type", default)]
    #[schema(default = "config")]
    pub kind: ReloadKind,
}

/// What is read again.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReloadKind {
    /// The services file.
    #[default]
    Config,
    /// The service's own code: it is restarted as it is.
    Code,
}

/// What POST /bulk takes.
#[derive(Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// What is done to each.
    pub action: BulkWord,
    /// To which.
    #[schema(example = json!(["tts", "web"]))]
    pub services: Vec<String>,
    /// Whether those that do not depend on each other go at once.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub parallel: bool,
}

/// What is done to each of several services.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkWord {
    Start,
    Stop,
    Restart,
    Reload,
}

fn yes() -> bool {
    true
}

impl From<BulkWord> for BulkAction {
    fn from(word: BulkWord) -> Self {
        match word {
            BulkWord::Start => Self::Start,
            BulkWord::Stop => Self::Stop,
            BulkWord::Restart => Self::Restart,
            BulkWord::Reload => Self::Reload,
        }
    }
}

/// What is told of a service.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct ServiceStatus {
    /// Its state.
    #[schema(value_type = ServiceState)]
    status: &'static str,
    /// Its own process, while there is one.
    #[schema(required)]
    pid: Option<i32>,
    /// Seconds since its present run began; 0 while it is down.
    uptime: f64,
    /// What it listens on, where that is known.
    #[schema(required)]
    port: Option<u16>,
    /// CPU of its whole tree, 100 a busy core.
    cpu_percent: f64,
    /// Memory of its whole tree, in MiB.
    memory_mb: f64,
    /// When it was last started again.
    #[schema(required, format = DateTime)]
    last_restart: Option<String>,
    /// How often it was started again since the supervisor began.
    restart_count: u64,
    /// Exit status of its last run, or minus the number of the signal that ended it; null while
    /// it runs.
    #[schema(required)]
    exit_code: Option<i32>,
    /// The name of the signal that ended its last run.
    #[schema(required)]
    signal: Option<String>,
    /// What its checks say.
    #[schema(value_type = HealthStatus)]
    health: &'static str,
    /// Whether the supervisor is well without it.
    optional: bool,
    /// When its last run began.
    #[schema(required, format = DateTime)]
    started_at: Option<String>,
    /// When that ended.
    #[schema(required, format = DateTime)]
    stopped_at: Option<String>,
    /// When it will be started again by its policy.
    #[schema(required, format = DateTime)]
    next_restart_at: Option<String>,
    /// What it is started after.
    depends_on: Vec<String>,
    /// Lines of its last run that could not be written to its log.
    log_dropped_lines: u64,
    /// True where its last run has ended and output of it is not on disk yet, because that does not
    /// answer. Left out otherwise.
    #[schema(required = false)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    log_pending: bool,
    /// Why it is in its state, in one sentence.
    message: String,
}

/// What GET /status answers.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct SystemStatus {
    /// Each, by its name.
    pub services: BTreeMap<String, ServiceStatus>,
    /// All of them together.
    pub system: SystemTotals,
}

/// All services together.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct SystemTotals {
    /// How many there are.
    total_services: usize,
    /// How many are `running`.
    running_services: usize,
    /// Memory of all trees, in MiB.
    total_memory_mb: f64,
    /// CPU of all trees, 100 a busy core.
    total_cpu_percent: f64,
}

/// What a verb answers.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct VerbResponse {
    /// What was begun; with `wait`, the state that the service has come to.
    #[schema(value_type = VerbStatus)]
    pub status: &'static str,
    /// Which service; null for a reload of the whole file.
    #[schema(required)]
    pub service: Option<String>,
    /// What happens, in one sentence.
    pub message: String,
}

/// What POST /bulk answers.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct BulkResponse {
    /// `processing`; with `wait`, where all have settled, `completed`, or `failed` where one has
    /// not come to what was asked. `operations` say what becomes of each.
    pub status: &'static str,
    /// One for each service, in the order in which they were named.
    pub operations: Vec<BulkOperation>,
}

/// What becomes of one of several services.
#[derive(Debug, JsonSchema, Serialize, ToSchema)]
pub struct BulkOperation {
    /// Which service.
    pub service: String,
    /// What was begun, with `wait` the state that it has come to, or `error`.
    #[schema(value_type = OperationStatus)]
    pub status: &'static str,
    /// Why it could not be acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What GET /health/{service} answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceHealth {
    /// Which service.
    service: String,
    /// What the checks say; `unknown` where there are none or it is not up.
    #[schema(value_type = HealthStatus)]
    status: &'static str,
    /// By the name of each check: `ok`, or why it failed.
    #[schema(example = json!({"http_endpoint": "ok"}))]
    checks: BTreeMap<String, String>,
    /// Milliseconds that the slowest took; null where there was none.
    #[schema(required)]
    response_time: Option<f64>,
    /// Why the first failed, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What GET /health answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct SupervisorHealth {
    /// `healthy` or `degraded`.
    #[schema(value_type = SupervisorWord)]
    pub status: &'static str,
    /// The supervisor's version.
    pub version: &'static str,
    /// Whole seconds since it was started.
    pub uptime: u64,
    /// The required services that are `fatal`, `crashed`, in `backoff` or `unhealthy`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, &'static str>,
}

/// What GET /metrics answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsResponse {
    /// When they were taken.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// Those of each, by its name.
    pub services: BTreeMap<String, ServiceMetrics>,
}

/// The metrics of one service; only its state where it is not up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ServiceMetrics {
    /// One that has a process.
    Up {
        /// CPU of its whole tree, 100 a busy core.
        cpu_percent: f64,
        /// Memory of its whole tree, in MiB.
        memory_mb: f64,
        /// Threads of its whole tree.
        threads: u32,
        /// TCP and UDP sockets of its whole tree.
        connections: usize,
        /// Seconds since its run began.
        uptime: f64,
    },
    /// One that has none.
    Down {
        /// Its state.
        #[schema(value_type = ServiceState)]
        status: &'static str,
    },
}

/// What an event tells.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventBody<'a> {
    /// Which service.
    service: &'a str,
    /// Its state from then on.
    #[schema(value_type = ServiceState)]
    status: &'static str,
    /// What its checks say from then on.
    #[schema(value_type = HealthStatus)]
    health: &'static str,
    /// Why, in one sentence.
    message: &'a str,
    /// When.
    #[schema(format = DateTime)]
    at: String,
}

impl<'a> From<&'a Event> for EventBody<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            service: &event.service,
            status: event.state.word(),
            health: event.health.word(),
            message: &event.message,
            at: format_instant(event.at),
        }
    }
}

/// What an event is called.
pub fn event_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::State => "state",
        EventKind::Health => "health",
        EventKind::Removed => "removed",
    }
}

impl ServiceStatus {
    /// What is known now. Usage is that of `usage`, as far as the run is in it.
    pub fn of(service: &Supervised, usage: Option<&FleetUsage>) -> Self {
        let (facts, run) = (service.facts(), service.last_run());
        let end = run.as_ref().and_then(RunView::end);
        let lives = run.as_ref().filter(|_| end.is_none());
        let usage = lives.and_then(|run| usage?.get(&run.pid()).copied()).unwrap_or_default();
        let Usage { cpu_percent, memory_mb, .. } = usage;
        Self {
            status: facts.state.word(),
            pid: lives.map(RunView::pid),
            uptime: lives.map_or(0.0, |run| seconds(run.age())),
            port: facts.config.port,
            cpu_percent,
            memory_mb,
            last_restart: facts.last_restart.map(format_instant),
            restart_count: facts.restarts,
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            signal: end.and_then(|end| end.outcome.signal()),
            health: facts.health.word(),
            optional: facts.config.is_optional,
            started_at: run.as_ref().map(|run| format_instant(run.created_at())),
            stopped_at: end.map(|end| format_instant(end.at)),
            next_restart_at: facts.next_restart_at.map(format_instant),
            depends_on: facts.config.depends_on.keys().cloned().collect(),
            log_dropped_lines: run.as_ref().map_or(0, |run| run.log().dropped_lines()),
            log_pending: run.as_ref().is_some_and(|run| run.log().is_behind()),
            message: facts.message,
        }
    }

    /// The same as a JSON value.
    pub fn json(self) -> Value {
        // A struct of texts, numbers and lists always has a JSON form.
        serde_json::to_value(self).unwrap_or_default()
    }

    fn is_running(&self) -> bool {
        self.status == "running"
    }
}

impl SystemStatus {
    /// What is known of all of these.
    pub fn of(services: &[std::sync::Arc<Supervised>], usage: &FleetUsage) -> Self {
        let each = services.iter();
        let each = each.map(|it| (it.name().to_owned(), ServiceStatus::of(it, Some(usage))));
        let services: BTreeMap<_, _> = each.collect();
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        let system = SystemTotals {
            total_services: services.len(),
            running_services: services.values().filter(|service| service.is_running()).count(),
            total_memory_mb: tenth(services.values().map(|service| service.memory_mb).sum()),
            total_cpu_percent: tenth(services.values().map(|service| service.cpu_percent).sum()),
        };
        Self { services, system }
    }
}

impl From<Operation> for BulkOperation {
    fn from(operation: Operation) -> Self {
        let service = operation.service;
        match operation.outcome {
            Ok(status) => Self { service, status, detail: None },
            Err(error) => Self::failed(service, &error),
        }
    }
}

impl BulkOperation {
    /// What is told of one that could not be acted on.
    pub fn failed(service: String, error: &Error) -> Self {
        Self { service, status: "error", detail: Some(error.to_string()) }
    }
}

impl ServiceHealth {
    /// What was found of a service.
    pub fn new(service: String, report: &HealthReport) -> Self {
        let found = |found: &Result<(), String>| match found {
            Ok(()) => "ok".to_owned(),
            Err(why) => why.clone(),
        };
        let checks = report.checks.iter();
        let milliseconds =
            |time: std::time::Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        Self {
            service,
            status: report.status.word(),
            checks: checks.map(|(name, it)| (name.clone(), found(it))).collect(),
            response_time: report.response_time.map(milliseconds),
            error: report.error().map(str::to_owned),
        }
    }
}

impl MetricsResponse {
    /// The metrics of these, now.
    pub fn new(services: BTreeMap<String, ServiceMetrics>) -> Self {
        Self { timestamp: format_instant(now()), services }
    }
}
