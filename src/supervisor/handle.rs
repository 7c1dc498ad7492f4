//! The supervisor, as those hold it who ask something of it.

use super::context::SupervisorContext;
use super::engine::{Answer, Ask, Engine, Message, NewLogs, Reload, Reloaded, Verb};
use super::events::EventLog;
use super::roster::Roster;
use super::service_handle::{ServiceHandle, ServiceSnapshot};
use super::services_file::{Service, ServicesFile, check_limits};
use crate::error::SystemError;
use crate::permits::{Permit, Permits};
use crate::probe::HealthReport;
use crate::process::{BatchUsage, BatchUsageMeter, Signal, Tree, connections_of};
use crate::protocol::{HealthStatus, ServiceProblem, ServiceState};
use crate::runs;
use crate::supervisor::error::{Error, Result};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Many services, supervised.
#[derive(Debug)]
pub struct Supervisor {
    tools: Arc<SupervisorContext>,
    roster: Arc<Roster>,
    events: Arc<EventLog>,
    engine: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The services file.
    file: PathBuf,
    /// How often the file was read. Held over a whole reload, so that an older reading of the file
    /// never follows a newer one.
    readings: Mutex<u64>,
    /// Held while services are added.
    additions: Mutex<()>,
    meter: BatchUsageMeter,
    bulks: Permits,
}

/// What the services file said once.
#[derive(Debug)]
pub(super) struct Reading {
    services: Arc<Vec<Service>>,
    /// How often it had been read by then.
    number: u64,
}

/// How many verbs for several services may be under way: each has a thread of its own.
const BULKS_MAX: usize = 32;

impl Supervisor {
    /// Takes these services on, which `file` says, and starts those that are to be started with
    /// it, each after what it depends on. Blocks for the making of their log directories.
    ///
    /// # Errors
    /// `System` when a thread cannot be had, `Log` when logs cannot.
    pub fn start(tools: SupervisorContext, file: PathBuf, services: Vec<Service>) -> Result<Self> {
        let (tools, roster) = (Arc::new(tools), Arc::new(Roster::default()));
        let (events, channel) = (Arc::new(EventLog::new()), mpsc::channel());
        let engine = channel.0.clone();
        let mut work =
            Engine::new(Arc::clone(&tools), Arc::clone(&roster), Arc::clone(&events), channel)?;
        work.begin(services)?;
        let thread = thread::Builder::new()
            .name("supervisor".into())
            .stack_size(512 * 1024)
            .spawn(move || work.work())
            .map_err(|error| SystemError::new("start the supervisor", error))?;
        let (thread, readings, meter) =
            (Mutex::new(Some(thread)), Mutex::new(0), BatchUsageMeter::new(Arc::default()));
        let bulks = Permits::new(BULKS_MAX, ("bulk operations run", "wait for one of them"));
        let additions = Mutex::new(());
        Ok(Self { tools, roster, events, engine, thread, file, readings, additions, meter, bulks })
    }

    /// All services. Does not block.
    #[must_use]
    pub fn services(&self) -> Vec<Arc<ServiceHandle>> {
        self.roster.all()
    }

    /// The service of this name. Does not block.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn find(&self, name: &str) -> Result<Arc<ServiceHandle>> {
        self.roster.find(name)
    }

    /// What happened.
    #[must_use]
    pub fn events(&self) -> &Arc<EventLog> {
        &self.events
    }

    /// Asks something of a service; gives what is being done, in a sentence. Does not wait for it.
    ///
    /// # Errors
    /// `NoSuchService`; `ServiceState` where its state forbids it; `Invalid` for what it cannot be
    /// started with; `ShuttingDown`.
    pub fn ask(&self, ask: &Ask) -> Result<String> {
        self.ask_with_logs(|logs, reply| Message::Ask { ask: ask.clone(), logs, reply })
    }

    /// Starts a service, or stops it, or both, as the file says it is.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn ask_plainly(&self, verb: Verb, service: &str) -> Result<String> {
        self.ask(&Ask { verb, service: service.to_owned(), overrides: None })
    }

    /// Reads the services file again and goes by it: by what it says of `only`, or by all of it.
    /// Blocks for the reading; does not wait for what is done then.
    ///
    /// # Errors
    /// `Input` with all that is wrong with the file, and then nothing has changed;
    /// `NoSuchService`, `NotInFile`, `ShuttingDown`; `Log` when a new service cannot have logs.
    pub fn reload(&self, only: Option<&str>) -> Result<Reloaded> {
        let mut readings = self.readings();
        if let Some(name) = only {
            self.find(name)?;
        }
        let reading = self.read_file(&mut readings)?;
        self.apply_config(&reading, only)
    }

    /// What the services file says now, to `reload_by` it. Blocks for the reading.
    ///
    /// # Errors
    /// `Input` with all that is wrong with the file.
    pub(super) fn read(&self) -> Result<Reading> {
        self.read_file(&mut self.readings())
    }

    /// Goes by what a reading of the services file says of one service; by a new one, where
    /// somebody else has read it since. Blocks for that.
    ///
    /// # Errors
    /// Those of `reload`.
    pub(super) fn reload_by(&self, reading: &mut Reading, name: &str) -> Result<Reloaded> {
        let mut readings = self.readings();
        self.find(name)?;
        if reading.number != *readings {
            *reading = self.read_file(&mut readings)?;
        }
        self.apply_config(reading, Some(name))
    }

    fn readings(&self) -> MutexGuard<'_, u64> {
        self.readings.lock()
    }

    fn read_file(&self, readings: &mut u64) -> Result<Reading> {
        *readings += 1;
        let file = ServicesFile::read(&self.file, &self.tools.environment)?;
        let held = check_limits(&file.services, &self.tools.cgroups);
        held.map_err(|faults| faults.in_file(&self.file.display().to_string()))?;
        Ok(Reading { services: Arc::new(file.services), number: *readings })
    }

    fn apply_config(&self, reading: &Reading, only: Option<&str>) -> Result<Reloaded> {
        let (services, only) = (Arc::clone(&reading.services), only.map(str::to_owned));
        let reload = Reload { services, only };
        self.ask_with_logs(|logs, reply| Message::Reload { reload: reload.clone(), logs, reply })
    }

    /// Sends a message to the engine, and once more with the log directories of the services that
    /// it adds, where it adds any. Blocks for the opening of those.
    fn ask_with_logs<T>(
        &self,
        message: impl Fn(NewLogs, SyncSender<Result<Answer<T>>>) -> Message,
    ) -> Result<T> {
        if let Answer::Done(done) = self.tell_engine(|reply| message(NewLogs::new(), reply))? {
            return Ok(done);
        }
        // One at a time: a directory that two had opened would lose entries of its ledger.
        let _adding = self.additions.lock();
        let mut logs = NewLogs::new();
        loop {
            match self.tell_engine(|reply| message(logs.clone(), reply))? {
                Answer::Done(done) => return Ok(done),
                Answer::NeedsLogs(services) => {
                    for (name, config) in services {
                        let folder = self.tools.logs(&name, &config)?;
                        logs.insert(name, folder);
                    }
                }
            }
        }
    }

    /// Takes the permit of a bulk operation.
    ///
    /// # Errors
    /// `TooManyRequests`.
    pub(super) fn begin_bulk(&self) -> Result<Permit> {
        Ok(self.bulks.take()?)
    }

    /// Waits until all of these are settled or gone, or until `deadline`. Whether they are.
    pub fn wait_settled(&self, names: &[String], deadline: Instant) -> bool {
        let is_settled =
            |name: &String| self.find(name).map_or(true, |service| service.facts().is_settled());
        self.events.wait_until(deadline, || names.iter().all(is_settled))
    }

    /// Looks at a service with all of its checks, now. Blocks for the longest of their timeouts
    /// at most, and little more.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn check(&self, name: &str) -> Result<HealthReport> {
        let service = self.find(name)?;
        let (facts, run) = (service.facts(), service.last_run());
        let Some(run) = run.filter(|run| run.end().is_none()) else {
            return Ok(HealthReport::unknown());
        };
        Ok(self.tools.look_with_all(&service, &facts.config, &run))
    }

    /// Sends a signal to the tree of a service's run. Does not wait for the effect.
    ///
    /// # Errors
    /// `NoSuchService`, or `ServiceState` where nothing runs.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<Arc<ServiceHandle>> {
        let service = self.find(name)?;
        let Some(run) = service.last_run().filter(|run| !run.is_gone()) else {
            let (name, state) = (name.to_owned(), service.state());
            let advice = "there is nothing to send a signal to: start it first";
            return Err(Error::ServiceState { name, state, advice });
        };
        run.tree().signal(&self.tools.reaper, signal);
        Ok(service)
    }

    /// CPU and memory of every run that lives, by the number of its own process. Blocks for one
    /// look at all processes, at most once a second.
    #[must_use]
    pub fn usage(&self) -> BatchUsage {
        self.meter.sample(&self.trees(), &self.tools.reaper)
    }

    /// How many network sockets the tree of every run has open, by the number of its own process.
    /// Blocks for one look at all processes.
    #[must_use]
    pub fn connections(&self) -> HashMap<i32, usize> {
        connections_of(&self.trees(), &self.tools.reaper)
    }

    fn trees(&self) -> Vec<Tree> {
        let runs = self.services().into_iter().filter_map(|service| service.last_run());
        runs.filter(|run| !run.is_gone()).map(|run| run.tree().clone()).collect()
    }

    /// The required services that are not as they should be, each with what it is: a state, or
    /// `unhealthy` where it runs and its checks fail.
    #[must_use]
    pub fn troubled(&self) -> Vec<(String, ServiceProblem)> {
        let trouble = |facts: &ServiceSnapshot| match (facts.state, facts.health) {
            (state, _) if state.has_failed() => Some(ServiceProblem::State(state)),
            (ServiceState::Running, HealthStatus::Unhealthy) => {
                Some(ServiceProblem::Health(facts.health))
            }
            _ => None,
        };
        let services = self.services().into_iter();
        let troubled = services.filter_map(|service| {
            let facts = service.facts();
            let word = trouble(&facts).filter(|_| !facts.config.is_optional)?;
            Some((service.name().to_owned(), word))
        });
        troubled.collect()
    }

    /// Ends everything: what depends on others before those. Blocks until all is down.
    pub fn shut_down(&self) {
        // An engine that has ended has nothing left to end.
        let _ended = self.engine.send(Message::ShutDown);
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the supervisor panicked");
        }
        self.services().iter().for_each(|service| service.manager().close());
    }

    /// Gives no grace and keeps no order from now on. Does not block.
    pub fn force_shutdown(&self) {
        let _ended = self.engine.send(Message::Hurry);
    }

    fn tell_engine<T>(&self, message: impl FnOnce(SyncSender<Result<T>>) -> Message) -> Result<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        let sent = self.engine.send(message(reply));
        let answer = sent.ok().and_then(|()| answer.recv().ok());
        answer.unwrap_or(Err(runs::Error::ShuttingDown.into()))
    }
}
