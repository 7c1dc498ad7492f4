//! The end of a run, as it is recorded and told.

use super::config::OnEnd;
use super::process_manager::ProcessManager;
use super::run::{End, EndedBy, Run};
use crate::guarded::guarded;
use crate::logs::EndRecord;
use crate::process::Outcome;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl ProcessManager {
    /// Called by the writer when all that the run had written is on disk: from here on its end
    /// may be told. Whatever panics in the recording, others are not left to wait for it.
    /// Where a debugger holds the status of its own process, that is recorded when it lets go.
    pub(super) fn record_end(self: &Arc<Self>, run: Arc<Run>, at: DateTime<Utc>) {
        let (manager, leader) = (Arc::clone(self), Arc::clone(&run.leader));
        self.reaper.collect_in_time(&leader, move |outcome| manager.record(&run, at, outcome));
    }

    fn record(&self, run: &Run, at: DateTime<Utc>, outcome: Outcome) {
        let what = format_args!("The recording of the end of run {}", run.id);
        let _panicked = guarded(what, || self.note_end(run, at, outcome));
        let unknown = || End { at, outcome: Outcome::Unknown, by: EndedBy::Lost };
        let end = *run.end.get_or_init(unknown);
        self.turns.fetch_add(1, Ordering::SeqCst);
        run.log.set_over();
        self.announce_change();
        if let OnEnd(Some(on_end)) = &self.config.on_end {
            on_end(&run.id, end);
        }
        // Behind all that others wait for.
        log::info!("run {} ended {}", run.id, end.words());
    }

    fn note_end(&self, run: &Run, at: DateTime<Utc>, outcome: Outcome) {
        let mut inner = self.inner();
        let by = match inner.state.leader_ended(outcome) {
            EndedBy::Signal if run.tree.has_run_out_of_memory() => EndedBy::Limit,
            by => by,
        };
        let end = End { at, outcome, by };
        // It is set once: the writer reports an end once.
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
    }
}
