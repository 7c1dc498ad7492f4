//! Starts and ends of the runs of a server, as events for subscribers.

use super::config::RunObserver;
use super::run::{End, RunView};
use crate::event_log::EventLog;
use crate::protocol::EndedBy;
use std::sync::atomic::{AtomicU64, Ordering};

/// The start or the end of a run.
#[derive(Clone, Debug)]
pub struct RunChange {
    /// The run.
    pub run_id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The command, as text.
    pub command: String,
    /// The pid of its own process.
    pub pid: i32,
    /// Its end; `None` if it was started.
    pub end: Option<End>,
}

/// The last changes of runs, and how many there were.
#[derive(Debug, Default)]
pub struct RunEvents {
    log: EventLog<RunChange>,
    starts: AtomicU64,
    /// By the position of the cause in `EndedBy::ALL`.
    ends: [AtomicU64; EndedBy::ALL.len()],
}

impl RunEvents {
    /// Returns the changes.
    #[must_use]
    pub fn log(&self) -> &EventLog<RunChange> {
        &self.log
    }

    /// Returns the number of runs that were started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Returns the number of runs that have ended, by cause.
    pub fn ends(&self) -> impl Iterator<Item = (EndedBy, u64)> {
        let causes = EndedBy::ALL.iter().copied();
        causes.zip(self.ends.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    fn add(&self, run: &RunView, end: Option<End>) {
        self.log.add(RunChange {
            run_id: run.id().to_owned(),
            name: run.name().map(str::to_owned),
            command: run.command().to_owned(),
            pid: run.pid(),
            end,
        });
    }
}

impl RunObserver for RunEvents {
    fn started(&self, run: &RunView) {
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.add(run, None);
    }

    fn ended(&self, run: &RunView, end: End) {
        let causes = EndedBy::ALL.iter().zip(&self.ends);
        for (_, count) in causes.filter(|(by, _)| **by == end.by) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.add(run, Some(end));
    }
}
