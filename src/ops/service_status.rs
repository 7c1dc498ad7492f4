//! Conversions from the state of services to bodies of Astra.

use crate::logs::{format_instant, now};
use crate::probe::HealthReport;
use crate::process::{BatchUsage, Usage};
use crate::protocol::{
    BulkOperation, EventBody, MetricsResponse, OperationError, OperationStatus, ServiceHealth,
    ServiceMetrics, ServiceState, ServiceStatus, SystemStatus, SystemTotals, seconds,
};
use crate::runs::RunView;
use crate::supervisor;
use crate::supervisor::{Event, EventKind, Operation, ServiceHandle};
use serde_json::Value;
use std::collections::BTreeMap;

impl From<&Event> for EventBody {
    fn from(entry: &Event) -> Self {
        let event = &entry.event;
        Self {
            service: event.service.clone(),
            status: event.state,
            health: event.health,
            message: event.message.clone(),
            at: format_instant(entry.at),
        }
    }
}

/// Returns the name of an event.
#[must_use]
pub fn event_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::State => "state",
        EventKind::Health => "health",
        EventKind::Removed => "removed",
    }
}

impl ServiceStatus {
    /// Returns the current status. Resource usage is taken from `usage`, if the run is in it.
    pub fn of(service: &ServiceHandle, usage: Option<&BatchUsage>) -> Self {
        let (facts, run) = (service.snapshot(), service.last_run());
        let end = run.as_ref().and_then(RunView::end);
        let live = run.as_ref().filter(|_| end.is_none());
        let usage = live.and_then(|run| usage?.get(&run.pid()).copied()).unwrap_or_default();
        let Usage { cpu_percent, memory_mb, .. } = usage;
        Self {
            status: facts.state,
            pid: live.map(RunView::pid),
            uptime: live.map_or(0.0, |run| seconds(run.age())),
            port: facts.config.port,
            cpu_percent,
            memory_mb,
            last_restart: facts.last_restart.map(format_instant),
            restart_count: facts.restarts,
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            signal: end.and_then(|end| end.outcome.signal()),
            health: facts.health,
            optional: facts.config.is_optional,
            started_at: run.as_ref().map(|run| format_instant(run.created_at())),
            stopped_at: end.map(|end| format_instant(end.at)),
            next_restart_at: facts.next_restart_at.map(format_instant),
            depends_on: facts.config.depends_on.keys().cloned().collect(),
            log_dropped_lines: run.as_ref().map_or(0, |run| run.log().dropped_lines()),
            log_pending: end.is_some() && run.as_ref().is_some_and(|run| run.log().is_behind()),
            message: facts.message,
        }
    }

    /// Converts to a JSON value.
    pub(super) fn json(self) -> Value {
        // A struct of strings, numbers and lists always serializes.
        serde_json::to_value(self).unwrap_or_default()
    }

    fn is_running(&self) -> bool {
        self.status == ServiceState::Running
    }
}

impl SystemStatus {
    /// Returns the current status of all of these services.
    pub fn of(services: &[std::sync::Arc<ServiceHandle>], usage: &BatchUsage) -> Self {
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
            Ok(status) => Self { service, status: OperationStatus::Accepted(status), detail: None },
            Err(error) => Self::failed(service, &error),
        }
    }
}

impl BulkOperation {
    /// Creates the outcome of an operation that failed.
    pub(super) fn failed(service: String, error: &supervisor::Error) -> Self {
        let status = OperationStatus::Failed(OperationError::Error);
        Self { service, status, detail: Some(error.to_string()) }
    }
}

impl ServiceHealth {
    /// Creates the answer from a health report.
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
            status: report.status,
            checks: checks.map(|(name, it)| (name.clone(), found(it))).collect(),
            response_time: report.response_time.map(milliseconds),
            error: report.error().map(str::to_owned),
        }
    }
}

impl MetricsResponse {
    /// Creates the answer, with the current time.
    pub(crate) fn new(services: BTreeMap<String, ServiceMetrics>) -> Self {
        Self { timestamp: format_instant(now()), services }
    }
}
