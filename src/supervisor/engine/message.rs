//! Messages to the engine, and its answers.

use crate::logs::LogFolder;
use crate::process::LeftBehind;
use crate::runs::End;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::service_handle::ServiceHandle;
use crate::supervisor::services_file::{Service, ServiceConfig};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// An operation on a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop it and start it again.
    Restart,
}

/// A requested operation on one service.
#[derive(Clone, Debug)]
pub struct ServiceCommand {
    /// Operation.
    pub verb: Verb,
    /// Name of the service.
    pub service: String,
    /// Configuration fields to override for this run and its automatic restarts.
    pub overrides: Option<Value>,
}

/// A requested reload.
#[derive(Clone, Debug)]
pub struct Reload {
    /// Services of the file. A bulk operation uses one reading several times.
    pub services: Arc<Vec<Service>>,
    /// Only service to reload; `None` for the whole file.
    pub only: Option<String>,
}

/// The effect of a reload.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// Description, in a sentence.
    pub message: String,
    /// Services with an operation in progress.
    pub touched: Vec<String>,
}

/// Log directories of services to be added, by name. The client's thread opens them, so that a
/// disk that hangs blocks that thread and not the engine.
pub type NewLogs = HashMap<String, Arc<LogFolder>>;

/// The engine's answer to a client.
pub enum Answer<T> {
    Done(T),
    /// Nothing was done: the log directories of these services are required first.
    NeedsLogs(Vec<(String, Arc<ServiceConfig>)>),
}

/// A message to the engine.
pub enum Message {
    Command {
        command: ServiceCommand,
        logs: NewLogs,
        reply: SyncSender<Result<Answer<String>>>,
    },
    Reload {
        reload: Reload,
        logs: NewLogs,
        reply: SyncSender<Result<Answer<Reloaded>>>,
    },
    /// Remove a service that a client has added.
    Remove {
        service: String,
        reply: SyncSender<Result<Arc<ServiceHandle>>>,
    },
    Launched {
        service: String,
        /// Number of the launch.
        number: u64,
        result: std::result::Result<String, Error>,
    },
    Ended {
        service: String,
        run_id: String,
        end: End,
    },
    TreeGone {
        service: String,
        left: Vec<LeftBehind>,
    },
    /// A tree could not be ended yet; the attempts continue.
    Stuck {
        service: String,
        left: Vec<LeftBehind>,
    },
    ProbeFinished {
        service: String,
        generation: u64,
        check: usize,
        found: std::result::Result<(), String>,
    },
    ShutDown,
    ForceShutdown,
}
