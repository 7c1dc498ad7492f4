//! Log queries: the requested lines, and the largest answer.

use super::client::Client;
use super::error::{Error, Result};
use super::line_form::LineNumbers;
use super::until::{Until, Waited};
use crate::logs::{CONTEXT_LINES_MAX, FOLD_BYTES_MIN, Filter, Range, Selection, now};
use crate::runs::SECONDS_MAX;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::ops;
use std::time::Duration;

/// The longest wait of a request.
pub const WAIT_MAX: Duration = Duration::from_mins(10);

/// The largest `max_bytes`: truncated content is held in memory.
const CONTENT_BYTES_MAX: usize = 1024 * 1024;

/// Converts seconds to a duration of at most a day.
///
/// # Errors
/// `Input` that names the parameter, if it is out of range.
pub fn fitting_seconds(name: &str, seconds: Option<f64>) -> Result<Option<Duration>> {
    fitting(name, seconds, SECONDS_MAX)
}

/// Converts seconds to a wait of at most ten minutes.
///
/// # Errors
/// `Input` that names the parameter, if it is out of range.
pub fn fitting_wait(name: &str, seconds: Option<f64>) -> Result<Option<Duration>> {
    fitting(name, seconds, WAIT_MAX.as_secs_f64())
}

fn fitting(name: &str, seconds: Option<f64>, max: f64) -> Result<Option<Duration>> {
    match seconds {
        Some(number) if !(0.0..=max).contains(&number) => Err(Error::Invalid(format!(
            "The parameter {name} is \"{number}\": give a number of seconds from 0 to {max}."
        ))),
        seconds => Ok(seconds.map(Duration::from_secs_f64)),
    }
}

/// The handling of escape sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// Left as printed.
    Kept,
    /// Removed.
    Stripped,
}

/// The requested range of lines, not yet validated.
#[derive(Clone, Debug, Default)]
pub struct LogRange {
    /// The last N lines; 0 for all.
    pub lines: Option<u64>,
    /// The lines of this last period.
    pub seconds: Option<Duration>,
    /// The lines after this line number.
    pub after: Option<u64>,
    /// The lines stamped at this instant or later.
    pub since: Option<DateTime<Utc>>,
    /// The lines stamped before this instant.
    pub before: Option<DateTime<Utc>>,
}

impl LogRange {
    /// Returns the range, without its limit `before`; `default` if nothing is given.
    ///
    /// # Errors
    /// `Invalid` if more than one is given.
    pub fn or(self, default: Range) -> Result<Range> {
        if self.since.is_some() || self.before.is_some() {
            let excluded = self.lines.is_some() || self.seconds.is_some() || self.after.is_some();
            let why = "since and before exclude lines, seconds and after: give one kind of range";
            refuse_first(&[(excluded, why)])?;
            return Ok(self.since.map_or(Range::All, Range::Since));
        }
        match (self.lines, self.seconds, self.after) {
            (None, None, None) => Ok(default),
            (Some(0), None, None) => Ok(Range::All),
            (Some(lines), None, None) => Ok(Range::Last(lines)),
            (None, Some(seconds), None) => Ok(Range::Since(now() - seconds)),
            (None, None, Some(after)) => Ok(Range::After(after)),
            _ => Err(Error::Invalid(
                "The parameters lines, seconds and after exclude each other: give one of them."
                    .to_owned(),
            )),
        }
    }
}

/// A query of lines of a log.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// Selected lines.
    pub selection: Selection,
    /// The largest content, in bytes.
    pub bytes_max: Option<usize>,
    /// The longest wait for output after the cursor.
    pub wait: Option<Duration>,
    /// What ends that wait, besides the end of the run.
    pub until: Until,
    /// How it has ended.
    pub waited: Option<Waited>,
    /// Whether lines begin with their numbers.
    pub numbers: LineNumbers,
    /// Whether the cursor was of another run, or beyond the log, and was set to its beginning.
    pub cursor_reset: bool,
    /// How to request lines that were left out.
    pub continuation: ContinuationHint,
}

/// How a client requests lines that were left out: the text before and after the range.
#[derive(Clone, Debug)]
pub enum ContinuationHint {
    /// By an HTTP request.
    Request {
        /// The path of the log.
        path: String,
        /// Further parameters, each with `&` before it.
        filters: String,
    },
    /// By a tool call.
    Call {
        /// Name of the tool, and the argument that names the log.
        tool: String,
        /// Further arguments, each with a space before it.
        filters: String,
    },
}

impl ContinuationHint {
    /// Returns the hint for a tool.
    #[must_use]
    pub fn call(tool: String, run_id: Option<&str>, grep: Option<&str>) -> Self {
        let run = run_id.map(|run_id| format!(" run={run_id}")).unwrap_or_default();
        let grep = grep.map(|grep| format!(" grep={}", Value::from(grep))).unwrap_or_default();
        Self::Call { tool, filters: run + &grep }
    }

    /// Returns the request for `limit` lines after a line.
    #[must_use]
    pub fn text(&self, after: u64, limit: u64) -> String {
        match self {
            Self::Request { path, filters } => {
                format!("GET {path}?after={after}&limit={limit}{filters}")
            }
            Self::Call { tool, filters } => format!("{tool} after={after} limit={limit}{filters}"),
        }
    }

    /// Returns the longest such text, in bytes.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.text(u64::MAX, u64::MAX).len()
    }
}

impl LogQuery {
    /// Creates a query of the lines that match a regular expression, or of all lines.
    ///
    /// # Errors
    /// `Invalid` for an invalid expression.
    pub fn new(
        client: &dyn Client,
        range: Range,
        grep: Option<&str>,
        escapes: Escapes,
        continuation: ContinuationHint,
    ) -> Result<Self> {
        let strips = escapes == Escapes::Stripped;
        let filter = Filter::new(grep, strips, Some(client.has_left_fn()))?;
        let selection = Selection { range, before: None, limit: None, filter };
        Ok(Self {
            selection,
            bytes_max: None,
            wait: None,
            until: Until::Line,
            waited: None,
            numbers: LineNumbers::default(),
            cursor_reset: false,
            continuation,
        })
    }

    /// Adds this many lines on each side of a line that matches, if given.
    ///
    /// # Errors
    /// `Invalid` if there are too many, or no expression to match.
    pub fn with_context(mut self, context: Option<u64>) -> Result<Self> {
        let Some(lines) = context else { return Ok(self) };
        let lacks_grep = self.selection.filter.passes_all();
        refuse_first(&[(lacks_grep, "context needs grep: it gives the lines around a match")])?;
        if lines > CONTEXT_LINES_MAX {
            let max = CONTEXT_LINES_MAX;
            return Err(Error::Invalid(format!(
                "The parameter context is {lines}: give 0 to {max}."
            )));
        }
        self.selection.filter = self.selection.filter.with_context(lines);
        Ok(self)
    }

    /// Creates a query of the output that an answer has beside a run's state. `path` is that of the
    /// log.
    ///
    /// # Errors
    /// `Invalid` for a size out of range.
    pub fn of_output(
        path: String,
        range: Range,
        bytes_max: Option<u64>,
        escapes: Escapes,
    ) -> Result<Self> {
        let filter = Filter::new(None, escapes == Escapes::Stripped, None)?;
        Self {
            selection: Selection { range, before: None, limit: None, filter },
            bytes_max: Some(CONTENT_BYTES_MAX),
            wait: None,
            until: Until::Line,
            waited: None,
            numbers: LineNumbers::default(),
            cursor_reset: false,
            continuation: ContinuationHint::Request { path, filters: String::new() },
        }
        .limited_to(bytes_max)
    }

    /// Limits a query that has a cursor to the lines up to and including this one.
    #[must_use]
    pub fn up_to(mut self, last: u64) -> Self {
        let lines = self.selection.range.cursor().map(|after| last.saturating_sub(after));
        self.selection.limit = lines;
        self
    }

    /// Limits the content to `bytes_max` bytes, if given.
    ///
    /// # Errors
    /// `Invalid` for a size out of range.
    pub fn limited_to(self, bytes_max: Option<u64>) -> Result<Self> {
        let Some(given) = bytes_max else { return Ok(self) };
        let (min, max) = (FOLD_BYTES_MIN, CONTENT_BYTES_MAX);
        let fits = usize::try_from(given).ok().filter(|bytes| (min..=max).contains(bytes));
        let refused =
            || Error::Invalid(format!("The parameter max_bytes is {given}: give {min} to {max}."));
        Ok(Self { bytes_max: Some(fits.ok_or_else(refused)?), ..self })
    }

    /// Moves a cursor beyond the last line to the beginning: it comes from a longer log, and no
    /// line must be skipped.
    pub fn fit_cursor(&mut self, lines: &ops::Range<u64>) {
        let Range::After(after) = self.selection.range else { return };
        self.cursor_reset |= after > lines.end;
        let after = if self.cursor_reset { lines.start } else { after.max(lines.start) };
        self.selection.range = Range::After(after);
    }

    /// Checks the parameters against each other.
    ///
    /// # Errors
    /// `Invalid` for parameters that exclude each other.
    pub fn check(&self) -> Result<()> {
        let has_cursor = matches!(self.selection.range, Range::After(_));
        let is_tail = matches!(self.selection.range, Range::Last(_));
        refuse_first(&[
            (self.wait.is_some() && !has_cursor, "wait needs after: give the last answer's next"),
            (
                is_tail && self.selection.limit.is_some(),
                "lines and limit exclude each other: give one",
            ),
        ])
    }
}

/// Refuses a query for the first reason that applies.
///
/// # Errors
/// `Invalid` with that reason.
pub fn refuse_first(reasons: &[(bool, &str)]) -> Result<()> {
    match reasons.iter().find(|(applies, _)| *applies) {
        Some((_, why)) => Err(Error::Invalid(format!("Invalid combination of parameters: {why}."))),
        None => Ok(()),
    }
}
