//! The end of a run, as it is recorded and told.

use super::config::OnEnd;
use super::process_manager::ProcessManager;
use super::run::{End, EndedBy, Run};
use crate::guarded::guarded;
use crate::logs::{self, EndRecord, Moment};
use crate::process::Outcome;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The end of a run, which the log writer tells when all that the run had written is on disk, or
/// the thread `log-ends` where the disk does not answer.
pub(super) struct RunEnd {
    pub manager: Arc<ProcessManager>,
    pub run: Arc<Run>,
}

impl logs::OnEnd for RunEnd {
    /// Whatever panics in the recording, others are not left to wait for it.
    fn record(&self, at: Moment) {
        let what = format_args!("The recording of the end of run {}", self.run.id);
        let _panicked = guarded(what, || self.manager.note_end(&self.run, at));
        let unknown = || End {
            at: at.time(),
            outcome: Outcome::Unknown,
            by: EndedBy::Lost,
            lasted: at.since(self.run.began),
        };
        self.run.end.get_or_init(unknown);
    }

    fn save(&self) {
        self.manager.folder.ledger().save();
    }

    fn publish(&self) {
        let Self { manager, run } = self;
        let Some(end) = run.end.get().copied() else { return };
        manager.turns.fetch_add(1, Ordering::SeqCst);
        run.log.set_over();
        manager.announce_change();
        if let OnEnd(Some(on_end)) = &manager.config.on_end {
            on_end(&run.id, end);
        }
        // Behind all that others wait for.
        log::info!("run {} ended {}", run.id, end.words());
    }
}

impl ProcessManager {
    fn note_end(&self, run: &Run, at: Moment) {
        let outcome = self.reaper.collect(&run.leader).unwrap_or(Outcome::Unknown);
        let mut inner = self.inner();
        let by = match inner.state.leader_ended(outcome) {
            EndedBy::Signal if run.tree.has_run_out_of_memory() => EndedBy::Limit,
            by => by,
        };
        let end = End { at: at.time(), outcome, by, lasted: at.since(run.began) };
        // It is set once: an end is recorded once.
        let _set_before = run.end.set(end);
        drop(inner);
        self.folder.ledger().ended(&run.id, record_of(run, &end));
    }
}

fn record_of(run: &Run, end: &End) -> EndRecord {
    EndRecord {
        at: end.at,
        exit_code: end.outcome.exit_code(),
        signal: end.outcome.signal(),
        ended_by: end.by.word().to_owned(),
        dropped_lines: run.log.glance().dropped_lines,
        lasted_ms: u64::try_from(end.lasted.as_millis()).ok(),
    }
}
