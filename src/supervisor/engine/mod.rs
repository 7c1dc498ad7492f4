//! The engine: one thread that controls all services.
//!
//! The engine never waits for a service. Blocking work is done on other threads, which report back:
//!
//! | file | work | thread |
//! |---|---|---|
//! | `launch` | launches | `launcher`, one for all, and more if one hangs |
//! | `stop` | stopping a process tree | `ending`, one for each |
//! | `health` | probes of health checks | `probe`, one for each |
//!
//! The log writer reports the ends of runs. `timers` holds what is due later.

mod commands;
mod dependencies;
mod entry;
mod health;
mod launch;
mod message;
mod publish;
mod reload;
mod removal;
mod running;
mod shutdown;
mod stop;
mod timers;

pub(super) use message::{Answer, Message, NewLogs};
pub use message::{Reload, Reloaded, ServiceCommand, Verb};

use super::context::SupervisorContext;
use super::events::ServiceEvents;
use super::roster::Roster;
use super::service_handle::ServiceOrigin;
use super::services_file::Service;
use super::state_machine::Action;
use crate::catch_panic::catch_panic;
use crate::error::InternalError;
use crate::supervisor::error::Result;
use entry::Entry;
use launch::Launcher;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use stop::Endings;
use timers::{Due, Timer, Timers};

/// The maximum wait for a message if no timer is set.
const NOTHING_DUE: Duration = Duration::from_hours(1);

/// The state owned by the thread `supervisor`.
pub(super) struct Engine {
    context: Arc<SupervisorContext>,
    roster: Arc<Roster>,
    events: Arc<ServiceEvents>,
    inbox: Receiver<Message>,
    /// Sender for the threads that report to the engine.
    sender: Sender<Message>,
    /// Boxed, because empty slots of the table would take the size of an entry each.
    entries: HashMap<String, Box<Entry>>,
    /// By service, the services that wait for it, and some that no longer do.
    waiting: HashMap<String, BTreeSet<String>>,
    timers: Timers,
    launcher: Launcher,
    endings: Endings,
    /// Number of launches begun.
    launches: u64,
    is_closing: bool,
    is_forced: bool,
    /// Number of probes in progress.
    probes_running: usize,
    /// Last assigned generation; unique across services.
    generation: u64,
}

impl Engine {
    /// Creates an engine without services.
    pub fn new(
        context: Arc<SupervisorContext>,
        roster: Arc<Roster>,
        events: Arc<ServiceEvents>,
        sender: Sender<Message>,
        inbox: Receiver<Message>,
    ) -> Result<Self> {
        Ok(Self {
            launcher: Launcher::start(sender.clone())?,
            endings: Endings::start(sender.clone())?,
            launches: 0,
            context,
            roster,
            events,
            inbox,
            sender,
            entries: HashMap::new(),
            waiting: HashMap::new(),
            timers: Timers::default(),
            is_closing: false,
            is_forced: false,
            probes_running: 0,
            generation: 0,
        })
    }

    /// Adds services and starts those with `autostart`.
    ///
    /// # Errors
    /// `Log` if a log directory cannot be created.
    pub fn begin(&mut self, services: Vec<Service>) -> Result<()> {
        let starts = services.iter().filter(|service| service.config.autostart);
        let starts: Vec<String> = starts.map(|service| service.name.clone()).collect();
        for service in services {
            let logs = self.context.logs(&service.name, &service.config)?;
            self.add(service, ServiceOrigin::InFile, logs);
        }
        for name in &starts {
            self.autostart(name);
        }
        Ok(())
    }

    /// Handles messages and timers until a shutdown was requested and all services are down.
    pub fn work(mut self) {
        while !(self.is_closing && self.is_all_down()) {
            let now = Instant::now();
            let due = self.timers.next_at().map(|at| at.saturating_duration_since(now));
            match self.inbox.recv_timeout(due.unwrap_or(NOTHING_DUE)) {
                Ok(message) => {
                    // After a panic the service concerned stays as it is; the others continue.
                    let _panicked = catch_panic("The supervisor", || self.handle(message));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Unreachable: the engine holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(timer) = self.timers.pop_due(Instant::now()) {
                let _panicked = catch_panic("The supervisor", || self.wake(&timer));
            }
        }
        self.finish_probes();
        self.events.close();
    }

    fn handle(&mut self, message: Message) {
        // The client may be gone; its answer is dropped then.
        match message {
            Message::Command { command, logs, reply } => {
                drop(reply.send(catch_panic_as_error(|| self.handle_command(&command, logs))));
            }
            Message::Reload { reload, logs, reply } => {
                drop(reply.send(catch_panic_as_error(|| self.reload(reload, logs))));
            }
            Message::Remove { service, reply } => {
                drop(reply.send(catch_panic_as_error(|| self.remove(&service))));
            }
            Message::Launched { service, number, result } => {
                self.launched(&service, number, result);
            }
            Message::Ended { service, run_id, end } => self.ended(&service, &run_id, end),
            Message::TreeGone { service, left } => self.tree_gone(&service, &left),
            Message::Stuck { service, left } => self.stuck(&service, left),
            Message::ProbeFinished { service, generation, check, found } => {
                self.probe_finished(&service, generation, check, found);
            }
            Message::ShutDown => self.shut_down(),
            Message::ForceShutdown => self.force_shutdown(),
        }
    }

    fn wake(&mut self, timer: &Timer) {
        let Some(entry) = self.entries.get_mut(&timer.service) else { return };
        if entry.generation != timer.generation {
            return;
        }
        match timer.due {
            Due::Settle => self.settle(&timer.service),
            Due::StartTimeout => self.start_timed_out(&timer.service),
            Due::Probe(check) => self.probe(&timer.service, check),
            Due::LaunchHangs => self.launch_hangs(&timer.service),
            Due::LaunchGivenUp => self.launch_given_up(&timer.service),
            Due::Restart => {
                let action = entry.machine.backoff_over();
                self.perform(&timer.service, action);
                self.publish_status(&timer.service, "Starting again.");
            }
        }
    }

    /// Performs the action that an event requires.
    fn perform(&mut self, name: &str, action: Option<Action>) {
        self.begin_generation(name);
        match action {
            None => {}
            Some(Action::Await) => self.await_dependencies(name),
            Some(Action::Launch) => self.launch(name),
            Some(Action::End(by)) => self.end(name, by),
            Some(Action::WakeAt(at)) => self.add_timer(name, at, Due::Restart),
        }
    }

    /// Begins a new generation of a service, which invalidates its timers and probes.
    fn begin_generation(&mut self, name: &str) {
        self.generation += 1;
        if let Some(entry) = self.entries.get_mut(name) {
            entry.generation = self.generation;
        }
    }

    fn add_timer(&mut self, name: &str, at: Instant, due: Due) {
        let Some(entry) = self.entries.get(name) else { return };
        let (service, generation) = (name.to_owned(), entry.generation);
        self.timers.add(Timer { at, service, generation, due });
    }
}

/// Calls `work`, and returns an error to the client if it panics.
fn catch_panic_as_error<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_panic("The supervisor", work).unwrap_or(Err(InternalError.into()))
}
