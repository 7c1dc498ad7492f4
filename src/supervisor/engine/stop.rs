//! Stopping process trees, each on a thread of its own, so that a slow one delays no other.

use super::running::join_sentences;
use super::{Engine, Message};
use crate::catch_panic::catch_panic;
use crate::error::SystemError;
use crate::process::{LeftBehind, Signal};
use crate::protocol::{EndedBy, ServiceState};
use crate::runs::{Ending, KillReport, ProcessManager};
use crate::supervisor::error::Result;
use crate::supervisor::state_machine::Action;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

impl Engine {
    /// Ends the process tree of a service's run with its stop signal.
    pub(super) fn end(&mut self, name: &str, by: EndedBy) {
        let Some(entry) = self.entries.get(name) else { return };
        let config = &entry.launched_by;
        let is_forced = config.stop_signal == Signal::KILL;
        let grace = if is_forced { Duration::ZERO } else { config.stop_timeout };
        let ending = Ending { by, signal: config.stop_signal, grace };
        let (manager, to_engine) = (Arc::clone(entry.handle.manager()), self.sender.clone());
        let job = Job { service: name.to_owned(), manager, ending };
        let reserved = job.clone();
        let work = move || {
            let mut job = Some(job);
            while let Some(again) = job {
                job = again.attempt(&to_engine);
            }
        };
        let thread = thread::Builder::new().name("ending".into()).stack_size(128 * 1024);
        if let Err(error) = thread.spawn(work) {
            log::warn!("{name}: no thread to stop it, using the reserve thread: {error}");
            self.endings.add(reserved);
        }
    }

    /// Kills a run whose launch had been abandoned.
    pub(super) fn end_late(&self, name: &str) {
        let Some(entry) = self.entries.get(name).filter(|it| it.machine.state().is_down()) else {
            return;
        };
        let (service, manager) = (name.to_owned(), Arc::clone(entry.handle.manager()));
        let ending = Ending { by: EndedBy::Kill, signal: Signal::KILL, grace: Duration::ZERO };
        self.endings.add(Job { service, manager, ending });
    }

    /// Handles a tree that could not be ended: publishes why, and continues the shutdown.
    pub(super) fn stuck(&mut self, name: &str, left: Vec<LeftBehind>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let message = match left.as_slice() {
            [] => "stopping: the end of its process is not recorded yet".to_owned(),
            _ => format!("stopping: cannot end {}", format_left_behind(&left)),
        };
        entry.stuck = Some(left);
        if entry.message != message {
            log::warn!("{name}: {message}");
        }
        self.publish_status(name, &message);
        self.continue_shutdown();
    }

    /// Handles the end of a tree that was being stopped.
    pub(super) fn tree_gone(&mut self, name: &str, left: &[LeftBehind]) {
        let Some(entry) = self.entries.get_mut(name).filter(|it| it.machine.is_ending()) else {
            return;
        };
        let action = entry.machine.tree_gone(&entry.config.restart_policy, Instant::now());
        entry.stuck = None;
        let message = match action {
            Some(Action::Launch | Action::Await) => "Ended; starting again.".to_owned(),
            None if entry.machine.state() == ServiceState::Fatal => {
                join_sentences("Health checks failed.", &self.describe_next_restart(name))
            }
            Some(Action::WakeAt(_)) => {
                join_sentences("Health checks failed.", &self.describe_next_restart(name))
            }
            _ if left.is_empty() => "Stopped.".to_owned(),
            _ => format!("Stopped, but could not end {}.", format_left_behind(left)),
        };
        self.publish_status(name, &message);
        self.perform(name, action);
        self.continue_shutdown();
    }
}

/// Formats processes, each with the reason why it is left.
fn format_left_behind(left: &[LeftBehind]) -> String {
    let each = left.iter().map(|left| format!("process {} ({})", left.pid, left.why));
    each.collect::<Vec<_>>().join(", ")
}

/// A process tree to be ended.
#[derive(Clone)]
struct Job {
    service: String,
    manager: Arc<ProcessManager>,
    ending: Ending,
}

impl Job {
    /// Tries to end the tree and reports the result. The tree counts as ended only when the run's
    /// own process is dead. Returns the job if it has to be tried again.
    fn attempt(mut self, to_engine: &Sender<Message>) -> Option<Self> {
        let what = format_args!("The ending of {}", self.service);
        let report = catch_panic(what, || self.manager.end(self.ending));
        let service = self.service.clone();
        let (message, again) = match report {
            Some(Ok(KillReport { end: None, left, .. })) => {
                // Its grace period is over.
                (self.ending.signal, self.ending.grace) = (Signal::KILL, Duration::ZERO);
                (Message::Stuck { service, left }, Some(self))
            }
            Some(Ok(KillReport { left, .. })) => (Message::TreeGone { service, left }, None),
            // It has ended by itself meanwhile, with all of its children.
            Some(Err(_)) | None => (Message::TreeGone { service, left: Vec::new() }, None),
        };
        // An engine that has ended needs no report.
        let _gone = to_engine.send(message);
        again
    }
}

/// The owner of the thread `ending-reserve`, which ends trees one after the other if no more
/// threads can be started: a command that has used up all threads could not be ended otherwise.
/// The thread finishes its current work and ends when this is dropped.
pub struct Endings(Sender<Job>);

impl Endings {
    /// Starts the thread, which reports each tree to `to_engine`.
    ///
    /// # Errors
    /// `System` if a thread cannot be started.
    pub fn start(to_engine: Sender<Message>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("ending-reserve".into()).stack_size(128 * 1024);
        let work = move || work_through(&receiver, &to_engine);
        let started = thread.spawn(work).map_err(|error| SystemError::new("start a thread", error));
        started?;
        Ok(Self(sender))
    }

    fn add(&self, job: Job) {
        // The thread lives as long as this does.
        let _gone = self.0.send(job);
    }
}

fn work_through(jobs: &Receiver<Job>, to_engine: &Sender<Message>) {
    let mut queue: VecDeque<Job> = VecDeque::new();
    while let Some(job) = queue.pop_front().or_else(|| jobs.recv().ok()) {
        queue.extend(jobs.try_iter());
        // Jobs that failed go to the end of the queue.
        queue.extend(job.attempt(to_engine));
    }
}
