//! Bodies of Astra's requests and answers.

use super::patterns;
use super::run::is_zero;
use super::states::WaitReason;
use super::states::{
    BulkAction, BulkStatus, HealthStatus, OperationStatus, ReloadKind, ServiceProblem,
    ServiceState, SupervisorStatus, VerbStatus,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Body of POST /start and POST /restart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// Name of the service.
    #[schemars(extend("pattern" = patterns::SERVICE_NAME, "examples" = ["tts"]))]
    pub name: String,
    /// Fields that override the services file for this run and its automatic restarts.
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub config: Option<Value>,
}

/// Body of POST /stop.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// Name of the service.
    #[schemars(extend("pattern" = patterns::SERVICE_NAME, "examples" = ["tts"]))]
    pub name: String,
}

/// Body of POST /reload.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Name of the service; the whole services file if omitted.
    #[schemars(extend("pattern" = patterns::SERVICE_NAME, "examples" = ["tts"]))]
    pub name: Option<String>,
    /// What to apply.
    #[serde(rename = "type", default)]
    pub kind: ReloadKind,
}

/// Body of POST /bulk.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// Action on each service.
    pub action: BulkAction,
    /// Names of the services.
    #[schemars(extend("examples" = [["tts", "web"]]))]
    pub services: Vec<String>,
    /// Whether services that do not depend on each other are handled at once.
    #[serde(default = "yes")]
    pub parallel: bool,
}

fn yes() -> bool {
    true
}

/// The state of a service.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct ServiceStatus {
    /// State.
    pub status: ServiceState,
    /// PID of its own process, while there is one.
    pub pid: Option<i32>,
    /// Seconds since the start of its present run; 0 while it is down.
    pub uptime: f64,
    /// Port that it listens on, if known.
    pub port: Option<u16>,
    /// CPU usage of its process tree, 100 per busy core.
    pub cpu_percent: f64,
    /// Memory of its process tree, in MiB.
    pub memory_mb: f64,
    /// Time of its last restart.
    #[schemars(extend("format" = "date-time"))]
    pub last_restart: Option<String>,
    /// Number of restarts since the supervisor started.
    pub restart_count: u64,
    /// Exit status of its last run, or minus the number of the signal that ended it; null while it
    /// is running.
    pub exit_code: Option<i32>,
    /// Name of the signal that ended its last run.
    pub signal: Option<String>,
    /// Result of its health checks.
    pub health: HealthStatus,
    /// Whether the supervisor counts as healthy without it.
    pub optional: bool,
    /// Start of its last run.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: Option<String>,
    /// End of its last run.
    #[schemars(extend("format" = "date-time"))]
    pub stopped_at: Option<String>,
    /// Time of the next automatic restart.
    #[schemars(extend("format" = "date-time"))]
    pub next_restart_at: Option<String>,
    /// Names of the services it depends on.
    pub depends_on: Vec<String>,
    /// Number of output lines of its last run that could not be written to disk.
    pub log_dropped_lines: u64,
    /// True if its last run ended while output of it is not on disk yet, because the disk does not
    /// answer. Omitted otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_pending: bool,
    /// Why it is in this state, in one sentence.
    pub message: String,
}

/// Answer to GET /status.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct SystemStatus {
    /// Services by name.
    pub services: BTreeMap<String, ServiceStatus>,
    /// Totals.
    pub system: SystemTotals,
}

/// Totals over all services.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct SystemTotals {
    /// Number of services.
    pub total_services: usize,
    /// Number of services that are `running`.
    pub running_services: usize,
    /// Memory of all process trees, in MiB.
    pub total_memory_mb: f64,
    /// CPU usage of all process trees, 100 per busy core.
    pub total_cpu_percent: f64,
}

/// Answer to POST /start, /stop, /restart and /reload.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct VerbResponse {
    /// Action that was started; with `wait`, the state that the service reached.
    pub status: VerbStatus,
    /// Name of the service; null for a reload of the whole file.
    pub service: Option<String>,
    /// Current action or state, in one sentence.
    pub message: String,
}

/// Answer to POST /bulk.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct BulkResponse {
    /// `processing`; with `wait`, once all services have settled, `completed` or `failed`.
    pub status: BulkStatus,
    /// Outcomes by service, in the order of the request.
    pub operations: Vec<BulkOperation>,
}

/// The outcome for one service of a bulk request.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct BulkOperation {
    /// Name of the service.
    pub service: String,
    /// Action that was started, with `wait` the state that the service reached, or `error`.
    pub status: OperationStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Answer to GET /health/{service}.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct ServiceHealth {
    /// Name of the service.
    pub service: String,
    /// Result of the checks; `unknown` if it has none or is not running.
    pub status: HealthStatus,
    /// Result by name of the check: `ok`, or why it failed.
    #[schemars(extend("examples" = [{"http_endpoint": "ok"}]))]
    pub checks: BTreeMap<String, String>,
    /// Milliseconds that the slowest check took; null if none ran.
    pub response_time: Option<f64>,
    /// Error of the first check that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answer to GET /health of Astra.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct SupervisorHealth {
    /// Whether all required services are healthy.
    pub status: SupervisorStatus,
    /// Version of the supervisor.
    pub version: String,
    /// Whole seconds since its start.
    pub uptime: u64,
    /// Required services that failed or are unhealthy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceProblem>,
}

/// Answer to GET /metrics.
#[derive(Debug, JsonSchema, Serialize)]
pub struct MetricsResponse {
    /// Time of the samples.
    #[schemars(extend("format" = "date-time"))]
    pub timestamp: String,
    /// Metrics by service.
    pub services: BTreeMap<String, ServiceMetrics>,
}

/// The metrics of a service; only its state if it has no process.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum ServiceMetrics {
    /// With a process.
    Up {
        /// CPU usage of its process tree, 100 per busy core.
        cpu_percent: f64,
        /// Memory of its process tree, in MiB.
        memory_mb: f64,
        /// Number of threads of its process tree.
        threads: u32,
        /// Number of TCP and UDP sockets of its process tree.
        connections: usize,
        /// Seconds since its start.
        uptime: f64,
    },
    /// Without a process.
    Down {
        /// State.
        status: ServiceState,
    },
}

/// Data of an event of GET /events.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct EventBody {
    /// Name of the service.
    pub service: String,
    /// Its new state.
    pub status: ServiceState,
    /// Its new health.
    pub health: HealthStatus,
    /// Why, in one sentence.
    pub message: String,
    /// Time of the change.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

/// Lines of a service's log.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct ServiceLogs {
    /// Name of the service.
    pub service: String,
    /// Number of lines printed so far, over all runs.
    pub total_lines: u64,
    /// The lines, each as `[YYYY-MM-DD HH:MM:SS] text`.
    pub logs: Vec<String>,
    /// Number of lines in `logs`.
    pub lines_returned: u64,
    /// Number of the first of them.
    pub first: Option<u64>,
    /// Number of the last line read: pass it as `after` for what follows.
    pub next: u64,
    /// Whether something was left out: to keep to `max_bytes`, or of a line over 16 MiB.
    pub truncated: bool,
    /// Number of requested lines that are missing from `logs`, or not complete in it.
    pub omitted_lines: u64,
    /// Whether the service has a process.
    pub running: bool,
    /// Last line, if it has no newline yet: a prompt, maybe.
    pub prompt: Option<String>,
    /// Number of lines after `after` that are no longer kept; `logs` starts behind them. Omitted if
    /// there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// True if `after` is beyond the log: `logs` starts at the first line. Omitted otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cursor_reset: bool,
    /// What ended the wait. Omitted without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<WaitReason>,
    /// The line that matched, without escape sequences. Omitted unless `reason` is `match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_line: Option<String>,
}
