//! The threads that spawn children. Each spawns one at a time, and lives as long as any of those.
//!
//! Spawning a child blocks until its program is executed, which is for ever if a file system hangs.
//! So a launch never runs on the thread that wants it: it goes to an idle spawner, or to a new one
//! if all are busy, and may be left behind there. A spawner does not end before its children,
//! because one that asked for a signal at the death of its parent (`PR_SET_PDEATHSIG`) would get it
//! then: to the kernel that parent is the thread.

use super::child::PendingChild;
use super::children::ChildRegistry;
use super::error::Result;
use super::launch::{Launch, Spawned};
use super::pidfd::wait_for_end;
use super::procfs::own_thread_number;
use super::signal::Signal;
use crate::error::{InternalError, SystemError};
use nix::errno::Errno;
use parking_lot::{Mutex, MutexGuard};
use rustix::process::pidfd_send_signal;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Number of launches that may hang at once.
const SPAWNERS_MAX: usize = 64;

/// Interval at which the caller of a launch that takes long checks whether it is still wanted.
/// Nothing announces that; only launches that hang get here.
const GIVE_UP_INTERVAL: Duration = Duration::from_millis(50);

/// Time before which a launch is not given up: on an overloaded machine it may take a while
/// without hanging.
const LAUNCH_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Time for a child that was killed before its exec to be gone.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// Time after which the log reports that a launch hangs.
const HANG_REPORT_DELAY: Duration = Duration::from_secs(5);

struct Job {
    launch: Launch,
    reply: Sender<Result<Spawned>>,
}

/// A message to a spawner.
enum Message {
    Launch(Job),
    End,
}

/// A handle of a spawner.
#[derive(Clone, Debug)]
struct Spawner {
    /// The thread's number under /proc. Of two idle ones the older takes the next launch.
    thread: i32,
    jobs: Sender<Message>,
    pending: Arc<PendingChild>,
}

/// The spawners of one process.
#[derive(Debug)]
pub(super) struct Spawners {
    registry: Arc<ChildRegistry>,
    idle: Mutex<Vec<Spawner>>,
}

impl Spawners {
    /// Creates a set without a thread.
    pub fn new(registry: Arc<ChildRegistry>) -> Self {
        Self { registry, idle: Mutex::default() }
    }

    /// Launches a command. Blocks until it was executed, or until `is_given_up`, which is called
    /// now and then once the launch has taken a second; the child that hangs gets SIGKILL then.
    ///
    /// # Errors
    /// Those of `Launch::spawn`, and `System` if it was given up or no thread can be started.
    pub fn spawn(
        self: &Arc<Self>,
        launch: Launch,
        is_given_up: &dyn Fn() -> bool,
    ) -> Result<Spawned> {
        let spawner = self.idle_spawner()?;
        let (command, began) = (launch.command.to_string(), Instant::now());
        let (pending, (reply, answer)) = (Arc::clone(&spawner.pending), mpsc::channel());
        if spawner.jobs.send(Message::Launch(Job { launch, reply })).is_err() {
            return Err(InternalError.into());
        }
        let mut is_reported = false;
        loop {
            match answer.recv_timeout(GIVE_UP_INTERVAL) {
                Ok(spawned) => return spawned,
                Err(RecvTimeoutError::Disconnected) => return Err(InternalError.into()),
                Err(RecvTimeoutError::Timeout) => {
                    if began.elapsed() >= LAUNCH_TIMEOUT_MIN && is_given_up() {
                        break;
                    }
                }
            }
            if !is_reported && began.elapsed() > HANG_REPORT_DELAY {
                is_reported = true;
                log::warn!("launch of `{command}` hangs: cannot read its program or directory");
            }
        }
        self.registry.kill_pending(&pending);
        // A child that is killed before its exec appears to have been executed.
        if let Ok(Ok(unwanted)) = answer.recv_timeout(KILL_TIMEOUT) {
            self.end_unwanted(&unwanted);
            wait_for_end(&unwanted.child.pidfd, Instant::now() + KILL_TIMEOUT);
        }
        Err(SystemError::new("execute the program, whose file system hangs", Errno::ETIMEDOUT)
            .into())
    }

    /// Starts the first spawner, so that a launch needs no new thread.
    pub fn start_first(self: &Arc<Self>) -> Result<()> {
        let spawner = self.new_spawner()?;
        self.idle().push(spawner);
        Ok(())
    }

    fn idle_spawner(self: &Arc<Self>) -> Result<Spawner> {
        let mut idle = self.idle();
        if idle.is_empty() {
            drop(idle);
            return self.new_spawner();
        }
        let spawner = idle.remove(0);
        // Those that were needed for a while and have no living child any more. The kernel hands a
        // child that is not reaped yet to another thread.
        let procfs = self.registry.procfs();
        let lives = |child: i32| procfs.read(child).is_some_and(|process| process.state != 'Z');
        let is_extra =
            |it: &mut Spawner| !procfs.children_of_thread(it.thread).into_iter().any(lives);
        for extra in idle.extract_if(.., is_extra) {
            // If it does not take the message it has ended.
            let _ended = extra.jobs.send(Message::End);
        }
        Ok(spawner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Spawner>> {
        self.idle.lock()
    }

    fn new_spawner(self: &Arc<Self>) -> Result<Spawner> {
        let (jobs, receiver) = mpsc::channel();
        let (spawners, ready) = (Arc::clone(self), mpsc::channel());
        let work = move || {
            let (thread, pending) = (own_thread_number().unwrap_or_default(), Arc::default());
            let spawner = Spawner { thread, jobs, pending };
            let is_known = thread != 0
                && spawners.registry.add_spawner(thread, &spawner.pending, SPAWNERS_MAX);
            let _gone = ready.0.send(is_known.then(|| spawner.clone()));
            if is_known {
                spawners.run(&receiver, &spawner);
            }
        };
        let thread = thread::Builder::new().name("spawner".into()).stack_size(128 * 1024);
        let refused = |error| SystemError::new("start a process", error);
        thread.spawn(work).map_err(refused)?;
        match ready.1.recv() {
            Ok(Some(spawner)) => Ok(spawner),
            Ok(None) => {
                Err(SystemError::new("start a process: too many hang", Errno::EAGAIN).into())
            }
            Err(_) => Err(InternalError.into()),
        }
    }

    fn run(&self, jobs: &Receiver<Message>, own: &Spawner) {
        while let Ok(Message::Launch(Job { launch, reply })) = jobs.recv() {
            let spawned = launch.spawn(&self.registry, &own.pending);
            let mut idle = self.idle();
            idle.push(own.clone());
            idle.sort_by_key(|spawner| spawner.thread);
            drop(idle);
            if let Err(mpsc::SendError(Ok(unwanted))) = reply.send(spawned) {
                self.end_unwanted(&unwanted);
            }
        }
        self.registry.remove_spawner(own.thread);
    }

    /// Ends a command that was launched after its launch was given up.
    fn end_unwanted(&self, spawned: &Spawned) {
        let _ended = pidfd_send_signal(&spawned.child.pidfd, Signal::KILL.raw());
        self.registry.forget_leader(spawned.child.pid);
    }
}
