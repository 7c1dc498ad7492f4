//! Ending trees, each on a thread of its own: one that takes its time holds up no other.

use super::running::followed_by;
use super::{Engine, Message};
use crate::catch_panic::catch_panic;
use crate::error::SystemError;
use crate::process::{LeftBehind, Signal};
use crate::protocol::{EndedBy, ServiceState};
use crate::runs::{Ending, KillReport, ProcessManager};
use crate::supervisor::error::Result;
use crate::supervisor::life::Action;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

impl Engine {
    /// Ends the tree of a service's run, with its stop signal.
    pub(super) fn end(&mut self, name: &str, by: EndedBy) {
        let Some(entry) = self.entries.get(name) else { return };
        let config = &entry.launched_by;
        let is_forced = config.stop_signal == Signal::KILL;
        let grace = if is_forced { Duration::ZERO } else { config.stop_timeout };
        let ending = Ending { by, signal: config.stop_signal, grace };
        let (manager, outbox) = (Arc::clone(entry.it.manager()), self.outbox.clone());
        let job = Job { service: name.to_owned(), manager, ending };
        let reserved = job.clone();
        let work = move || {
            let mut job = Some(job);
            while let Some(again) = job {
                job = again.attempt(&outbox);
            }
        };
        let thread = thread::Builder::new().name("ending".into()).stack_size(128 * 1024);
        if let Err(error) = thread.spawn(work) {
            log::warn!("{name}: no thread to stop it, using the reserve thread: {error}");
            self.endings.add(reserved);
        }
    }

    /// Ends a run that was launched after its launch had been given up.
    pub(super) fn end_late(&self, name: &str) {
        let Some(entry) = self.entries.get(name).filter(|it| it.life.state().is_down()) else {
            return;
        };
        let (service, manager) = (name.to_owned(), Arc::clone(entry.it.manager()));
        let ending = Ending { by: EndedBy::Kill, signal: Signal::KILL, grace: Duration::ZERO };
        self.endings.add(Job { service, manager, ending });
    }

    /// A tree could not be ended: it is told why, and the end of the supervisor goes on without.
    pub(super) fn stuck(&mut self, name: &str, left: Vec<LeftBehind>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let message = match left.as_slice() {
            [] => "stopping: the end of its process is not recorded yet".to_owned(),
            _ => format!("stopping: cannot end {}", listed(&left)),
        };
        entry.stuck = Some(left);
        if entry.message != message {
            log::warn!("{name}: {message}");
        }
        self.publish_status(name, &message);
        self.go_on_shutting_down();
    }

    /// The tree of a run is ended, as was wanted.
    pub(super) fn tree_gone(&mut self, name: &str, left: &[LeftBehind]) {
        let Some(entry) = self.entries.get_mut(name).filter(|it| it.life.is_ending()) else {
            return;
        };
        let action = entry.life.tree_gone(&entry.config.restart_policy, Instant::now());
        entry.stuck = None;
        let message = match action {
            Some(Action::Launch | Action::Await) => "Ended; starting again.".to_owned(),
            None if entry.life.state() == ServiceState::Fatal => {
                followed_by("Health checks failed.", &self.next_try(name))
            }
            Some(Action::WakeAt(_)) => followed_by("Health checks failed.", &self.next_try(name)),
            _ if left.is_empty() => "Stopped.".to_owned(),
            _ => format!("Stopped, but could not end {}.", listed(left)),
        };
        self.publish_status(name, &message);
        self.perform(name, action);
        self.go_on_shutting_down();
    }
}

/// Processes with why each is there.
fn listed(left: &[LeftBehind]) -> String {
    let each = left.iter().map(|left| format!("process {} ({})", left.pid, left.why));
    each.collect::<Vec<_>>().join(", ")
}

/// A tree to be ended.
#[derive(Clone)]
struct Job {
    service: String,
    manager: Arc<ProcessManager>,
    ending: Ending,
}

impl Job {
    /// Ends the tree, which is told when the run's own process is dead: one that the kernel holds
    /// on to is not said to be stopped. Gives the job back where it is to be tried again.
    fn attempt(mut self, outbox: &Sender<Message>) -> Option<Self> {
        let what = format_args!("The ending of {}", self.service);
        let report = catch_panic(what, || self.manager.end(self.ending));
        let service = self.service.clone();
        let (message, again) = match report {
            Some(Ok(KillReport { end: None, left, .. })) => {
                // It has had its grace.
                (self.ending.signal, self.ending.grace) = (Signal::KILL, Duration::ZERO);
                (Message::Stuck { service, left }, Some(self))
            }
            Some(Ok(KillReport { left, .. })) => (Message::TreeGone { service, left }, None),
            // It had ended by itself meanwhile, with all that it had started.
            Some(Err(_)) | None => (Message::TreeGone { service, left: Vec::new() }, None),
        };
        // An engine that is gone needs to know nothing.
        let _gone = outbox.send(message);
        again
    }
}

/// Owner of the thread `ending-reserve`, which ends trees one after the other where no more threads
/// can be had: a command that has used them all up could not be ended else. It ends when this is
/// dropped, and what it is at is done.
pub struct Endings(Sender<Job>);

impl Endings {
    /// Starts the thread, which tells `outbox` of each tree.
    ///
    /// # Errors
    /// `System` when a thread cannot be had.
    pub fn start(outbox: Sender<Message>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("ending-reserve".into()).stack_size(128 * 1024);
        let work = move || work_through(&receiver, &outbox);
        let started = thread.spawn(work).map_err(|error| SystemError::new("start a thread", error));
        started?;
        Ok(Self(sender))
    }

    fn add(&self, job: Job) {
        // The thread lives as long as this does.
        let _gone = self.0.send(job);
    }
}

fn work_through(jobs: &Receiver<Job>, outbox: &Sender<Message>) {
    let mut queue: VecDeque<Job> = VecDeque::new();
    while let Some(job) = queue.pop_front().or_else(|| jobs.recv().ok()) {
        queue.extend(jobs.try_iter());
        // What cannot be ended goes behind the others.
        queue.extend(job.attempt(outbox));
    }
}
