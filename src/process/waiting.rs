//! Leaders that have ended and whose status the kernel still keeps from us.
//!
//! A process that is traced is first a zombie of its tracer (strace, gdb). Only when that has taken
//! note of the end, or has gone itself, can we collect the status; SIGCHLD comes then.

use super::leader::Leader;
use super::outcome::Outcome;
use super::reaper::{Reaper, Shared};
use crate::catch_panic::catch_panic;
use std::fmt;
use std::sync::Arc;

/// One of them, with whoever waits for its status.
pub(super) struct Waiting {
    leader: Arc<Leader>,
    then: Box<dyn FnOnce(Outcome) + Send>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiting").field(&self.leader.pid()).finish()
    }
}

impl Reaper {
    /// Collects a leader that has ended and calls `then` with its status: now, where that can be
    /// had, else on the reaper's thread as soon as it can. Does not block.
    pub fn collect_in_time(
        &self,
        leader: &Arc<Leader>,
        then: impl FnOnce(Outcome) + Send + 'static,
    ) {
        let mut children = self.shared().lock();
        if let Some(outcome) = children.collect(leader) {
            drop(children);
            return then(outcome);
        }
        // The register is still locked: what comes now is seen by the reaper behind this.
        children.waiting.push(Waiting { leader: Arc::clone(leader), then: Box::new(then) });
        drop(children);
        log::warn!("process {} ended, but a debugger holds its exit status", leader.pid());
    }

    /// Whether a leader has ended and a debugger holds its status.
    #[must_use]
    pub fn is_status_held(&self, leader: &Leader) -> bool {
        let children = self.shared().lock();
        children.waiting.iter().any(|waiting| waiting.leader.pid() == leader.pid())
    }
}

impl Shared {
    /// Collects those whose status can be had now, and tells it.
    pub fn tell_waiting(&self) {
        let mut told = Vec::new();
        let mut children = self.lock();
        for waiting in std::mem::take(&mut children.waiting) {
            match children.collect(&waiting.leader) {
                Some(outcome) => told.push((waiting, outcome)),
                None => children.waiting.push(waiting),
            }
        }
        drop(children);
        for (waiting, outcome) in told {
            let _panicked = catch_panic("The end of a run", || (waiting.then)(outcome));
        }
    }
}
