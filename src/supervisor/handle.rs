//! The interface of the supervisor, used by clients of the engine.

use super::context::SupervisorContext;
use super::engine::{Answer, Engine, Message, NewLogs, Reload, Reloaded, ServiceCommand, Verb};
use super::events::ServiceEvents;
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

/// A supervisor of services.
#[derive(Debug)]
pub struct Supervisor {
    context: Arc<SupervisorContext>,
    roster: Arc<Roster>,
    events: Arc<ServiceEvents>,
    engine: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Path of the services file.
    file: PathBuf,
    /// Number of times the file was read. Locked during a whole reload, so that an older reading
    /// is never applied after a newer one.
    readings: Mutex<u64>,
    /// Locked while services are added.
    additions: Mutex<()>,
    meter: BatchUsageMeter,
    bulks: Permits,
}

/// The contents of the services file at one moment.
#[derive(Debug)]
pub(super) struct Reading {
    services: Arc<Vec<Service>>,
    /// Number of the reading.
    number: u64,
}

/// The maximum number of concurrent bulk operations: each has a thread of its own.
const BULKS_MAX: usize = 32;

impl Supervisor {
    /// Supervises the services that `file` defines and starts those with `autostart`, each after
    /// its dependencies. Blocks while their log directories are created.
    ///
    /// # Errors
    /// `System` if a thread cannot be started, `Log` if a log directory cannot be created.
    pub fn start(
        context: SupervisorContext,
        file: PathBuf,
        services: Vec<Service>,
    ) -> Result<Self> {
        let (context, roster) = (Arc::new(context), Arc::new(Roster::default()));
        let (events, (sender, inbox)) = (Arc::new(ServiceEvents::new()), mpsc::channel());
        let engine = sender.clone();
        let mut work = Engine::new(
            Arc::clone(&context),
            Arc::clone(&roster),
            Arc::clone(&events),
            sender,
            inbox,
        )?;
        work.begin(services)?;
        let thread = thread::Builder::new()
            .name("supervisor".into())
            .stack_size(512 * 1024)
            .spawn(move || work.work())
            .map_err(|error| SystemError::new("start the supervisor", error))?;
        let (thread, readings, meter) =
            (Mutex::new(Some(thread)), Mutex::new(0), BatchUsageMeter::new(Arc::default()));
        let bulks = Permits::new(
            BULKS_MAX,
            ("bulk operations are already running", "wait for one of them"),
        );
        let additions = Mutex::new(());
        Ok(Self {
            context,
            roster,
            events,
            engine,
            thread,
            file,
            readings,
            additions,
            meter,
            bulks,
        })
    }

    /// Returns all services. Does not block.
    #[must_use]
    pub fn services(&self) -> Vec<Arc<ServiceHandle>> {
        self.roster.all()
    }

    /// Returns the service with this name. Does not block.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn find(&self, name: &str) -> Result<Arc<ServiceHandle>> {
        self.roster.find(name)
    }

    /// Returns the log of service events.
    #[must_use]
    pub fn events(&self) -> &Arc<ServiceEvents> {
        &self.events
    }

    /// Requests an operation on a service. Returns what is being done, in a sentence. Does not
    /// wait for it.
    ///
    /// # Errors
    /// `NoSuchService`; `ServiceState` if its state forbids it; `Invalid` for invalid overrides;
    /// `ShuttingDown`.
    pub fn send(&self, command: &ServiceCommand) -> Result<String> {
        self.send_with_logs(|logs, reply| Message::Command {
            command: command.clone(),
            logs,
            reply,
        })
    }

    /// Requests an operation on a service without overrides.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_without_overrides(&self, verb: Verb, service: &str) -> Result<String> {
        self.send(&ServiceCommand { verb, service: service.to_owned(), overrides: None })
    }

    /// Stops a service that was added by [`Self::send`], and removes it once it is down. Returns
    /// the service. Does not wait for it.
    ///
    /// # Errors
    /// `NoSuchService`; `InFile`; `Needed` if another service depends on it; `ShuttingDown`.
    pub fn remove(&self, name: &str) -> Result<Arc<ServiceHandle>> {
        self.request(|reply| Message::Remove { service: name.to_owned(), reply })
    }

    /// Reads the services file again and applies it: the service `only`, or all of it. Blocks
    /// while the file is read; does not wait for the operations that follow.
    ///
    /// # Errors
    /// `Input` with all errors of the file, and then nothing has changed; `NoSuchService`,
    /// `NotInFile`, `ShuttingDown`; `Log` if the log directory of a new service cannot be created.
    pub fn reload(&self, only: Option<&str>) -> Result<Reloaded> {
        let mut readings = self.readings();
        if let Some(name) = only {
            self.find(name)?;
        }
        let reading = self.read_file(&mut readings)?;
        self.apply_config(&reading, only)
    }

    /// Reads the services file, for [`Self::reload_from`]. Blocks while it is read.
    ///
    /// # Errors
    /// `Input` with all errors of the file.
    pub(super) fn read(&self) -> Result<Reading> {
        self.read_file(&mut self.readings())
    }

    /// Applies a reading of the services file to one service. Reads the file again if another
    /// thread has read it since, and blocks for that.
    ///
    /// # Errors
    /// As [`Self::reload`].
    pub(super) fn reload_from(&self, reading: &mut Reading, name: &str) -> Result<Reloaded> {
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
        let file = ServicesFile::read(&self.file, &self.context.environment)?;
        let checked = check_limits(&file.services, &self.context.cgroups);
        checked.map_err(|errors| errors.in_file(&self.file.display().to_string()))?;
        Ok(Reading { services: Arc::new(file.services), number: *readings })
    }

    fn apply_config(&self, reading: &Reading, only: Option<&str>) -> Result<Reloaded> {
        let (services, only) = (Arc::clone(&reading.services), only.map(str::to_owned));
        let reload = Reload { services, only };
        self.send_with_logs(|logs, reply| Message::Reload { reload: reload.clone(), logs, reply })
    }

    /// Sends a message to the engine, and again with the log directories of the services that it
    /// adds, if any. Blocks while those are opened.
    fn send_with_logs<T>(
        &self,
        message: impl Fn(NewLogs, SyncSender<Result<Answer<T>>>) -> Message,
    ) -> Result<T> {
        if let Answer::Done(done) = self.request(|reply| message(NewLogs::new(), reply))? {
            return Ok(done);
        }
        // One at a time: a directory opened twice would lose entries of its ledger.
        let _adding = self.additions.lock();
        let mut logs = NewLogs::new();
        loop {
            match self.request(|reply| message(logs.clone(), reply))? {
                Answer::Done(done) => return Ok(done),
                Answer::NeedsLogs(services) => {
                    for (name, config) in services {
                        let folder = self.context.logs(&name, &config)?;
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

    /// Waits until all of these are settled or removed, or until `deadline`. Returns whether they
    /// are.
    pub fn wait_settled(&self, names: &[String], deadline: Instant) -> bool {
        let is_settled =
            |name: &String| self.find(name).map_or(true, |service| service.snapshot().is_settled());
        self.events.wait_until(deadline, || names.iter().all(is_settled))
    }

    /// Waits until a service is removed, or until `deadline`. Returns whether it is. One of the
    /// same name that was added since is another.
    pub fn wait_removed(&self, service: &Arc<ServiceHandle>, deadline: Instant) -> bool {
        let is_gone =
            || self.find(service.name()).map_or(true, |found| !Arc::ptr_eq(&found, service));
        self.events.wait_until(deadline, is_gone)
    }

    /// Probes a service with all of its checks, now. Blocks for little more than the longest of
    /// their timeouts.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn check(&self, name: &str) -> Result<HealthReport> {
        let service = self.find(name)?;
        let (snapshot, run) = (service.snapshot(), service.last_run());
        let Some(run) = run.filter(|run| run.end().is_none()) else {
            return Ok(HealthReport::unknown());
        };
        Ok(self.context.probe_all(&service, &snapshot.config, &run))
    }

    /// Sends a signal to the process tree of a service's run. Does not wait for the effect.
    ///
    /// # Errors
    /// `NoSuchService`, or `ServiceState` if nothing runs.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<Arc<ServiceHandle>> {
        let service = self.find(name)?;
        let Some(run) = service.last_run().filter(|run| !run.is_gone()) else {
            let (name, state) = (name.to_owned(), service.state());
            let advice = "there is nothing to send a signal to: start it first";
            return Err(Error::ServiceState { name, state, advice });
        };
        run.tree().signal(&self.context.reaper, signal);
        Ok(service)
    }

    /// Returns CPU and memory of every live run, by the pid of its own process. Blocks for one
    /// scan of all processes, at most once a second.
    #[must_use]
    pub fn usage(&self) -> BatchUsage {
        self.meter.sample(&self.trees(), &self.context.reaper)
    }

    /// Returns the number of network sockets that the process tree of every run has open, by the
    /// pid of its own process. Blocks for one scan of all processes.
    #[must_use]
    pub fn connections(&self) -> HashMap<i32, usize> {
        connections_of(&self.trees(), &self.context.reaper)
    }

    fn trees(&self) -> Vec<Tree> {
        let runs = self.services().into_iter().filter_map(|service| service.last_run());
        runs.filter(|run| !run.is_gone()).map(|run| run.tree().clone()).collect()
    }

    /// Returns the required services that have a problem: a failed state, or `unhealthy` if the
    /// service runs and its checks fail.
    #[must_use]
    pub fn unhealthy(&self) -> Vec<(String, ServiceProblem)> {
        let problem_of = |snapshot: &ServiceSnapshot| match (snapshot.state, snapshot.health) {
            (state, _) if state.has_failed() => Some(ServiceProblem::State(state)),
            (ServiceState::Running, HealthStatus::Unhealthy) => {
                Some(ServiceProblem::Health(snapshot.health))
            }
            _ => None,
        };
        let services = self.services().into_iter();
        let unhealthy = services.filter_map(|service| {
            let snapshot = service.snapshot();
            let problem = problem_of(&snapshot).filter(|_| !snapshot.config.is_optional)?;
            Some((service.name().to_owned(), problem))
        });
        unhealthy.collect()
    }

    /// Stops all services, dependents before their dependencies. Blocks until all are down.
    pub fn shut_down(&self) {
        // If the engine has ended, nothing is left to stop.
        let _ended = self.engine.send(Message::ShutDown);
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the supervisor panicked");
        }
        self.services().iter().for_each(|service| service.manager().close());
    }

    /// Stops without grace and without order from now on. Does not block.
    pub fn force_shutdown(&self) {
        let _ended = self.engine.send(Message::ForceShutdown);
    }

    fn request<T>(&self, message: impl FnOnce(SyncSender<Result<T>>) -> Message) -> Result<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        let sent = self.engine.send(message(reply));
        let answer = sent.ok().and_then(|()| answer.recv().ok());
        answer.unwrap_or(Err(runs::Error::ShuttingDown.into()))
    }
}
