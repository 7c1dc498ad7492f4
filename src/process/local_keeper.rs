//! The keeper in this process: a thread that reaps, and threads that spawn.

use super::children::ChildRegistry;
use super::error::Result;
use super::keeper::Keeper;
use super::launch::{Launch, Spawned};
use super::leader::Leader;
use super::outcome::Outcome;
use super::procfs::{ProcessInfo, Procfs};
use super::spawner::Spawners;
use crate::catch_panic::catch_panic;
use crate::error::SystemError;
use nix::libc;
use signal_hook::SigId;
use std::io::{self, PipeReader, Read};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Owner of the thread `reaper`: woken by SIGCHLD, it collects every dead orphan, one by one and by
/// pid, and leaves leaders to their managers.
#[derive(Debug)]
pub(super) struct LocalKeeper {
    registry: Arc<ChildRegistry>,
    spawners: Arc<Spawners>,
    handler: SigId,
    thread: Option<JoinHandle<()>>,
}

impl LocalKeeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// `System` if a descriptor or a thread cannot be created.
    pub fn start(procfs: Procfs) -> Result<Self> {
        let (deaths, signals) = io::pipe().map_err(|e| SystemError::new("make a pipe", e))?;
        let handler = signal_hook::low_level::pipe::register(libc::SIGCHLD, signals)
            .map_err(|e| SystemError::new("watch for SIGCHLD", e))?;
        let registry = Arc::new(ChildRegistry::new(procfs));
        let spawners = Arc::new(Spawners::new(Arc::clone(&registry)));
        spawners.start_first()?;
        let for_thread = Arc::clone(&registry);
        let thread = thread::Builder::new()
            .name("reaper".into())
            .stack_size(128 * 1024)
            .spawn(move || reap_until_closed(&for_thread, deaths))
            .map_err(|e| SystemError::new("start the reaper", e))?;
        Ok(Self { registry, spawners, handler, thread: Some(thread) })
    }
}

impl Keeper for LocalKeeper {
    fn spawn(&self, launch: Launch, is_given_up: &dyn Fn() -> bool) -> Result<Spawned> {
        self.spawners.spawn(launch, is_given_up)
    }

    fn collect(&self, leader: &Leader) -> Option<Outcome> {
        self.registry.collect(leader)
    }

    fn collect_or_leave(&self, leader: &Leader) -> Option<Outcome> {
        self.registry.collect_or_leave(leader)
    }

    fn collect_when_released(&self, leader: &Arc<Leader>, then: Box<dyn FnOnce(Outcome) + Send>) {
        self.registry.collect_when_released(leader, then);
    }

    fn is_status_held(&self, leader: &Leader) -> bool {
        self.registry.is_status_held(leader)
    }

    fn living_orphans(&self) -> Option<Vec<ProcessInfo>> {
        self.registry.reap()
    }

    fn changes(&self) -> u64 {
        self.registry.changes()
    }

    fn wait_for_change(&self, seen: u64, deadline: Instant) {
        self.registry.wait_for_change(seen, deadline);
    }

    fn announce_change(&self) {
        self.registry.announce_change();
    }
}

impl Drop for LocalKeeper {
    fn drop(&mut self) {
        // The handler has the only writing end of the pipe, so this ends the thread's read.
        signal_hook::low_level::unregister(self.handler);
        if let Some(thread) = self.thread.take() {
            // A reaper that panicked has already reported it on stderr.
            let _panicked = thread.join();
        }
    }
}

fn reap_until_closed(registry: &ChildRegistry, mut deaths: PipeReader) {
    let mut bytes = [0; 64];
    loop {
        match deaths.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
        let _panicked = catch_panic("The reaper", || registry.reap());
        registry.announce_change();
        registry.collect_released();
    }
}
