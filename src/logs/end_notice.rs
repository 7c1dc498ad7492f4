//! The report of a run's end, made once by whichever thread comes first.

use super::run_log::RunLog;
use super::stamp::Moment;
use crate::catch_panic::catch_panic;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;

/// Receiver of the end of a run. Each method is called once.
pub trait OnEnd: Send + Sync {
    /// Records the end in memory.
    fn record(&self, at: Moment);

    /// Writes what was recorded to disk. Blocks as long as the disk does.
    fn save(&self);

    /// Publishes the end. Must not block.
    fn publish(&self);
}

/// The report of one run's end: by the log writer when all its output is on disk, or by the thread
/// `log-ends` if the disk is stalled.
pub struct EndNotice {
    /// Dropped when all is done, with what it holds of the run.
    on_end: Mutex<Option<Arc<dyn OnEnd>>>,
    log: Arc<RunLog>,
    state: Mutex<State>,
}

/// The progress of the report.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    notified: Notified,
    /// Whether what the run had printed before its end is on disk.
    is_drained: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Notified {
    #[default]
    Nothing,
    Recorded,
    Published,
}

impl EndNotice {
    /// Creates the notice of a run that goes on.
    pub fn new(on_end: Arc<dyn OnEnd>, log: Arc<RunLog>) -> Self {
        Self { on_end: Mutex::new(Some(on_end)), log, state: Mutex::default() }
    }

    /// Returns the log of the run.
    pub fn log(&self) -> &RunLog {
        &self.log
    }

    /// Whether the end is published.
    pub fn is_published(&self) -> bool {
        self.state().notified == Notified::Published
    }

    /// Reports the end, with all output on disk. Called by the log writer.
    pub fn report(&self, at: Moment) {
        let Some(on_end) = self.on_end() else { return };
        {
            let mut state = self.state();
            state.is_drained = true;
            self.log.set_behind(false);
        }
        self.record_once(&*on_end, at);
        let _panicked = catch_panic("The saving of an end", || on_end.save());
        self.publish_once(&*on_end);
        *self.on_end.lock() = None;
    }

    /// Reports the end although the disk is stalled.
    pub fn report_before_disk(&self, at: Moment) {
        let Some(on_end) = self.on_end() else { return };
        {
            // Set before the end is visible, so that nobody reads that without this.
            let state = self.state();
            self.log.set_behind(!state.is_drained);
        }
        self.record_once(&*on_end, at);
        self.publish_once(&*on_end);
    }

    fn on_end(&self) -> Option<Arc<dyn OnEnd>> {
        self.on_end.lock().clone()
    }

    /// Holds the lock meanwhile, so that the second caller finds the end recorded.
    fn record_once(&self, on_end: &dyn OnEnd, at: Moment) {
        let mut state = self.state();
        if state.notified == Notified::Nothing {
            let _panicked = catch_panic("The recording of an end", || on_end.record(at));
            state.notified = Notified::Recorded;
        }
    }

    fn publish_once(&self, on_end: &dyn OnEnd) {
        let before = std::mem::replace(&mut self.state().notified, Notified::Published);
        if before < Notified::Published {
            let _panicked = catch_panic("The publication of an end", || on_end.publish());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
