//! Commands for one service.

use super::entry::Entry;
use super::message::{Answer, NewLogs, ServiceCommand, Verb};
use super::{Engine, Message};
use crate::logs::LogFolder;
use crate::protocol::Condition;
use crate::protocol::{EndedBy, ServiceState};
use crate::runs;
use crate::supervisor::error::{Error, Result};
use crate::supervisor::graph::Graph;
use crate::supervisor::service_handle::ServiceOrigin;
use crate::supervisor::services_file::{ParseContext, Service, check_limits};
use serde_json::Value;
use std::slice;
use std::sync::Arc;

impl Engine {
    /// Executes a client's command as far as that is possible without waiting. Returns what is
    /// being done, in a sentence. Adds a service that the request defines.
    pub(super) fn handle_command(
        &mut self,
        command: &ServiceCommand,
        mut logs: NewLogs,
    ) -> Result<Answer<String>> {
        if self.is_closing {
            return Err(runs::Error::ShuttingDown.into());
        }
        let added = self.new_service(command)?;
        if let Some(service) = &added {
            let Some(folder) = logs.remove(&service.name) else {
                let needed = (service.name.clone(), Arc::clone(&service.config));
                return Ok(Answer::NeedsLogs(vec![needed]));
            };
            self.add(service.clone(), ServiceOrigin::Added, folder);
        }
        let config = added.map_or_else(|| self.config_for(command), |service| Ok(Some(service)))?;
        self.apply_command(command, config).map(Answer::Done)
    }

    /// Executes a command for a supervised service, whose next run uses `config`.
    pub(super) fn apply_command(
        &mut self,
        command: &ServiceCommand,
        config: Option<Service>,
    ) -> Result<String> {
        let name = command.service.as_str();
        let Some(entry) = self.entries.get_mut(name) else { return Err(self.unknown(name)) };
        let before = entry.machine.state();
        if entry.origin == ServiceOrigin::Leaving && command.verb != Verb::Stop {
            let advice = "it is being removed: wait until it is gone";
            return Err(Error::ServiceState { name: name.to_owned(), state: before, advice });
        }
        let left = entry.leftovers();
        let is_launching = entry.machine.is_launching();
        let refused = |state: ServiceState| Error::ServiceState {
            name: name.to_owned(),
            state,
            advice: advice(command.verb, state),
        };
        let action = match command.verb {
            Verb::Start => Some(entry.machine.start().map_err(refused)?),
            Verb::Stop => entry.machine.stop(EndedBy::Kill, left).map_err(refused)?,
            Verb::Restart => entry.machine.restart(EndedBy::Restart),
        };
        if let Some(service) = config {
            // The definition of a service that the request has added needs no overrides.
            let overrides = command.overrides.clone().filter(|_| entry.definition != service);
            entry.apply_config(service.config, overrides);
        }
        let (predicate, message) = describe_command(command.verb, before, entry.machine.state());
        let (is_waiting, after) = (entry.machine.is_waiting(), entry.machine.state());
        self.publish_status(name, message);
        // Joining an operation in progress must not void its timers.
        if action.is_some() || after != before {
            self.perform(name, action);
        } else if is_waiting {
            // Its dependencies may have changed.
            self.await_dependencies(name);
        }
        if is_launching {
            self.cancel_launch(name);
        }
        let dependents =
            if command.verb == Verb::Stop { self.dependents(name) } else { Vec::new() };
        if dependents.is_empty() {
            return Ok(format!("Service {name} {predicate}."));
        }
        let still = dependents.join(", ");
        Ok(format!("Service {name} {predicate}. Still running and depending on it: {still}."))
    }

    /// Returns the names of running services that require this one to run, sorted.
    fn dependents(&self, name: &str) -> Vec<&str> {
        let needs = |entry: &Entry| {
            let condition = entry.config.depends_on.get(name);
            entry.machine.is_up() && condition.is_some_and(|it| *it != Condition::Completed)
        };
        let dependents = self.entries.iter().filter(|(_, entry)| needs(entry));
        let mut names: Vec<&str> = dependents.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// Returns the service that a start request defines, if none with its name exists.
    fn new_service(&self, command: &ServiceCommand) -> Result<Option<Service>> {
        let name = command.service.as_str();
        match &command.overrides {
            _ if self.entries.contains_key(name) => Ok(None),
            Some(fields) if command.verb == Verb::Start && has_command(fields) => {
                let known = self.names();
                let service = Service::parse_new(name, fields, self.parse_context(&known))?;
                check_limits(slice::from_ref(&service), &self.context.cgroups)?;
                Ok(Some(service))
            }
            _ => Err(self.unknown(name)),
        }
    }

    /// Returns the definition for the next run of a service, with the overrides of the request;
    /// `None` for a stop.
    pub(super) fn config_for(&self, command: &ServiceCommand) -> Result<Option<Service>> {
        if command.verb == Verb::Stop {
            return Ok(None);
        }
        let name = command.service.as_str();
        let Some(entry) = self.entries.get(name) else { return Err(self.unknown(name)) };
        let overrides = command.overrides.as_ref();
        let changed = match overrides {
            Some(overrides) => {
                let known = self.names();
                entry.definition.with_overrides(overrides, self.parse_context(&known))?
            }
            None => entry.definition.clone(),
        };
        self.check_dependencies(&changed, overrides.is_some())?;
        check_limits(slice::from_ref(&changed), &self.context.cgroups)?;
        Ok(Some(changed))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }

    pub(super) fn parse_context<'a>(&'a self, known: &'a [&'a str]) -> ParseContext<'a> {
        ParseContext { environment: &self.context.environment, known }
    }

    /// Refuses a service that would wait for itself, or, if it `is_new`, for an unknown one. The
    /// dependencies of a known service may have been removed from the file since.
    pub(super) fn check_dependencies(&self, changed: &Service, is_new: bool) -> Result<()> {
        if changed.config.depends_on.is_empty() {
            return Ok(());
        }
        let mut names = changed.config.depends_on.keys().filter(|_| is_new);
        if let Some(missing) = names.find(|name| !self.entries.contains_key(*name)) {
            return Err(Error::Invalid(format!(
                "{} depends on {missing:?}, which is not supervised: reload the whole file, or \
                 start that first.",
                changed.name
            )));
        }
        let dependencies = |entry: &Entry| {
            // A service that is down is started with its definition.
            let is_down = entry.machine.state().is_down();
            let config = if is_down { &entry.definition.config } else { &*entry.config };
            config.depends_on.keys().cloned().collect()
        };
        let others = self.entries.iter().filter(|(name, _)| **name != changed.name);
        let nodes = others.map(|(name, entry)| (name.clone(), dependencies(entry)));
        let own = changed.config.depends_on.keys().cloned().collect();
        let nodes = nodes.chain([(changed.name.clone(), own)]).collect();
        let error = |cycle| Error::Invalid(format!("{}.depends_on {cycle}.", changed.name));
        Graph::new(nodes).map(drop).map_err(error)
    }

    /// Adds a service without starting it.
    pub(super) fn add(&mut self, definition: Service, origin: ServiceOrigin, logs: Arc<LogFolder>) {
        let (name, config) = (definition.name.clone(), Arc::clone(&definition.config));
        let (to_engine, service) = (self.sender.clone(), name.clone());
        let on_end = move |run_id: &str, end| {
            let (service, run_id) = (service.clone(), run_id.to_owned());
            // An engine that has ended needs no report.
            let _gone = to_engine.send(Message::Ended { service, run_id, end });
        };
        let handle = Arc::new(self.context.supervise(&name, Arc::clone(&config), logs, on_end));
        self.roster.add(Arc::clone(&handle));
        let entry = Entry { origin, ..Entry::new(handle, definition, config) };
        self.entries.insert(name, Box::new(entry));
    }

    pub(super) fn unknown(&self, name: &str) -> Error {
        self.roster.find(name).err().unwrap_or(runs::Error::ShuttingDown.into())
    }
}

fn has_command(fields: &Value) -> bool {
    fields.get("cmd").is_some_and(|cmd| !cmd.is_null())
}

/// Describes the effect of a command: as a predicate for the answer, and for the status.
fn describe_command(
    verb: Verb,
    before: ServiceState,
    after: ServiceState,
) -> (&'static str, &'static str) {
    match (verb, before, after) {
        (Verb::Start, ..) => ("is being started", "Starting."),
        (Verb::Stop, ServiceState::Backoff, _) => {
            ("is stopped: its restart is cancelled", "Stopped: its restart is cancelled.")
        }
        (Verb::Stop, _, ServiceState::Stopped) => {
            ("is stopped: its start is cancelled", "Stopped: its start is cancelled.")
        }
        (Verb::Stop, ..) => ("is being stopped", "Stopping."),
        (
            Verb::Restart,
            ServiceState::Running | ServiceState::Starting,
            ServiceState::Restarting,
        ) => ("is being restarted", "Stopping, to be started again."),
        (Verb::Restart, ..) => ("is being restarted", "Starting again."),
    }
}

/// Returns what to do instead of an operation that the state forbids.
fn advice(verb: Verb, state: ServiceState) -> &'static str {
    match (verb, state) {
        (Verb::Stop, _) => "there is nothing to stop",
        (_, ServiceState::Running | ServiceState::Starting) => "restart it, or stop it first",
        _ => "wait until that is done",
    }
}
