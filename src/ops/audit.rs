//! The audit: one line of JSON for each request that changes something.

use super::client::{Client, Provenance};
use super::error::Result;
use crate::auth::AuditFile;
use crate::logs::{format_instant, now};
use crate::protocol::RunRequest;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Writes the audit file, if one is set.
#[derive(Clone, Debug, Default)]
pub struct Audit(Option<Arc<AuditFile>>);

/// Operations that are audited.
pub trait Audited {
    /// Returns their audit.
    fn audit(&self) -> &Audit;
}

/// A change that a client requested. Values of environment variables and input are never in it.
#[derive(Debug, Default, Serialize)]
pub struct Change<'a> {
    /// The action, as an infinitive.
    pub action: &'static str,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<&'a str>,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'a str>,
    /// Services, with the outcome of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<BTreeMap<&'a str, &'static str>>,
    /// The command, as it was sent: text, or a list of arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Value>,
    /// The working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The names of the variables that are set or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<&'a str>,
    /// The names of the configuration's fields that are overridden.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<&'a str>,
    /// The signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The size of the input, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    peer: &'a str,
    uid: Option<u32>,
    token: Option<&'a str>,
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'static str>,
    #[serde(flatten)]
    change: &'a Change<'a>,
    outcome: &'static str,
    request_id: &'a str,
}

impl<'a> Change<'a> {
    /// Creates a change without details.
    #[must_use]
    pub fn new(action: &'static str) -> Self {
        Self { action, ..Self::default() }
    }

    /// Creates the start of a command.
    #[must_use]
    pub fn of_start(request: &'a RunRequest) -> Self {
        Self {
            command: request.command.clone().map(Value::from),
            cwd: request.cwd.as_ref().map(|cwd| cwd.display().to_string()),
            env: request.env.keys().map(String::as_str).collect(),
            ..Self::new("start")
        }
    }

    /// Creates a change of a service, with the fields that override its configuration.
    #[must_use]
    pub fn of_service(action: &'static str, service: &'a str, config: Option<&'a Value>) -> Self {
        let fields = config.and_then(Value::as_object);
        let env = fields.and_then(|fields| fields.get("env")).and_then(Value::as_object);
        Self {
            service: Some(service),
            command: fields.and_then(|fields| fields.get("cmd")).cloned(),
            env: env.into_iter().flat_map(|env| env.keys().map(String::as_str)).collect(),
            config: fields.into_iter().flat_map(|it| it.keys().map(String::as_str)).collect(),
            ..Self::new(action)
        }
    }
}

impl Audit {
    /// Creates the audit that is written to a file.
    #[must_use]
    pub fn to(file: Option<Arc<AuditFile>>) -> Self {
        Self(file)
    }

    /// Returns the number of lines that were lost.
    #[must_use]
    pub fn lost_lines(&self) -> u64 {
        self.0.as_ref().map_or(0, |file| file.lost())
    }

    /// Adds a line about a change and its outcome. Does not wait for the disk.
    pub fn record<T>(&self, client: &dyn Client, change: &Change<'_>, result: &Result<T>) {
        self.record_of(client, client.principal().name.as_deref(), change, result);
    }

    /// Adds a line about a change by the client with this name, which the request has yet to
    /// establish.
    pub fn record_of<T>(
        &self,
        client: &dyn Client,
        name: Option<&str>,
        change: &Change<'_>,
        result: &Result<T>,
    ) {
        let Some(file) = &self.0 else { return };
        let Provenance { peer, uid, route, tool, request_id } = client.provenance();
        let line = Line {
            time: format_instant(now()),
            peer: &peer,
            uid,
            token: name,
            route: &route,
            tool,
            change,
            outcome: match result {
                Ok(_) => "ok",
                Err(error) => error.kind().as_str(),
            },
            request_id: &request_id,
        };
        // Nothing in it fails to be serialized.
        file.add(serde_json::to_vec(&line).unwrap_or_default());
    }

    /// Writes what is waiting, and closes the file. Blocks until that is done.
    pub fn finish(&self) {
        if let Some(file) = &self.0 {
            file.finish();
        }
    }
}
