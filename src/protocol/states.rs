//! Enums of states, causes and outcomes.

use serde::{Deserialize, Serialize};
use std::fmt;

wire_enum! {
    /// Whether a command is running and, if not, how it ended.
    pub enum RunStatus {
        /// Its process is alive.
        Running = "running",
        /// Ended by itself.
        Exited = "exited",
        /// The server or a signal ended it.
        Killed = "killed",
    }
}

wire_enum! {
    /// The cause of the end of a command.
    pub enum EndedBy {
        /// Ended by itself.
        Itself = "itself",
        /// A client killed or stopped it.
        Kill = "kill",
        /// A client restarted it.
        Restart = "restart",
        /// Its timeout expired.
        Timeout = "timeout",
        /// Its configuration changed.
        Reload = "reload",
        /// Its health checks failed.
        Health = "health",
        /// The kernel killed it because it exceeded its memory limit.
        Limit = "limit",
        /// The server shut down.
        Shutdown = "shutdown",
        /// A signal from elsewhere.
        Signal = "signal",
        /// Unknown: the server was killed meanwhile, or another process took the exit status.
        Lost = "lost",
    }
}

wire_enum! {
    /// The shell of a session.
    pub enum ShellName {
        /// bash.
        Bash = "bash",
        /// /bin/sh.
        Sh = "sh",
    }
}

wire_enum! {
    /// The cause of the end of a wait.
    pub enum WaitReason {
        /// A line was printed.
        Line = "line",
        /// The run has ended.
        End = "end",
        /// A line matched.
        Match = "match",
        /// Nothing was printed for a while.
        Idle = "idle",
        /// The time was up.
        Timeout = "timeout",
    }
}

impl EndedBy {
    /// Returns the status of a run that ended so.
    #[must_use]
    pub fn status(self) -> RunStatus {
        if self == Self::Itself { RunStatus::Exited } else { RunStatus::Killed }
    }

    /// Returns whether the whole process tree is ended too, so that no process is left on purpose.
    #[must_use]
    pub fn ends_tree(self) -> bool {
        match self {
            Self::Kill
            | Self::Restart
            | Self::Timeout
            | Self::Reload
            | Self::Health
            | Self::Shutdown => true,
            Self::Itself | Self::Limit | Self::Signal | Self::Lost => false,
        }
    }
}

wire_enum! {
    /// The state of a service.
    pub enum ServiceState {
        /// Never started, or stopped by hand.
        Stopped = "stopped",
        /// Starting: its dependencies or its health checks are not ready.
        Starting = "starting",
        /// Up.
        Running = "running",
        /// Being stopped, to be started again.
        Restarting = "restarting",
        /// Being stopped.
        Stopping = "stopping",
        /// Ended by itself with exit code 0.
        Exited = "exited",
        /// Ended otherwise, and its policy does not restart it.
        Crashed = "crashed",
        /// Waiting to be restarted.
        Backoff = "backoff",
        /// Restarted as often as its policy allows.
        Fatal = "fatal",
    }
}

impl ServiceState {
    /// Returns whether no start, restart or stop is in progress.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Starting | Self::Restarting | Self::Stopping)
    }

    /// Returns whether it is down and no restart is pending.
    #[must_use]
    pub fn is_down(self) -> bool {
        matches!(self, Self::Stopped | Self::Exited | Self::Crashed | Self::Fatal)
    }

    /// Returns whether it failed: a required service in such a state degrades the supervisor.
    #[must_use]
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Crashed | Self::Backoff | Self::Fatal)
    }
}

wire_enum! {
    /// The result of a service's health checks.
    pub enum HealthStatus {
        /// All checks passed.
        Healthy = "healthy",
        /// At least one check failed.
        Unhealthy = "unhealthy",
        /// There are no checks, or none has run yet.
        Unknown = "unknown",
    }
}

wire_enum! {
    /// The health of an LLM Shell: it answers, or it does not.
    pub enum ServerHealth {
        /// The server answers.
        Healthy = "healthy",
    }
}

wire_enum! {
    /// The health of the supervisor.
    pub enum SupervisorStatus {
        /// Every required service is well.
        Healthy = "healthy",
        /// At least one required service failed or is unhealthy.
        Degraded = "degraded",
    }
}

wire_enum! {
    /// The action that a request started, or the state that the service reached.
    pub enum VerbStatus {
        /// Starting.
        Starting = "starting",
        /// Being stopped.
        Stopping = "stopping",
        /// Being stopped, to be started again.
        Restarting = "restarting",
        /// The services file is being applied.
        Reloading = "reloading",
        /// The services file was applied.
        Reloaded = "reloaded",
        /// Stopped.
        Stopped = "stopped",
        /// Up.
        Running = "running",
        /// Ended by itself with exit code 0.
        Exited = "exited",
        /// Ended otherwise, and its policy does not restart it.
        Crashed = "crashed",
        /// Ended otherwise and waits to be restarted.
        Backoff = "backoff",
        /// Restarted as often as its policy allows.
        Fatal = "fatal",
    }
}

impl From<ServiceState> for VerbStatus {
    fn from(state: ServiceState) -> Self {
        match state {
            ServiceState::Stopped => Self::Stopped,
            ServiceState::Starting => Self::Starting,
            ServiceState::Running => Self::Running,
            ServiceState::Restarting => Self::Restarting,
            ServiceState::Stopping => Self::Stopping,
            ServiceState::Exited => Self::Exited,
            ServiceState::Crashed => Self::Crashed,
            ServiceState::Backoff => Self::Backoff,
            ServiceState::Fatal => Self::Fatal,
        }
    }
}

impl VerbStatus {
    /// Returns whether the service failed.
    #[must_use]
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Crashed | Self::Backoff | Self::Fatal)
    }
}

wire_enum! {
    /// Marks an operation of a bulk request that was refused or failed.
    pub enum OperationError {
        /// Refused or failed.
        Error = "error",
    }
}

/// The outcome for one service of a bulk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum OperationStatus {
    /// The action that was started, or the state that the service reached.
    Accepted(VerbStatus),
    /// Refused or failed; `detail` says why.
    Failed(OperationError),
}

impl OperationStatus {
    /// Returns whether the operation or the service failed.
    #[must_use]
    pub fn has_failed(self) -> bool {
        match self {
            Self::Accepted(status) => status.has_failed(),
            Self::Failed(_) => true,
        }
    }
}

impl fmt::Display for OperationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(status) => status.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

wire_enum! {
    /// The progress of a bulk request.
    pub enum BulkStatus {
        /// Not all services have settled.
        Processing = "processing",
        /// All services have settled as requested.
        Completed = "completed",
        /// All have settled, and at least one failed.
        Failed = "failed",
    }
}

wire_enum! {
    /// The action of a bulk request.
    pub enum BulkAction {
        /// Start it.
        Start = "start",
        /// Stop it.
        Stop = "stop",
        /// Stop it and start it again.
        Restart = "restart",
        /// Apply what changed in the services file.
        Reload = "reload",
    }
}

wire_enum! {
    /// The scope of a reload.
    #[derive(Default)]
    pub enum ReloadKind {
        /// The services file.
        #[default]
        Config = "config",
        /// The service's own code: it is restarted with its present configuration.
        Code = "code",
    }
}

/// Why a required service degrades the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum ServiceProblem {
    /// Its state.
    State(ServiceState),
    /// Its health, while it is running.
    Health(HealthStatus),
}

impl fmt::Display for ServiceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => state.fmt(f),
            Self::Health(health) => health.fmt(f),
        }
    }
}

wire_enum! {
    /// Which ends of a service cause a restart.
    pub enum RestartMode {
        /// All ends.
        Always = "always",
        /// Ends with an exit code other than 0, or by a signal.
        OnFailure = "on-failure",
        /// No end.
        Never = "never",
    }
}

wire_enum! {
    /// The condition that a service must meet before another is started.
    pub enum Condition {
        /// The service is running.
        Started = "started",
        /// Its health checks pass, or it is running if it has none.
        Healthy = "healthy",
        /// The service has ended with exit code 0.
        Completed = "completed",
    }
}

wire_enum! {
    /// What a client may do. Each scope includes those before it.
    #[derive(PartialOrd, Ord)]
    pub enum Scope {
        /// Read: status, logs, metrics, events.
        Read = "read",
        /// Also act on what there is: start, stop, restart, kill, signal, reload.
        Operate = "operate",
        /// Everything: also choose what is run, and write to it.
        Run = "run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_round_trip_through_json() {
        for state in ServiceState::ALL {
            let json = serde_json::to_string(state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(serde_json::from_str::<ServiceState>(&json).unwrap(), *state);
            assert_eq!(VerbStatus::from(*state).as_str(), state.as_str());
        }
        for by in EndedBy::ALL {
            assert_eq!(serde_json::to_string(by).unwrap(), format!("\"{by}\""));
        }
        let refused: OperationStatus = serde_json::from_str("\"error\"").unwrap();
        assert_eq!(refused, OperationStatus::Failed(OperationError::Error));
        let problem: ServiceProblem = serde_json::from_str("\"unhealthy\"").unwrap();
        assert_eq!(problem, ServiceProblem::Health(HealthStatus::Unhealthy));
    }
}
