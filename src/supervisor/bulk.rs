//! Bulk operations: an action on several services.

use super::engine::Verb;
use super::graph::Graph;
use super::handle::{Reading, Supervisor};
use super::service_handle::ServiceHandle;
use crate::error::SystemError;
use crate::protocol::{BulkAction, ServiceState, VerbStatus};
use crate::supervisor::error::{Error, Result};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The maximum wait for a group of services to settle before the next group is processed.
const SETTLE_MAX: Duration = Duration::from_mins(10);

/// An action on several services.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// Action.
    pub action: BulkAction,
    /// Names of the services.
    pub services: Vec<String>,
    /// Whether independent services are processed in parallel.
    pub is_parallel: bool,
}

/// The operation on one service of a bulk.
#[derive(Debug)]
pub struct Operation {
    /// Name of the service.
    pub service: String,
    /// Status while it is in progress, or why the service is left as it is.
    pub outcome: Result<VerbStatus>,
}

/// A completion handle of a bulk operation.
#[derive(Clone, Debug, Default)]
pub struct Done(Arc<(Mutex<Outcome>, Condvar)>);

#[derive(Debug, Default)]
struct Outcome {
    is_done: bool,
    failures: Vec<(String, Error)>,
}

impl Done {
    /// Waits until it is done, or until `deadline`. Returns whether it is.
    #[must_use]
    pub fn wait(&self, deadline: Instant) -> bool {
        let mut outcome = self.outcome();
        self.0.1.wait_while_until(&mut outcome, |it| !it.is_done, deadline);
        outcome.is_done
    }

    /// Takes the failures so far, by service. Each is returned once.
    #[must_use]
    pub fn take_failures(&self) -> Vec<(String, Error)> {
        std::mem::take(&mut self.outcome().failures)
    }

    fn add_failures(&self, failures: Vec<(String, Error)>) {
        self.outcome().failures.extend(failures);
    }

    fn notify(&self) {
        self.outcome().is_done = true;
        self.0.1.notify_all();
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.0.0.lock()
    }
}

impl Bulk {
    /// Starts the operation on a thread of its own, `bulk`, and returns what will be done to each
    /// service. Services are processed in the order of their dependencies, each group when the one
    /// before has settled. Does not wait: [`Done`] reports the completion and the failures.
    ///
    /// # Errors
    /// `TooManyRequests` if 32 are running already; for a reload those of the file.
    pub fn begin(mut self, supervisor: &Arc<Supervisor>) -> Result<(Vec<Operation>, Done)> {
        let mut step = match self.action {
            BulkAction::Start => Step::Command(Verb::Start),
            BulkAction::Stop => Step::Command(Verb::Stop),
            BulkAction::Restart => Step::Command(Verb::Restart),
            BulkAction::Reload => Step::ReloadFrom(supervisor.read()?),
        };
        let permit = supervisor.begin_bulk()?;
        let mut seen = BTreeSet::new();
        self.services.retain(|name| seen.insert(name.clone()));
        let operations: Vec<Operation> = self
            .services
            .iter()
            .map(|name| {
                let found = supervisor.find(name);
                let outcome = found.and_then(|service| self.expected(&service));
                Operation { service: name.clone(), outcome }
            })
            .collect();
        let accepted = operations.iter().filter(|operation| operation.outcome.is_ok());
        let accepted: BTreeSet<&str> =
            accepted.map(|operation| operation.service.as_str()).collect();
        let groups = self.groups(supervisor, &accepted);
        let (supervisor, done) = (Arc::clone(supervisor), Done::default());
        let when_done = done.clone();
        let work = move || {
            for group in groups {
                when_done.add_failures(step.apply(&supervisor, &group));
            }
            when_done.notify();
            drop(permit);
        };
        let thread = thread::Builder::new().name("bulk".into()).stack_size(256 * 1024);
        thread.spawn(work).map_err(|error| SystemError::new("start a thread for it", error))?;
        Ok((operations, done))
    }

    /// Returns the status of a service while the action is in progress.
    fn expected(&self, service: &ServiceHandle) -> Result<VerbStatus> {
        let state = service.state();
        let refused = |advice| {
            let name = service.name().to_owned();
            Err(Error::ServiceState { name, state, advice })
        };
        match self.action {
            BulkAction::Start if state.is_down() || state == ServiceState::Backoff => {
                Ok(VerbStatus::Starting)
            }
            BulkAction::Start if state == ServiceState::Stopping => {
                refused("wait until that is done")
            }
            BulkAction::Start => refused("restart it, or stop it first"),
            BulkAction::Stop if state.is_down() => refused("there is nothing to stop"),
            BulkAction::Stop => Ok(VerbStatus::Stopping),
            BulkAction::Restart => Ok(VerbStatus::Restarting),
            BulkAction::Reload => Ok(VerbStatus::Reloading),
        }
    }

    /// Groups the accepted services by the order of all services, so that dependencies through
    /// services outside the bulk count as well.
    fn groups(&self, supervisor: &Supervisor, accepted: &BTreeSet<&str>) -> Vec<Vec<String>> {
        let dependencies =
            |it: &Arc<ServiceHandle>| it.snapshot().config.depends_on.keys().cloned().collect();
        let services = supervisor.services();
        let nodes = services.iter().map(|it| (it.name().to_owned(), dependencies(it)));
        // Services are not started in a cycle, so there is none among the relevant ones.
        let graph = Graph::new(nodes.collect()).unwrap_or_default();
        let chosen = |group: Vec<&str>| -> Vec<String> {
            group.into_iter().filter(|name| accepted.contains(name)).map(str::to_owned).collect()
        };
        let mut groups: Vec<Vec<String>> = if self.is_parallel {
            graph.layers().into_iter().map(chosen).collect()
        } else {
            graph.start_order().into_iter().map(|name| chosen(vec![name])).collect()
        };
        groups.retain(|group| !group.is_empty());
        if self.action == BulkAction::Stop {
            groups.reverse();
        }
        groups
    }
}

/// The action on each service.
enum Step {
    Command(Verb),
    ReloadFrom(Reading),
}

impl Step {
    /// Applies it to each service of a group and waits until they have settled. Returns failures.
    fn apply(&mut self, supervisor: &Supervisor, group: &[String]) -> Vec<(String, Error)> {
        let mut failures = Vec::new();
        for name in group {
            let done = match self {
                Self::Command(verb) => supervisor.send_without_overrides(*verb, name).map(drop),
                Self::ReloadFrom(reading) => supervisor.reload_from(reading, name).map(drop),
            };
            if let Err(error) = done {
                log::warn!("bulk: {error}");
                failures.push((name.clone(), error));
            }
        }
        supervisor.wait_settled(group, Instant::now() + SETTLE_MAX);
        failures
    }
}
