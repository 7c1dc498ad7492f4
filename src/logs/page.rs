//! An answer of lines: which part of a log, and its text.

use super::reader::{for_each_entry, start_of_last, start_since};
use super::run_log::{Glance, RunLog};
use super::stamp::stamp_of;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Which lines of a log are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of them.
    All,
    /// The last so many, at least one.
    Last(u64),
    /// Those that ended at this instant or later.
    Since(DateTime<Utc>),
}

/// The lines that were asked for, as they stood at one moment.
#[derive(Debug)]
pub struct Page {
    log: Arc<RunLog>,
    glance: Glance,
    range: Range,
    start: u64,
}

/// What a page turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageCounts {
    /// Ended lines in it; a line that has not ended is in the text and not in this count.
    pub lines_returned: u64,
}

impl Page {
    /// Finds where the lines begin. Reads what it skips over only as far as `Last` counts back.
    ///
    /// # Errors
    /// `Log` when the file cannot be read.
    pub fn select(log: Arc<RunLog>, range: Range) -> Result<Self> {
        let glance = log.glance();
        let start = match range {
            Range::All => Ok(0),
            Range::Last(count) => start_of_last(log.file(), glance.bytes, count),
            Range::Since(instant) => start_since(log.file(), glance.bytes, &stamp_of(instant)),
        };
        let unreadable = |source| Error::Log { path: log.name().into(), doing: "read", source };
        let start = start.map_err(unreadable)?;
        Ok(Self { log, glance, range, start })
    }

    /// How many lines the whole log held at that moment.
    #[must_use]
    pub fn lines_total(&self) -> u64 {
        self.glance.lines
    }

    /// The log's name, as users see it.
    #[must_use]
    pub fn log_name(&self) -> &str {
        self.log.name()
    }

    /// Writes the text, escaped as in a JSON string: the lines with a line end between them, then
    /// the line that has not ended. Entries are passed on as they lie on disk, so memory is flat.
    ///
    /// # Errors
    /// What reading the file or writing to `to` gave.
    pub fn write_content(&self, to: &mut impl Write) -> io::Result<PageCounts> {
        let (mut lines_returned, mut goes_on, mut is_first) = (0, false, true);
        for_each_entry(self.log.file(), self.start..self.glance.bytes, |stored, _| {
            if !is_first && !goes_on {
                to.write_all(b"\\n")?;
            }
            to.write_all(stored.text)?;
            (is_first, goes_on) = (false, stored.partial);
            lines_returned += u64::from(!stored.partial);
            Ok(ControlFlow::Continue(()))
        })?;
        if !self.glance.prompt.is_empty() && self.prompt_is_wanted() {
            if !is_first && !goes_on {
                to.write_all(b"\\n")?;
            }
            let quoted = serde_json::to_string(&self.glance.prompt)?;
            to.write_all(&quoted.as_bytes()[1..quoted.len() - 1])?;
        }
        Ok(PageCounts { lines_returned })
    }

    fn prompt_is_wanted(&self) -> bool {
        match self.range {
            Range::All | Range::Last(_) => true,
            Range::Since(instant) => self.glance.output_at.is_some_and(|at| at >= instant),
        }
    }
}
