//! Logs that can be read: those of runs and of services.

use super::error::Result;
use crate::logs::{LogSeries, LogSnapshot, RunLog, Selection};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// The name of a log, which decides the form of its JSON answer.
#[derive(Clone, Debug)]
pub enum Named {
    /// The log of a run.
    Run {
        /// Path: the directory as configured, and the file in it.
        log_file: String,
        /// Id of the run.
        run_id: String,
    },
    /// The log of a service.
    Service {
        /// Name of the service.
        name: String,
    },
}

/// A log that can be read.
pub trait Source: Send {
    /// Returns its name.
    fn name(&self) -> Named;

    /// Returns the range of its line numbers: greater than `start`, up to and including `end`.
    fn line_numbers(&self) -> Range<u64>;

    /// Returns the parts of it that the selection needs.
    ///
    /// # Errors
    /// `Log` if a file cannot be read.
    fn series(&self, selection: &Selection) -> Result<LogSeries>;

    /// Returns whether it is complete.
    fn is_over(&self) -> bool;

    /// Waits for a change that satisfies `is_news`, for the end, or until the deadline.
    fn wait(&self, deadline: Instant, is_news: &mut dyn FnMut(&LogSnapshot) -> bool);

    /// Returns whether the process that prints it is running.
    fn is_running(&self) -> bool;

    /// Returns the log of the last run in it; `None` if there was none.
    fn last_log(&self) -> Option<Arc<RunLog>>;

    /// Returns the state of the run or service, as JSON.
    fn status(&self) -> Value;

    /// Returns the starts and ends of runs in it, if it spans several.
    fn run_marks(&self) -> Vec<RunMark>;

    /// Returns a number that grows with each new start or end.
    fn transition_count(&self) -> u64;
}

/// The start or the end of a run.
#[derive(Clone, Debug)]
pub struct RunMark {
    /// Number of lines before it.
    pub lines_before: u64,
    /// Id of the run.
    pub run_id: String,
    /// Whether it is the end.
    pub is_end: bool,
    /// Data of the event.
    pub data: Value,
}
