//! The log of a service over all of its runs, as a source.

use super::error::Result;
use super::source::{Named, RunMark, Source};
use crate::logs::{LogSeries, LogSnapshot, RunLog, RunRecord, Selection, format_instant};
use crate::protocol::ServiceStatus;
use crate::supervisor::ServiceHandle;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// The log of a service.
pub struct ServiceSource(pub Arc<ServiceHandle>);

impl Source for ServiceSource {
    fn name(&self) -> Named {
        Named::Service { name: self.0.name().to_owned() }
    }

    fn line_numbers(&self) -> Range<u64> {
        0..self.0.manager().lines_total()
    }

    fn series(&self, selection: &Selection) -> Result<LogSeries> {
        Ok(self.0.manager().log_series(selection.reach())?)
    }

    fn is_over(&self) -> bool {
        self.0.manager().is_finished()
    }

    fn wait(&self, deadline: Instant, is_news: &mut dyn FnMut(&LogSnapshot) -> bool) {
        self.0.manager().wait_for_output(deadline, is_news);
    }

    fn is_running(&self) -> bool {
        self.0.last_run().is_some_and(|run| !run.log().snapshot().is_over)
    }

    fn last_log(&self) -> Option<Arc<RunLog>> {
        self.0.last_run().map(|run| Arc::clone(run.log()))
    }

    fn status(&self) -> Value {
        ServiceStatus::of(&self.0, None).json()
    }

    fn transition_count(&self) -> u64 {
        self.0.manager().transition_count()
    }

    fn run_marks(&self) -> Vec<RunMark> {
        let mut marks = Vec::new();
        let mut runs = self.0.manager().run_records();
        runs.reverse();
        // A run that is being launched has not started.
        runs.retain(|run| run.leader.is_some());
        let newest = runs.last().and_then(|run| self.0.manager().log_of(&run.run_id).ok());
        let lines = newest.map_or(0, |log| log.snapshot().lines);
        for (index, run) in runs.iter().enumerate() {
            let start = json!({
                "event": "started", "run_id": run.run_id, "pid": run.leader.map(|it| it.pid),
                "at": format_instant(run.created_at),
            });
            let lines_before = run.lines_before;
            let run_id = run.run_id.clone();
            marks.push(RunMark { lines_before, run_id, is_end: false, data: start });
            let next = runs.get(index + 1).map_or(lines.max(lines_before), |run| run.lines_before);
            marks.extend(end_mark(run, next));
        }
        marks
    }
}

fn end_mark(run: &RunRecord, lines_before: u64) -> Option<RunMark> {
    let end = run.end.as_ref()?;
    let data = json!({
        "event": "ended", "run_id": run.run_id, "exit_code": end.exit_code,
        "signal": end.signal, "ended_by": end.ended_by, "at": format_instant(end.at),
    });
    Some(RunMark { lines_before, run_id: run.run_id.clone(), is_end: true, data })
}
