//! The end of a run, told once, whichever thread comes to it first.

use super::run_log::RunLog;
use super::stamp::Moment;
use crate::catch_panic::catch_panic;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;

/// Who is told that a run has ended. Each of these is called once.
pub trait OnEnd: Send + Sync {
    /// Takes note of the end, in memory.
    fn record(&self, at: Moment);

    /// Has what was noted be written to disk. Blocks as long as the disk does.
    fn save(&self);

    /// Tells others of the end. Must not block.
    fn publish(&self);
}

/// Tells the end of one run: the log writer does when all that it had printed is on disk, or the
/// thread `log-ends` where the disk does not answer.
pub struct EndNotice {
    /// Until all of it is done: it holds what belongs to the run, which is to go with that.
    on_end: Mutex<Option<Arc<dyn OnEnd>>>,
    log: Arc<RunLog>,
    state: Mutex<State>,
}

/// How far it is told.
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
    /// The notice of a run that goes on.
    pub fn new(on_end: Arc<dyn OnEnd>, log: Arc<RunLog>) -> Self {
        Self { on_end: Mutex::new(Some(on_end)), log, state: Mutex::default() }
    }

    /// The log of the run.
    pub fn log(&self) -> &RunLog {
        &self.log
    }

    /// Whether others were told of the end.
    pub fn is_published(&self) -> bool {
        self.state().notified == Notified::Published
    }

    /// Tells of the end, all that was printed being on disk. Called by the log writer.
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

    /// Tells of the end though the disk does not answer.
    pub fn report_before_disk(&self, at: Moment) {
        let Some(on_end) = self.on_end() else { return };
        {
            // Before the end can be seen: nobody is to read that without this.
            let state = self.state();
            self.log.set_behind(!state.is_drained);
        }
        self.record_once(&*on_end, at);
        self.publish_once(&*on_end);
    }

    fn on_end(&self) -> Option<Arc<dyn OnEnd>> {
        self.on_end.lock().clone()
    }

    /// The lock is held meanwhile: who comes second finds it recorded.
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
            let _panicked = catch_panic("The telling of an end", || on_end.publish());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
