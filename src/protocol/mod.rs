//! Wire types: the JSON bodies of requests and answers.
//!
//! The HTTP routes and the MCP tools write them, `ctl` reads them, and the ledger on disk shares
//! their enums. Field names are part of the contract. Conversions from the state of the server
//! are in `ops`.

#[macro_use]
mod wire_enum;
mod names;
mod numbers;
pub mod patterns;
mod run;
mod screen;
mod service;
mod states;

pub use names::{NAME_CHARACTERS_MAX, is_name, is_run_id, is_run_name};
pub use numbers::{seconds, whole_or_null};
pub use run::{
    ExecRequest, ExecResponse, HealthResponse, KillResponse, Leftover, LogsResponse, ProcessStatus,
    Pty, RunEventBody, RunRequest, RunsResponse, RunsWaitResponse, Size, StartRequest,
    StartResponse, StdinRequest, StdinResponse, UnkilledProcess, WaitedStatus,
};
pub use screen::{ScreenCursor, ScreenResponse};
pub use service::{
    BulkOperation, BulkRequest, BulkResponse, EventBody, MetricsResponse, ReloadRequest,
    ServiceHealth, ServiceLogs, ServiceMetrics, ServiceRequest, ServiceStatus, StopRequest,
    SupervisorHealth, SystemStatus, SystemTotals, VerbResponse,
};
pub use states::{
    BulkAction, BulkStatus, Condition, EndedBy, HealthStatus, OperationError, OperationStatus,
    ReloadKind, RestartMode, RunStatus, Scope, ServerHealth, ServiceProblem, ServiceState,
    ShellName, SupervisorStatus, VerbStatus, WaitReason,
};
