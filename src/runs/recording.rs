//! Recording and publication of a run's end.

use super::config::Observer;
use super::process_manager::ProcessManager;
use super::run::{End, Run, RunView};
use crate::catch_panic::catch_panic;
use crate::logs::{self, EndRecord, Moment};
use crate::process::Outcome;
use crate::protocol::EndedBy;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The end of a run, which the log writer reports when all output of the run is on disk, or the
/// thread `log-ends` if the disk is stalled. If a debugger holds the status of the run's own
/// process, the reaper reports it when that is released.
pub(super) struct RunEnd(Arc<Ending>);

struct Ending {
    manager: Arc<ProcessManager>,
    run: Arc<Run>,
    publication: Mutex<Publication>,
}

/// The progress of publishing an end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Publication {
    #[default]
    NotRequested,
    /// To be published as soon as the end is recorded.
    Requested,
    Done,
}

impl RunEnd {
    /// Creates the receiver for a run that goes on.
    pub(super) fn of(manager: Arc<ProcessManager>, run: Arc<Run>) -> Self {
        Self(Arc::new(Ending { manager, run, publication: Mutex::default() }))
    }
}

impl logs::OnEnd for RunEnd {
    fn record(&self, at: Moment) {
        let (reaper, leader) = (&self.0.manager.reaper, &self.0.run.leader);
        let ending = Arc::clone(&self.0);
        reaper.collect_when_released(leader, move |outcome| ending.record(at, outcome));
    }

    fn save(&self) {
        self.0.manager.folder.ledger().save();
    }

    fn publish(&self) {
        if self.0.request_publication() {
            self.0.publish();
        }
    }
}

impl Ending {
    /// Records an end. If that panics, others still do not wait for it in vain.
    fn record(&self, at: Moment, outcome: Outcome) {
        let what = format_args!("The recording of the end of run {}", self.run.id);
        let _panicked = catch_panic(what, || self.manager.record_end(&self.run, at, outcome));
        let unknown = || End {
            at: at.time(),
            outcome: Outcome::Unknown,
            by: EndedBy::Lost,
            lasted: at.since(self.run.began),
        };
        self.run.end.get_or_init(unknown);
        if self.was_requested() {
            self.manager.folder.ledger().save();
            self.publish();
        }
    }

    /// Requests the publication. Returns whether it is due now: once, when the end is recorded.
    fn request_publication(&self) -> bool {
        let mut publication = self.publication.lock();
        // Checked under the lock: whoever records it meanwhile finds the request.
        let is_recorded = self.run.end.get().is_some();
        let is_due = is_recorded && *publication != Publication::Done;
        *publication = if is_recorded { Publication::Done } else { Publication::Requested };
        is_due
    }

    /// Whether the publication of the end, which is recorded now, was requested before.
    fn was_requested(&self) -> bool {
        let mut publication = self.publication.lock();
        let is_due = *publication == Publication::Requested;
        if is_due {
            *publication = Publication::Done;
        }
        is_due
    }

    fn publish(&self) {
        let Self { manager, run, .. } = self;
        let Some(end) = run.end.get().copied() else { return };
        manager.transition_count.fetch_add(1, Ordering::SeqCst);
        if let Some(session) = &run.session {
            session.set_outcome(end.outcome);
        }
        run.log.set_over();
        manager.announce_change();
        if let Observer(Some(observer)) = &manager.config.observer {
            let (run, reaper) = (Arc::clone(run), Arc::clone(&manager.reaper));
            observer.ended(&RunView { run, reaper }, end);
        }
        // After all that others wait for.
        log::info!("run {} ended {}", run.id, end.describe());
    }
}

impl ProcessManager {
    fn record_end(&self, run: &Run, at: Moment, outcome: Outcome) {
        let mut inner = self.inner();
        let by = match inner.state.leader_ended(outcome) {
            EndedBy::Signal if run.tree.has_run_out_of_memory() => EndedBy::Limit,
            by => by,
        };
        let end = End { at: at.time(), outcome, by, lasted: at.since(run.began) };
        // It is set once, because an end is recorded once.
        let _set_before = run.end.set(end);
        drop(inner);
        self.folder.ledger().ended(&run.id, record_of(run, &end));
    }
}

fn record_of(run: &Run, end: &End) -> EndRecord {
    let snapshot = run.log.snapshot();
    EndRecord {
        at: end.at,
        exit_code: end.outcome.exit_code(),
        signal: end.outcome.signal(),
        ended_by: end.by,
        dropped_lines: snapshot.dropped_lines,
        output_at: snapshot.output_at,
        lasted_ms: u64::try_from(end.lasted.as_millis()).ok(),
    }
}
