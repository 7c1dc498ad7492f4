//! The log of one run, as a source.

use super::error::Result;
use super::source::{Named, RunMark, Source};
use crate::logs::{LogSeries, LogSnapshot, RunLog, Selection};
use crate::protocol::ProcessStatus;
use crate::runs::RunView;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// The log of one run.
pub struct RunSource {
    /// Its name.
    pub name: Named,
    /// The log.
    pub log: Arc<RunLog>,
    /// The state of its run, as JSON.
    pub status: Box<dyn Fn() -> Value + Send>,
}

impl RunSource {
    /// Creates the source of a run's log, which stays the same when another run is started.
    #[must_use]
    pub fn of_view(run: RunView) -> Self {
        let log = Arc::clone(run.log());
        let name = Named::Run { log_file: log.name().to_owned(), run_id: run.id().to_owned() };
        let status = Box::new(move || ProcessStatus::from(run.snapshot()).json());
        Self { name, log, status }
    }
}

impl Source for RunSource {
    fn name(&self) -> Named {
        self.name.clone()
    }

    fn line_numbers(&self) -> Range<u64> {
        self.log.line_numbers()
    }

    fn series(&self, _: &Selection) -> Result<LogSeries> {
        Ok(LogSeries::of(Arc::clone(&self.log)))
    }

    fn is_over(&self) -> bool {
        self.log.snapshot().is_over
    }

    fn wait(&self, deadline: Instant, is_news: &mut dyn FnMut(&LogSnapshot) -> bool) {
        self.log.wait_until(deadline, |snapshot| is_news(snapshot) || snapshot.is_over);
    }

    fn is_running(&self) -> bool {
        !self.is_over()
    }

    fn last_log(&self) -> Option<Arc<RunLog>> {
        Some(Arc::clone(&self.log))
    }

    fn status(&self) -> Value {
        (self.status)()
    }

    fn run_marks(&self) -> Vec<RunMark> {
        Vec::new()
    }

    fn transition_count(&self) -> u64 {
        0
    }
}
