//! One verb for several services.

use super::engine::Verb;
use super::graph::Graph;
use super::handle::Supervisor;
use super::life::ServiceState;
use super::supervised::Supervised;
use crate::error::{Error, Result};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long one service may take to settle before the next one's turn comes all the same.
const TURN_MAX: Duration = Duration::from_mins(10);

/// What is done to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAction {
    /// Up.
    Start,
    /// Down.
    Stop,
    /// Down, and up again.
    Restart,
    /// As the file says now.
    Reload,
}

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
    pub outcome: Result<&'static str>,
}

/// Tells when something is done.
#[derive(Clone, Debug, Default)]
pub struct Done(Arc<(Mutex<bool>, Condvar)>);

impl Done {
    /// Waits until it is done, or until `deadline`. Whether it is.
    #[must_use]
    pub fn wait(&self, deadline: Instant) -> bool {
        let (is_done, changed) = &*self.0;
        let is_done = is_done.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = changed.wait_timeout_while(is_done, left, |is_done| !*is_done);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn tell(&self) {
        let (is_done, changed) = &*self.0;
        *is_done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

impl Bulk {
    /// Says what is going to be done to each, and does it on a thread of its own, `bulk`: in the
    /// order of what depends on what, each group when the one before has settled. Does not wait:
    /// what is given besides tells when all of it is done.
    #[must_use]
    pub fn begin(self, supervisor: &Arc<Supervisor>) -> (Vec<Operation>, Done) {
        let mut operations = Vec::new();
        let mut going = Vec::new();
        for name in &self.services {
            let outcome = supervisor.find(name).and_then(|service| {
                let word = self.expected(&service)?;
                going.push(service);
                Ok(word)
            });
            operations.push(Operation { service: name.clone(), outcome });
        }
        let groups = self.groups(&going);
        let (action, supervisor, done) = (self.action, Arc::clone(supervisor), Done::default());
        let when_done = done.clone();
        let work = move || {
            for group in groups {
                action.apply(&supervisor, &group);
            }
            when_done.tell();
        };
        let thread = thread::Builder::new().name("bulk".into()).stack_size(256 * 1024);
        if let Err(error) = thread.spawn(work) {
            let refused = |source| Error::kernel("start a thread for it", source);
            for operation in &mut operations {
                operation.outcome = Err(refused(std::io::Error::from(error.kind())));
            }
            done.tell();
        }
        (operations, done)
    }

    /// The state that a service is on its way to then.
    fn expected(&self, service: &Supervised) -> Result<&'static str> {
        let state = service.state();
        let refused = |advice| {
            let name = service.name().to_owned();
            Err(Error::ServiceState { name, state: state.word(), advice })
        };
        match self.action {
            BulkAction::Start if state.is_down() || state == ServiceState::Backoff => {
                Ok("starting")
            }
            BulkAction::Start => refused("restart it, or stop it first"),
            BulkAction::Stop if state.is_down() => refused("there is nothing to stop"),
            BulkAction::Stop => Ok("stopping"),
            BulkAction::Restart => Ok("restarting"),
            BulkAction::Reload => Ok("reloading"),
        }
    }

    /// Those that go at once, group after group.
    fn groups(&self, services: &[Arc<Supervised>]) -> Vec<Vec<String>> {
        let dependencies =
            |it: &Arc<Supervised>| it.facts().config.depends_on.keys().cloned().collect();
        let nodes = services.iter().map(|it| (it.name().to_owned(), dependencies(it)));
        // The services were taken on without a cycle.
        let graph = Graph::new(nodes.collect()).unwrap_or_default();
        let named = |group: Vec<&str>| group.into_iter().map(str::to_owned).collect();
        let mut groups: Vec<Vec<String>> = if self.is_parallel {
            graph.layers().into_iter().map(named).collect()
        } else {
            graph.start_order().into_iter().map(|name| named(vec![name])).collect()
        };
        if self.action == BulkAction::Stop {
            groups.reverse();
        }
        groups
    }
}

impl BulkAction {
    /// Does it to each of a group, and waits until they have settled.
    fn apply(self, supervisor: &Supervisor, group: &[String]) {
        for name in group {
            let done = match self {
                Self::Start => supervisor.ask_plainly(Verb::Start, name).map(drop),
                Self::Stop => supervisor.ask_plainly(Verb::Stop, name).map(drop),
                Self::Restart => supervisor.ask_plainly(Verb::Restart, name).map(drop),
                Self::Reload => supervisor.reload(Some(name)).map(drop),
            };
            if let Err(error) = done {
                log::warn!("bulk: {error}");
            }
        }
        supervisor.wait_settled(group, Instant::now() + TURN_MAX);
    }
}
