//! What the engine is told.

use crate::logs::LogFolder;
use crate::process::LeftBehind;
use crate::runs::End;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::services_file::{Service, ServiceConfig};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// What is wanted of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Up.
    Start,
    /// Down.
    Stop,
    /// Down, and up again.
    Restart,
}

/// What a request asks of one service.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is wanted.
    pub verb: Verb,
    /// Of which service.
    pub service: String,
    /// Fields that differ for this run and its automatic restarts.
    pub overrides: Option<Value>,
}

/// What a reload is of.
#[derive(Clone, Debug)]
pub struct Reload {
    /// What the file says. A bulk goes by one reading of it several times.
    pub services: Arc<Vec<Service>>,
    /// The service that alone is reloaded; `None` for all of the file.
    pub only: Option<String>,
}

/// What a reload does.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// In a sentence.
    pub message: String,
    /// The services that something is being done to.
    pub touched: Vec<String>,
}

/// Log directories of services to be added, by name. The client's thread opens them, so that a disk
/// that hangs stops that thread and not the engine.
pub type NewLogs = HashMap<String, Arc<LogFolder>>;

/// The engine's answer to a client.
pub enum Answer<T> {
    Done(T),
    /// Nothing was done: the log directories of these services are needed first.
    NeedsLogs(Vec<(String, Arc<ServiceConfig>)>),
}

/// A message to the engine.
pub enum Message {
    Ask {
        ask: Ask,
        logs: NewLogs,
        reply: SyncSender<Result<Answer<String>>>,
    },
    Reload {
        reload: Reload,
        logs: NewLogs,
        reply: SyncSender<Result<Answer<Reloaded>>>,
    },
    Launched {
        service: String,
        /// Which launch it was.
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
    /// A tree could not be ended, which is tried again and again.
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
    Hurry,
}
