//! The bodies of requests and answers of Astra: field names are part of the contract.

use super::bodies::seconds;
use crate::error::Error;
use crate::logs::{format_instant, now};
use crate::manager::RunView;
use crate::probe::HealthReport;
use crate::process::{FleetUsage, Usage};
use crate::supervisor::{BulkAction, Event, EventKind, Operation, Supervised};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What POST /start and POST /restart take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// Which service.
    pub name: String,
    /// Fields that differ for this run and its automatic restarts.
    pub config: Option<Value>,
}

/// What POST /stop takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// Which service.
    pub name: String,
}

/// What POST /reload takes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Which service; all of the file where it is left out.
    pub name: Option<String>,
    /// What is read again.
    #[serde(rename = "type", default)]
    pub kind: ReloadKind,
}

/// What is read again.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ReloadKind {
    /// The services file.
    #[default]
    Config,
    /// The service's own code: it is restarted as it is.
    Code,
}

/// What POST /bulk takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// What is done to each.
    pub action: BulkWord,
    /// To which.
    pub services: Vec<String>,
    /// Whether those that do not depend on each other go at once.
    #[serde(default = "yes")]
    pub parallel: bool,
}

/// What is done to each of several services.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
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
#[derive(Debug, JsonSchema, Serialize)]
pub struct ServiceStatus {
    status: &'static str,
    pid: Option<i32>,
    uptime: f64,
    port: Option<u16>,
    cpu_percent: f64,
    memory_mb: f64,
    last_restart: Option<String>,
    restart_count: u64,
    exit_code: Option<i32>,
    signal: Option<String>,
    health: &'static str,
    optional: bool,
    started_at: Option<String>,
    stopped_at: Option<String>,
    next_restart_at: Option<String>,
    depends_on: Vec<String>,
    message: String,
}

/// What GET /status answers.
#[derive(Debug, JsonSchema, Serialize)]
pub struct SystemStatus {
    /// Each service, by its name.
    pub services: BTreeMap<String, ServiceStatus>,
    /// All of them together.
    pub system: SystemTotals,
}

/// All services together.
#[derive(Debug, JsonSchema, Serialize)]
pub struct SystemTotals {
    total_services: usize,
    running_services: usize,
    total_memory_mb: f64,
    total_cpu_percent: f64,
}

/// What a verb answers.
#[derive(Debug, JsonSchema, Serialize)]
pub struct VerbResponse {
    /// What is being done, or after a wait the state that it has settled in.
    pub status: &'static str,
    /// Which service; null where it was the whole file.
    pub service: Option<String>,
    /// What was done, in a sentence.
    pub message: String,
}

/// What POST /bulk answers.
#[derive(Debug, JsonSchema, Serialize)]
pub struct BulkResponse {
    /// `processing`.
    pub status: &'static str,
    /// What becomes of each.
    pub operations: Vec<BulkOperation>,
}

/// What becomes of one of several services.
#[derive(Debug, JsonSchema, Serialize)]
pub struct BulkOperation {
    /// Which service.
    pub service: String,
    /// What is being done, or the state that it has settled in, or `error`.
    pub status: &'static str,
    /// Why it could not be acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What GET /health/{service} answers; `response_time` in milliseconds.
#[derive(Debug, Serialize)]
pub struct ServiceHealth {
    service: String,
    status: &'static str,
    checks: BTreeMap<String, String>,
    response_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What GET /health answers.
#[derive(Debug, Serialize)]
pub struct SupervisorHealth {
    pub status: &'static str,
    pub version: &'static str,
    pub uptime: u64,
    /// The required services that are not as they should be, with their states.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, &'static str>,
}

/// What GET /metrics answers.
#[derive(Debug, Serialize)]
pub struct MetricsResponse {
    pub timestamp: String,
    pub services: BTreeMap<String, ServiceMetrics>,
}

/// The metrics of one service; only its state where it is not up.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ServiceMetrics {
    Up { cpu_percent: f64, memory_mb: f64, threads: u32, connections: usize, uptime: f64 },
    Down { status: &'static str },
}

/// What an event tells.
#[derive(Debug, Serialize)]
pub struct EventBody<'a> {
    service: &'a str,
    status: &'static str,
    health: &'static str,
    message: &'a str,
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
