//! Launching runs, one after the other, and those that hang apart from the rest.
//!
//! A launch takes about a millisecond, so one thread does all of them, unless one hangs: its
//! program, its directory or its `env_file` may be on a file system that does not answer. Then
//! another thread goes on with the queue, and the launch that hangs can be given up.

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

/// How long the launches before it may keep a launch waiting without any being done, before
/// another thread goes on.
pub(super) const HANG_INTERVAL: Duration = Duration::from_millis(100);

/// How long a launch that hangs and is given up may take to notice that itself.
pub(super) const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// How many threads may launch, or hang.
const WORKERS_MAX: usize = 64;

/// What the engine and a launch know of each other.
#[derive(Debug, Default)]
pub struct Ticket {
    /// Whether it is not to take place any more.
    is_cancelled: AtomicBool,
    /// Whether it ends what the last run left behind, which takes the time that it takes.
    is_ending: AtomicBool,
}

/// A run to be launched.
struct Launch {
    it: Arc<ServiceHandle>,
    config: Arc<ServiceConfig>,
    keep: Keep,
    /// Which launch it is, counted over all services.
    number: u64,
    ticket: Arc<Ticket>,
}

#[derive(Default)]
struct Queue {
    launches: VecDeque<Launch>,
    workers: usize,
    idle: usize,
    /// When a launch was last taken or done.
    moved_at: Option<Instant>,
    is_closed: bool,
}

type Shared = Arc<(Mutex<Queue>, Condvar)>;

/// Owner of the threads `launcher`, which end when this is dropped, those that hang excepted.
pub struct Launcher {
    shared: Shared,
    outbox: Sender<Message>,
}

impl Launcher {
    /// Starts the first thread, which tells `outbox` of each launch.
    ///
    /// # Errors
    /// `System` when a thread cannot be had.
    pub fn start(outbox: Sender<Message>) -> Result<Self> {
        let launcher = Self { shared: Shared::default(), outbox };
        launcher.add_worker()?;
        Ok(launcher)
    }

    fn add(&self, launch: Launch) {
        lock(&self.shared).launches.push_back(launch);
        self.shared.1.notify_one();
    }

    /// Has another thread go on where all are busy and none has got on for a while.
    fn help_where_stuck(&self) {
        let queue = lock(&self.shared);
        let has_moved = queue.moved_at.is_some_and(|at| at.elapsed() < HANG_INTERVAL);
        let is_stuck = !queue.launches.is_empty() && queue.idle == 0 && !has_moved;
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
        let (shared, outbox) = (Arc::clone(&self.shared), self.outbox.clone());
        let thread = thread::Builder::new().name("launcher".into()).stack_size(256 * 1024);
        thread.spawn(move || work(&shared, &outbox)).map(drop).map_err(|error| {
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

fn work(shared: &Shared, outbox: &Sender<Message>) {
    while let Some(launch) = next(shared) {
        launch.take_place(outbox);
        lock(shared).moved_at = Some(Instant::now());
    }
    lock(shared).workers -= 1;
}

/// The next launch, as soon as there is one; `None` where there will be none, and for a thread that
/// was added while others hung and is not needed any more.
fn next(shared: &Shared) -> Option<Launch> {
    let mut queue = lock(shared);
    loop {
        if let Some(launch) = queue.launches.pop_front() {
            queue.moved_at = Some(Instant::now());
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
    /// Launches it, behind the end of what the last run left: that nobody else waits for.
    fn take_place(self, outbox: &Sender<Message>) {
        if self.it.last_run().is_none_or(|run| run.is_gone()) {
            return self.tell_result(outbox);
        }
        self.ticket.is_ending.store(true, Ordering::SeqCst);
        let (apart, service, number) = (outbox.clone(), self.it.name().to_owned(), self.number);
        let thread = thread::Builder::new().name("launcher-apart".into());
        let spawned = thread.stack_size(256 * 1024).spawn(move || {
            self.end_leftovers();
            self.ticket.is_ending.store(false, Ordering::SeqCst);
            self.tell_result(&apart);
        });
        if let Err(error) = spawned {
            let result =
                Err(SystemError::new("start a thread that ends what it left behind", error).into());
            // An engine that is gone needs to know nothing.
            let _gone = outbox.send(Message::Launched { service, number, result });
        }
    }

    fn tell_result(&self, outbox: &Sender<Message>) {
        let what = format_args!("The launch of {}", self.it.name());
        let result = catch_panic(what, || self.launch()).unwrap_or(Err(InternalError.into()));
        let (service, number) = (self.it.name().to_owned(), self.number);
        // An engine that is gone needs to know nothing.
        let _gone = outbox.send(Message::Launched { service, number, result });
    }

    /// Gives the id of the run.
    fn launch(&self) -> Result<String> {
        self.it.manager().keep_logs_to(self.keep);
        let spec = SupervisorContext::run_spec(&self.config)?;
        // ProbeFinished at behind that: a file that hangs may hang for long.
        if self.ticket.is_cancelled.load(Ordering::SeqCst) {
            return Err(runs::Error::RestartCancelled.into());
        }
        Ok(self.it.manager().start(&spec)?.run_id)
    }

    /// Ends what the last run left behind, as a stop would.
    fn end_leftovers(&self) {
        let (signal, grace) = (self.config.stop_signal, self.config.stop_timeout);
        // What cannot be ended is named by the manager, which goes on all the same.
        let _left = self.it.manager().end(Ending { by: EndedBy::Restart, signal, grace });
    }
}

impl Engine {
    pub(super) fn launch(&mut self, name: &str) {
        self.launches += 1;
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.life.restarts() > entry.restarts_launched {
            entry.restarts_launched = entry.life.restarts();
            entry.last_restart = Some(chrono::Utc::now());
        }
        entry.launched_by = Arc::clone(&entry.config);
        let (it, config) = (Arc::clone(&entry.it), Arc::clone(&entry.config));
        (entry.launch, entry.ticket) = (self.launches, Arc::default());
        let ticket = Arc::clone(&entry.ticket);
        let (keep, number) = (self.tools.keep_of(&config), self.launches);
        self.launcher.add(Launch { it, config, keep, number, ticket });
        self.add_timer(name, Instant::now() + HANG_INTERVAL, Due::LaunchHangs);
    }

    /// A launch has not been done in the time that launches take: others are not to wait for it.
    pub(super) fn launch_hangs(&mut self, name: &str) {
        self.launcher.help_where_stuck();
        if self.entries.get(name).is_some_and(|entry| entry.life.is_launching()) {
            self.add_timer(name, Instant::now() + HANG_INTERVAL, Due::LaunchHangs);
        }
    }

    /// Has a launch that is under way not take place, where it has not yet, or hangs.
    pub(super) fn cancel_launch(&mut self, name: &str) {
        let Some(entry) = self.entries.get(name).filter(|it| it.life.is_launching()) else {
            return;
        };
        entry.ticket.is_cancelled.store(true, Ordering::SeqCst);
        entry.it.manager().give_up_launch();
        self.add_timer(name, Instant::now() + GIVE_UP_TIMEOUT, Due::LaunchGivenUp);
    }

    /// A launch that was cancelled has not noticed: what comes of it later is ended.
    pub(super) fn launch_given_up(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name).filter(|it| it.life.is_launching()) else {
            return;
        };
        if entry.ticket.is_ending.load(Ordering::SeqCst) {
            // What the last run left behind is being ended, which is no hang.
            return self.add_timer(name, Instant::now() + GIVE_UP_TIMEOUT, Due::LaunchGivenUp);
        }
        log::warn!("{name}: its launch hangs, abandoned");
        let number = entry.launch;
        self.launched(name, number, Err(runs::Error::RestartCancelled.into()));
    }
}
