//! The threads that make children. Each makes one at a time, and lives as long as any of those.
//!
//! Making a child blocks until its program is executed, which is for ever where a file system
//! hangs. So whoever launches something does not do it on a thread of its own: it hands the launch
//! to an idle spawner, or to a new one where all are busy, and may leave it behind. A spawner does
//! not end before its children, because one that asked for a signal at the death of its parent
//! (`PR_SET_PDEATHSIG`) would get it then: to the kernel that parent is the thread.

use super::launch::{Launch, Spawned};
use super::procfs::own_thread_number;
use super::reaper::Shared;
use crate::error::{Error, Result};
use nix::errno::Errno;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How many launches may hang at once.
const SPAWNERS_MAX: usize = 64;

/// How often somebody who waits for a launch that takes long asks whether it is still wanted.
/// Nothing wakes him for that; only launches that hang get here.
const GIVE_UP_INTERVAL: Duration = Duration::from_millis(50);

/// How long a launch may take before it can be given up: on a machine that is out of breath one
/// takes a while, and is not to be told to hang.
const LAUNCH_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// How long a child that was killed before it was executed may take to be gone.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// From when on a launch is told to hang.
const HANG_TOLD_AFTER: Duration = Duration::from_secs(5);

/// The child that a spawner is making.
#[derive(Debug, Default)]
pub(super) struct Unborn(AtomicI32);

/// What can be known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnbornPid {
    /// There is none.
    None,
    /// There may be one, which has not told its number yet.
    Unknown,
    /// Its number.
    Known(i32),
}

impl Unborn {
    const NONE: i32 = 0;
    const UNKNOWN: i32 = -1;

    /// What is known. Complete while the register of children is locked.
    pub fn pid(&self) -> UnbornPid {
        match self.0.load(Ordering::SeqCst) {
            Self::NONE => UnbornPid::None,
            Self::UNKNOWN => UnbornPid::Unknown,
            pid => UnbornPid::Known(pid),
        }
    }

    /// A child is about to be made. Called with the register of children locked.
    pub fn begin(&self) {
        self.0.store(Self::UNKNOWN, Ordering::SeqCst);
    }

    /// The child itself tells its number, as the first thing that it does. Async-signal-safe.
    pub fn tell(&self, pid: i32) {
        self.0.store(pid, Ordering::SeqCst);
    }

    /// It was executed, or could not be. Called with the register of children locked.
    pub fn end(&self) {
        self.0.store(Self::NONE, Ordering::SeqCst);
    }
}

struct Job {
    launch: Launch,
    reply: Sender<Result<Spawned>>,
}

/// What a spawner is told.
enum Message {
    Launch(Job),
    End,
}

/// A spawner that has nothing to do.
#[derive(Clone, Debug)]
struct Spawner {
    /// Its number under /proc. Of two that are idle the older one has the next launch.
    thread: i32,
    orders: Sender<Message>,
    unborn: Arc<Unborn>,
}

/// The spawners of one process.
#[derive(Debug, Default)]
pub(super) struct Spawners {
    idle: Mutex<Vec<Spawner>>,
}

impl Shared {
    /// Launches a command. Blocks until it was executed, or until `is_given_up`, which is asked
    /// now and then once it has taken a second; the child that hangs gets SIGKILL then.
    ///
    /// # Errors
    /// Those of `Launch::spawn`, and `Kernel` where it was given up or no thread can be had.
    pub fn spawn(
        self: &Arc<Self>,
        launch: Launch,
        is_given_up: &dyn Fn() -> bool,
    ) -> Result<Spawned> {
        let spawner = self.idle_spawner()?;
        let (what, began) = (launch.command.to_string(), Instant::now());
        let (unborn, (reply, answer)) = (Arc::clone(&spawner.unborn), mpsc::channel());
        if spawner.orders.send(Message::Launch(Job { launch, reply })).is_err() {
            return Err(Error::Panicked);
        }
        let mut is_told = false;
        loop {
            match answer.recv_timeout(GIVE_UP_INTERVAL) {
                Ok(spawned) => return spawned,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Panicked),
                Err(RecvTimeoutError::Timeout) => {
                    if began.elapsed() >= LAUNCH_TIMEOUT_MIN && is_given_up() {
                        break;
                    }
                }
            }
            if !is_told && began.elapsed() > HANG_TOLD_AFTER {
                is_told = true;
                log::warn!("launch of `{what}` hangs: cannot read its program or directory");
            }
        }
        self.kill_unborn(&unborn);
        // A child that is killed before it is executed looks as if it had been.
        if let Ok(Ok(unwanted)) = answer.recv_timeout(KILL_TIMEOUT) {
            self.end_unwanted(&unwanted);
        }
        Err(Error::kernel("execute the program, whose file system hangs", Errno::ETIMEDOUT))
    }

    /// Starts the first spawner, so that a launch needs no thread.
    pub fn start_spawner(self: &Arc<Self>) -> Result<()> {
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
        // Those that were needed for a while and have no child any more.
        for extra in
            idle.extract_if(.., |it| self.procfs().children_of_thread(it.thread).is_empty())
        {
            // It has ended where it does not take it.
            let _ended = extra.orders.send(Message::End);
        }
        Ok(spawner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Spawner>> {
        self.spawners.idle.lock()
    }

    fn new_spawner(self: &Arc<Self>) -> Result<Spawner> {
        let (orders, receiver) = mpsc::channel();
        let (shared, ready) = (Arc::clone(self), mpsc::channel());
        let work = move || {
            let (thread, unborn) = (own_thread_number().unwrap_or_default(), Arc::default());
            let spawner = Spawner { thread, orders, unborn };
            let is_known = thread != 0 && shared.register(&spawner);
            let _gone = ready.0.send(is_known.then(|| spawner.clone()));
            if is_known {
                shared.make_children(&receiver, &spawner);
            }
        };
        let thread = thread::Builder::new().name("spawner".into()).stack_size(128 * 1024);
        let refused = |error| Error::kernel("start a process", error);
        thread.spawn(work).map_err(refused)?;
        match ready.1.recv() {
            Ok(Some(spawner)) => Ok(spawner),
            Ok(None) => Err(Error::kernel("start a process: too many hang", Errno::EAGAIN)),
            Err(_) => Err(Error::Panicked),
        }
    }

    /// Whether there is room for one more spawner, whose children are looked at from now on.
    fn register(&self, spawner: &Spawner) -> bool {
        let mut children = self.lock();
        let has_room = children.makers.len() < SPAWNERS_MAX;
        if has_room {
            children.makers.push((spawner.thread, Arc::clone(&spawner.unborn)));
        }
        has_room
    }

    fn make_children(&self, orders: &Receiver<Message>, own: &Spawner) {
        while let Ok(Message::Launch(Job { launch, reply })) = orders.recv() {
            let spawned = launch.spawn(self, &own.unborn);
            let mut idle = self.idle();
            idle.push(own.clone());
            idle.sort_by_key(|spawner| spawner.thread);
            drop(idle);
            if let Err(mpsc::SendError(Ok(unwanted))) = reply.send(spawned) {
                self.end_unwanted(&unwanted);
            }
        }
        self.lock().makers.retain(|(thread, _)| *thread != own.thread);
    }
}
