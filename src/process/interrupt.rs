//! Interrupts of a session's command that reach processes which are only being made.
//!
//! A shell that forks has a handler of its own for SIGINT. What comes between the fork and the exec
//! goes to that handler in the child, where nothing acts on it: the program gets no signal. So it
//! is sent again to the processes that had not executed a program then.

use super::procfs::{ProcessInfo, is_only_forked};
use super::reaper::Reaper;
use super::signal::Signal;
use super::tree::{Tree, send_signal};
use std::collections::HashMap;

/// Maximum number of times that a process without a program gets the signal again.
const REPEATS_MAX: u32 = 3;

/// A signal that a tree was sent, and the processes that may have lost it.
#[derive(Debug)]
pub struct SentSignal {
    signal: Signal,
    /// The processes that got it, by pid and start time; for one that had executed no program, the
    /// number of times.
    reached: HashMap<(i32, u64), Option<u32>>,
}

impl Tree {
    /// Sends a signal to the tree as `signal` does, for `repeat_lost` to follow.
    #[must_use]
    pub fn send(&self, reaper: &Reaper, signal: Signal) -> SentSignal {
        let state = |it: ProcessInfo| (key(it), is_only_forked(it.number).then_some(1));
        // Read before: one that executes a program meanwhile may have lost it.
        let reached = self.members(reaper).into_iter().map(state).collect();
        self.signal(reaper, signal);
        SentSignal { signal, reached }
    }

    /// Sends a signal again to the processes that may have lost it, among them those that the
    /// leader has made since; and to the leader before, which waits for them. Returns whether there
    /// were any.
    pub fn repeat_lost(&self, reaper: &Reaper, sent: &mut SentSignal) -> bool {
        let mut has_lost = false;
        for member in self.members(reaper) {
            if member.pid.as_raw() == self.leader_pid() || !self.has_lost(member, sent) {
                continue;
            }
            if !std::mem::replace(&mut has_lost, true) {
                // It fails only if the leader has ended.
                let _ended = self.signal_leader(sent.signal);
            }
            let times = sent.reached.get(&key(member)).copied().flatten().unwrap_or(0);
            let times = is_only_forked(member.number).then_some(times + 1);
            sent.reached.insert(key(member), times);
            // A process that refuses it is none of those.
            let _refused = send_signal(reaper.procfs(), member, sent.signal);
        }
        has_lost
    }

    fn has_lost(&self, member: ProcessInfo, sent: &SentSignal) -> bool {
        match sent.reached.get(&key(member)) {
            Some(None) => false,
            Some(Some(times)) => !is_only_forked(member.number) || *times < REPEATS_MAX,
            // Those that another program has made since, maybe to clean up, are left alone.
            None => self.leader_number() == Some(member.parent),
        }
    }
}

fn key(process: ProcessInfo) -> (i32, u64) {
    (process.pid.as_raw(), process.start_ticks)
}
