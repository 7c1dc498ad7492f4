//! One verb for several services.

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

/// How long one service may take to settle before the next one's turn comes all the same.
const TURN_MAX: Duration = Duration::from_mins(10);

/// One verb for several services.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// What is done.
    pub action: BulkAction,
    /// To which.
    pub services: Vec<String>,
    /// Whether those that do not depend on each other go at once.
    pub is_parallel: bool,
}

/// What becomes of one of them.
#[derive(Debug)]
pub struct Operation {
    /// The service.
    pub service: String,
    /// The state that it is on its way to, or why it stays as it is.
    pub outcome: Result<VerbStatus>,
}

/// Tells when something is done.
#[derive(Clone, Debug, Default)]
pub struct Done(Arc<(Mutex<Outcome>, Condvar)>);

#[derive(Debug, Default)]
struct Outcome {
    is_done: bool,
    failures: Vec<(String, Error)>,
}

impl Done {
    /// Waits until it is done, or until `deadline`. Whether it is.
    #[must_use]
    pub fn wait(&self, deadline: Instant) -> bool {
        let mut outcome = self.outcome();
        self.0.1.wait_while_until(&mut outcome, |it| !it.is_done, deadline);
        outcome.is_done
    }

    /// What failed so far, by service. Each is given once.
    #[must_use]
    pub fn take_failures(&self) -> Vec<(String, Error)> {
        std::mem::take(&mut self.outcome().failures)
    }

    fn add_failures(&self, failures: Vec<(String, Error)>) {
        self.outcome().failures.extend(failures);
    }

    fn tell(&self) {
        self.outcome().is_done = true;
        self.0.1.notify_all();
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.0.0.lock()
    }
}

impl Bulk {
    /// Says what is going to be done to each, and does it on a thread of its own, `bulk`: in the
    /// order of what depends on what, each group when the one before has settled. Does not wait:
    /// what is given besides tells when all of it is done, and what failed.
    ///
    /// # Errors
    /// `TooManyRequests` if 32 are running already; for a reload those of the file.
    pub fn begin(mut self, supervisor: &Arc<Supervisor>) -> Result<(Vec<Operation>, Done)> {
        let mut step = match self.action {
            BulkAction::Start => Step::Ask(Verb::Start),
            BulkAction::Stop => Step::Ask(Verb::Stop),
            BulkAction::Restart => Step::Ask(Verb::Restart),
            BulkAction::Reload => Step::ReloadBy(supervisor.read()?),
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
        let going = operations.iter().filter(|operation| operation.outcome.is_ok());
        let going: BTreeSet<&str> = going.map(|operation| operation.service.as_str()).collect();
        let groups = self.groups(supervisor, &going);
        let (supervisor, done) = (Arc::clone(supervisor), Done::default());
        let when_done = done.clone();
        let work = move || {
            for group in groups {
                when_done.add_failures(step.apply(&supervisor, &group));
            }
            when_done.tell();
            drop(permit);
        };
        let thread = thread::Builder::new().name("bulk".into()).stack_size(256 * 1024);
        thread.spawn(work).map_err(|error| SystemError::new("start a thread for it", error))?;
        Ok((operations, done))
    }

    /// The state that a service is on its way to then.
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

    /// Those that go at once, group after group: in the order of all services, so that what is
    /// between two of them counts as well.
    fn groups(&self, supervisor: &Supervisor, going: &BTreeSet<&str>) -> Vec<Vec<String>> {
        let dependencies =
            |it: &Arc<ServiceHandle>| it.facts().config.depends_on.keys().cloned().collect();
        let services = supervisor.services();
        let nodes = services.iter().map(|it| (it.name().to_owned(), dependencies(it)));
        // Services are not started in a cycle, so there is none among those that matter.
        let graph = Graph::new(nodes.collect()).unwrap_or_default();
        let chosen = |group: Vec<&str>| -> Vec<String> {
            group.into_iter().filter(|name| going.contains(name)).map(str::to_owned).collect()
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

/// What is done to one service after the other.
enum Step {
    Ask(Verb),
    ReloadBy(Reading),
}

impl Step {
    /// Does it to each of a group, and waits until they have settled. Gives what failed.
    fn apply(&mut self, supervisor: &Supervisor, group: &[String]) -> Vec<(String, Error)> {
        let mut failures = Vec::new();
        for name in group {
            let done = match self {
                Self::Ask(verb) => supervisor.ask_plainly(*verb, name).map(drop),
                Self::ReloadBy(reading) => supervisor.reload_by(reading, name).map(drop),
            };
            if let Err(error) = done {
                log::warn!("bulk: {error}");
                failures.push((name.clone(), error));
            }
        }
        supervisor.wait_settled(group, Instant::now() + TURN_MAX);
        failures
    }
}
