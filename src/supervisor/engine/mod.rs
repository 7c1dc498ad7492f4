//! The engine: one thread that decides what is done to every service.
//!
//! It never waits for a service. Whatever blocks is done elsewhere, and told to it when it is done:
//!
//! | file | what | done by |
//! |---|---|---|
//! | `launch` | a launch | the thread `launcher`, one for all, and more where one hangs |
//! | `stop` | the ending of a tree | a thread `ending`, one for each |
//! | `health` | a look of a health check | a thread `probe`, one for each |
//!
//! The ends of runs come from the log writer. What is due later is kept in `timers`.

mod commands;
mod dependencies;
mod entry;
mod health;
mod launch;
mod message;
mod publish;
mod reload;
mod running;
mod shutdown;
mod stop;
mod timers;

pub(super) use message::{Answer, Message, NewLogs};
pub use message::{Ask, Reload, Reloaded, Verb};

use super::context::SupervisorContext;
use super::events::EventLog;
use super::life::Action;
use super::roster::Roster;
use super::service_handle::ServiceOrigin;
use super::services_file::Service;
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

/// How long the engine waits where nothing is due: only a message ends that.
const NOTHING_DUE: Duration = Duration::from_hours(1);

/// What the thread `supervisor` owns.
pub(super) struct Engine {
    tools: Arc<SupervisorContext>,
    roster: Arc<Roster>,
    events: Arc<EventLog>,
    inbox: Receiver<Message>,
    /// For those who tell it that something is done.
    outbox: Sender<Message>,
    /// Apart from their table, which would hold twice their size in each empty place.
    entries: HashMap<String, Box<Entry>>,
    /// By service, those that wait for it, and some that did once.
    waiting: HashMap<String, BTreeSet<String>>,
    timers: Timers,
    launcher: Launcher,
    endings: Endings,
    /// How many launches were begun.
    launches: u64,
    is_closing: bool,
    is_hurried: bool,
    /// How many health checks look at this moment.
    probes_running: usize,
    /// The last generation that was given: none is given twice, to whatever service.
    generation: u64,
}

impl Engine {
    /// An engine without services.
    pub fn new(
        tools: Arc<SupervisorContext>,
        roster: Arc<Roster>,
        events: Arc<EventLog>,
        (outbox, inbox): (Sender<Message>, Receiver<Message>),
    ) -> Result<Self> {
        Ok(Self {
            launcher: Launcher::start(outbox.clone())?,
            endings: Endings::start(outbox.clone())?,
            launches: 0,
            tools,
            roster,
            events,
            inbox,
            outbox,
            entries: HashMap::new(),
            waiting: HashMap::new(),
            timers: Timers::default(),
            is_closing: false,
            is_hurried: false,
            probes_running: 0,
            generation: 0,
        })
    }

    /// Takes services on and starts those that are to be started.
    ///
    /// # Errors
    /// `Log` when one cannot have logs.
    pub fn begin(&mut self, services: Vec<Service>) -> Result<()> {
        let starts = services.iter().filter(|service| service.config.autostart);
        let starts: Vec<String> = starts.map(|service| service.name.clone()).collect();
        for service in services {
            let logs = self.tools.logs(&service.name, &service.config)?;
            self.add(service, ServiceOrigin::InFile, logs);
        }
        for name in &starts {
            self.autostart(name);
        }
        Ok(())
    }

    /// Works until it was asked to shut down and everything is down.
    pub fn work(mut self) {
        while !(self.is_closing && self.is_all_down()) {
            let now = Instant::now();
            let due = self.timers.next_at().map(|at| at.saturating_duration_since(now));
            match self.inbox.recv_timeout(due.unwrap_or(NOTHING_DUE)) {
                Ok(message) => {
                    // What it was about stays as it was left; all other services go on.
                    let _panicked = catch_panic("The supervisor", || self.handle(message));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // It holds a sender itself, so that cannot be.
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
        // Whoever asked may be gone, and then his answer goes nowhere.
        match message {
            Message::Ask { ask, logs, reply } => {
                drop(reply.send(answered(|| self.handle_command(&ask, logs))));
            }
            Message::Reload { reload, logs, reply } => {
                drop(reply.send(answered(|| self.reload(reload, logs))));
            }
            Message::Launched { service, number, result } => {
                self.launched(&service, number, result);
            }
            Message::Ended { service, run_id, end } => self.ended(&service, &run_id, end),
            Message::TreeGone { service, left } => self.tree_gone(&service, &left),
            Message::Stuck { service, left } => self.stuck(&service, left),
            Message::ProbeFinished { service, generation, check, found } => {
                self.looked(&service, generation, check, found);
            }
            Message::ShutDown => self.shut_down(),
            Message::Hurry => self.force_shutdown(),
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
            Due::Look(check) => self.look(&timer.service, check),
            Due::LaunchHangs => self.launch_hangs(&timer.service),
            Due::LaunchGivenUp => self.launch_given_up(&timer.service),
            Due::Restart => {
                let action = entry.life.backoff_over();
                self.perform(&timer.service, action);
                self.publish_status(&timer.service, "Starting again.");
            }
        }
    }

    /// Does what an event asks for.
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

    /// Whatever was due for a service is not any more.
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

/// What is done for whoever asked; who asked is told where that panicked.
fn answered<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_panic("The supervisor", work).unwrap_or(Err(InternalError.into()))
}
