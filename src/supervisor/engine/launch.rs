//! Launching runs, one after the other, without being blocked by a launch that hangs.
//!
//! A launch takes about a millisecond, so one thread does all of them, unless one hangs: its
//! program, its directory or its `env_file` may be on a file system that does not respond. Then
//! another thread continues with the queue, and the hanging launch can be abandoned.

use super::timers::Due;
use super::{Engine, Message};
use crate::catch_panic::catch_panic;
use crate::error::{InternalError, SystemError};
use crate::logs::Keep;
use crate::protocol::EndedBy;
use crate::runs;
use crate::runs::Ending;
use crate::supervisor::context::SupervisorContext;
use crate::supervisor::error::Result;
use crate::supervisor::service_handle::ServiceHandle;
use crate::supervisor::services_file::ServiceConfig;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// How long a launch may wait in the queue without progress before another thread is added.
pub(super) const HANG_INTERVAL: Duration = Duration::from_millis(100);

/// How long a cancelled launch may take to notice the cancellation before it is abandoned.
pub(super) const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum number of launcher threads, hanging ones included.
const WORKERS_MAX: usize = 64;

/// Flags shared by the engine and a launch.
#[derive(Debug, Default)]
pub struct LaunchFlags {
    /// Whether the launch is cancelled.
    is_cancelled: AtomicBool,
    /// Whether it is ending leftovers of the last run, which may take long.
    is_ending: AtomicBool,
}

/// A queued launch.
struct Launch {
    handle: Arc<ServiceHandle>,
    config: Arc<ServiceConfig>,
    keep: Keep,
    /// Number of the launch, counted over all services.
    number: u64,
    flags: Arc<LaunchFlags>,
}

#[derive(Default)]
struct Queue {
    launches: VecDeque<Launch>,
    workers: usize,
    idle: usize,
    /// Time when a launch was last taken from the queue or completed.
    last_progress: Option<Instant>,
    is_closed: bool,
}

type Shared = Arc<(Mutex<Queue>, Condvar)>;

/// The owner of the threads `launcher`, which end when this is dropped, except hanging ones.
pub struct Launcher {
    shared: Shared,
    to_engine: Sender<Message>,
}

impl Launcher {
    /// Starts the first thread, which reports each launch to `to_engine`.
    ///
    /// # Errors
    /// `System` if a thread cannot be started.
    pub fn start(to_engine: Sender<Message>) -> Result<Self> {
        let launcher = Self { shared: Shared::default(), to_engine };
        launcher.add_worker()?;
        Ok(launcher)
    }

    fn add(&self, launch: Launch) {
        lock(&self.shared).launches.push_back(launch);
        self.shared.1.notify_one();
    }

    /// Adds a thread if all are busy and none has made progress for a while.
    fn add_worker_if_stuck(&self) {
        let queue = lock(&self.shared);
        let has_progressed = queue.last_progress.is_some_and(|at| at.elapsed() < HANG_INTERVAL);
        let is_stuck = !queue.launches.is_empty() && queue.idle == 0 && !has_progressed;
        let may_grow = queue.workers < WORKERS_MAX;
        drop(queue);
        if is_stuck
            && may_grow
            && let Err(error) = self.add_worker()
        {
            log::warn!("a launch hangs and no thread is left for others: {error}");
        }
    }

    fn add_worker(&self) -> Result<()> {
        lock(&self.shared).workers += 1;
        let (shared, to_engine) = (Arc::clone(&self.shared), self.to_engine.clone());
        let thread = thread::Builder::new().name("launcher".into()).stack_size(256 * 1024);
        thread.spawn(move || work(&shared, &to_engine)).map(drop).map_err(|error| {
            lock(&self.shared).workers -= 1;
            SystemError::new("start a launcher", error).into()
        })
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        lock(&self.shared).is_closed = true;
        self.shared.1.notify_all();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Queue> {
    shared.0.lock()
}

fn work(shared: &Shared, to_engine: &Sender<Message>) {
    while let Some(launch) = next(shared) {
        launch.run(to_engine);
        lock(shared).last_progress = Some(Instant::now());
    }
    lock(shared).workers -= 1;
}

/// Waits for the next launch. Returns `None` if the queue is closed, or for an extra thread that is
/// no longer needed.
fn next(shared: &Shared) -> Option<Launch> {
    let mut queue = lock(shared);
    loop {
        if let Some(launch) = queue.launches.pop_front() {
            queue.last_progress = Some(Instant::now());
            return Some(launch);
        }
        if queue.is_closed || queue.idle > 0 {
            return None;
        }
        queue.idle += 1;
        shared.1.wait(&mut queue);
        queue.idle -= 1;
    }
}

impl Launch {
    /// Launches the run. Leftovers of the last run are ended first, on a thread of their own, so
    /// that other launches do not wait.
    fn run(self, to_engine: &Sender<Message>) {
        if self.handle.last_run().is_none_or(|run| run.is_gone()) {
            return self.launch_and_report(to_engine);
        }
        self.flags.is_ending.store(true, Ordering::SeqCst);
        let (sender, service, number) =
            (to_engine.clone(), self.handle.name().to_owned(), self.number);
        let thread = thread::Builder::new().name("launcher-apart".into());
        let spawned = thread.stack_size(256 * 1024).spawn(move || {
            self.end_leftovers();
            self.flags.is_ending.store(false, Ordering::SeqCst);
            self.launch_and_report(&sender);
        });
        if let Err(error) = spawned {
            let result =
                Err(SystemError::new("start a thread that ends what it left behind", error).into());
            // An engine that has ended needs no report.
            let _gone = to_engine.send(Message::Launched { service, number, result });
        }
    }

    fn launch_and_report(&self, to_engine: &Sender<Message>) {
        let what = format_args!("The launch of {}", self.handle.name());
        let result = catch_panic(what, || self.launch()).unwrap_or(Err(InternalError.into()));
        let (service, number) = (self.handle.name().to_owned(), self.number);
        // An engine that has ended needs no report.
        let _gone = to_engine.send(Message::Launched { service, number, result });
    }

    /// Launches the run and returns its id.
    fn launch(&self) -> Result<String> {
        self.handle.manager().keep_logs_to(self.keep);
        let spec = SupervisorContext::run_spec(&self.config)?;
        // Checked after the `env_file` was read, because that may hang for long.
        if self.flags.is_cancelled.load(Ordering::SeqCst) {
            return Err(runs::Error::RestartCancelled.into());
        }
        Ok(self.handle.manager().start(&spec)?.run_id)
    }

    /// Ends the leftovers of the last run, as a stop would.
    fn end_leftovers(&self) {
        let (signal, grace) = (self.config.stop_signal, self.config.stop_timeout);
        // The manager logs processes that cannot be ended; the launch continues.
        let _left = self.handle.manager().end(Ending { by: EndedBy::Restart, signal, grace });
    }
}

impl Engine {
    pub(super) fn launch(&mut self, name: &str) {
        self.launches += 1;
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.machine.restarts() > entry.restarts_launched {
            entry.restarts_launched = entry.machine.restarts();
            entry.last_restart = Some(chrono::Utc::now());
        }
        entry.launched_by = Arc::clone(&entry.config);
        let (handle, config) = (Arc::clone(&entry.handle), Arc::clone(&entry.config));
        (entry.launch, entry.flags) = (self.launches, Arc::default());
        let flags = Arc::clone(&entry.flags);
        let (keep, number) = (self.context.keep_of(&config), self.launches);
        self.launcher.add(Launch { handle, config, keep, number, flags });
        self.add_timer(name, Instant::now() + HANG_INTERVAL, Due::LaunchHangs);
    }

    /// Handles a launch that takes unusually long: other launches must not wait for it.
    pub(super) fn launch_hangs(&mut self, name: &str) {
        self.launcher.add_worker_if_stuck();
        if self.entries.get(name).is_some_and(|entry| entry.machine.is_launching()) {
            self.add_timer(name, Instant::now() + HANG_INTERVAL, Due::LaunchHangs);
        }
    }

    /// Cancels a launch in progress, if it has not happened yet or hangs.
    pub(super) fn cancel_launch(&mut self, name: &str) {
        let Some(entry) = self.entries.get(name).filter(|it| it.machine.is_launching()) else {
            return;
        };
        entry.flags.is_cancelled.store(true, Ordering::SeqCst);
        entry.handle.manager().give_up_launch();
        self.add_timer(name, Instant::now() + GIVE_UP_TIMEOUT, Due::LaunchGivenUp);
    }

    /// Abandons a cancelled launch that has not ended. A run that it still launches is killed.
    pub(super) fn launch_given_up(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name).filter(|it| it.machine.is_launching()) else {
            return;
        };
        if entry.flags.is_ending.load(Ordering::SeqCst) {
            // Leftovers of the last run are being ended: the launch does not hang.
            return self.add_timer(name, Instant::now() + GIVE_UP_TIMEOUT, Due::LaunchGivenUp);
        }
        log::warn!("{name}: its launch hangs, abandoned");
        let number = entry.launch;
        self.launched(name, number, Err(runs::Error::RestartCancelled.into()));
    }
}
