//! The parent of all runs: it spawns leaders, reaps orphans, and hands back exit statuses.

use super::error::Result;
use super::launch::{Launch, Spawned};
use super::leader::Leader;
use super::outcome::Outcome;
use super::procfs::ProcessInfo;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

/// The parent of all runs, in this process or in another. A leader's status is its launcher's; a
/// keeper collects every other child that dies, one by one and by pid.
pub(super) trait Keeper: Debug + Send + Sync {
    /// Launches a command. Blocks until it was executed, or until `is_given_up`, which is called
    /// now and then once the launch has taken a second; a child that hangs gets SIGKILL then.
    ///
    /// # Errors
    /// Those of `Launch::spawn`, and `System` if it was given up or nothing can be started.
    fn spawn(&self, launch: Launch, is_given_up: &dyn Fn() -> bool) -> Result<Spawned>;

    /// Collects a leader that has ended. `None` while it runs, and while a debugger holds its
    /// status. Does not block.
    fn collect(&self, leader: &Leader) -> Option<Outcome>;

    /// Collects a leader, or leaves it to the keeper if it has not ended.
    fn collect_or_leave(&self, leader: &Leader) -> Option<Outcome>;

    /// Collects a leader that has ended and calls `then` with its status: now if that is available,
    /// else on a thread of the keeper as soon as a debugger has released it. Does not block.
    fn collect_when_released(&self, leader: &Arc<Leader>, then: Box<dyn FnOnce(Outcome) + Send>);

    /// Whether a leader has ended and a debugger holds its status.
    fn is_status_held(&self, leader: &Leader) -> bool;

    /// Collects the orphans that are dead and returns those that live; `None` if /proc shows
    /// nothing.
    fn living_orphans(&self) -> Option<Vec<ProcessInfo>>;

    /// Returns the number of times that something about the children may have changed.
    fn changes(&self) -> u64;

    /// Blocks until something about the children may have changed since `seen`, or until
    /// `deadline`.
    fn wait_for_change(&self, seen: u64, deadline: Instant);

    /// Wakes everybody in `wait_for_change`.
    fn announce_change(&self);
}
