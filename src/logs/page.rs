//! An answer of lines: which of a log, and their text.

use super::filter::Filter;
use super::lines::{JoinedText, Line, Span, for_each_line};
use super::position::{line_at, position_after};
use super::reader::{for_each_entry, start_of_last, start_since};
use super::run_log::{LogSnapshot, Part};
use super::series::LogSeries;
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
    /// Those whose number is over this.
    After(u64),
}

impl Range {
    /// The number of the line that it begins behind, where it is told by one.
    #[must_use]
    pub fn cursor(self) -> Option<u64> {
        if let Self::After(lines) = self { Some(lines) } else { None }
    }
}

/// Which lines are wanted, and what is done to them: first the range, then the filter; `Last` and
/// the limit then count what passed it.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Where to look.
    pub range: Range,
    /// How many lines at most, from the first on.
    pub limit: Option<u64>,
    /// What is done to each.
    pub filter: Filter,
}

impl Selection {
    /// How far back a log must be looked at to find the lines.
    #[must_use]
    pub fn reach(&self) -> Range {
        match self.range {
            Range::Last(_) if !self.filter.passes_all() => Range::All,
            range => range,
        }
    }
}

/// The lines that were asked for, as they stood at one moment.
#[derive(Debug)]
pub struct Page {
    snapshot: LogSnapshot,
    selection: Selection,
    spans: Vec<Span>,
    /// How many lines there are before the first of the spans.
    lines_before: u64,
    /// How many lines that pass the filter are passed over, so that the last ones are left.
    skipped: u64,
}

/// What a page turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCounts {
    /// Ended lines in it; a line that has not ended is not in this count.
    pub lines_returned: u64,
    /// The number of the first of them.
    pub first: Option<u64>,
    /// The number of the last line that was looked at: where the next page begins.
    pub next: u64,
    /// The line that has not ended, where the page went as far as that; maybe empty.
    pub unfinished: String,
    /// Whether the end of a line is not in it, because the line is too long.
    pub is_cut: bool,
}

impl Page {
    /// Finds where the lines begin. Reads what it skips over only as far as it must: back from the
    /// end for `Last`, a few blocks for the others; all of the log for `Last` with a filter.
    ///
    /// # Errors
    /// `Log` when the file cannot be read.
    pub fn select(log: &LogSeries, selection: Selection) -> Result<Self> {
        let unreadable = |source| Error::Log { path: log.path(), doing: "read", source };
        Self::find(log, selection).map_err(unreadable)
    }

    fn find(log: &LogSeries, selection: Selection) -> io::Result<Self> {
        let mut snapshot = log.snapshot();
        end_runs_where_others_begin(log, &mut snapshot.parts)?;
        let whole = snapshot.parts.iter().map(|part| span(part, 0)).collect();
        let lines_before = snapshot.parts.first().map_or(0, |part| part.lines_before);
        let mut page = Self { lines_before, snapshot, selection, spans: whole, skipped: 0 };
        match page.selection.range {
            Range::All => {}
            Range::After(lines) => page.begin_after(log, lines)?,
            Range::Since(instant) => page.begin_since(log, instant)?,
            Range::Last(count) if page.selection.filter.passes_all() => {
                page.begin_with_last(count)?;
            }
            Range::Last(count) => {
                let mut passed = 0;
                page.for_each_passing(|line, _| {
                    passed += u64::from(line.is_ended);
                    Ok(ControlFlow::Continue(()))
                })?;
                page.skipped = passed.saturating_sub(count);
            }
        }
        Ok(page)
    }

    /// How many lines of the page there are to be read without looking at each, where that is
    /// known: where none is filtered out.
    #[must_use]
    pub fn lines_known(&self) -> Option<u64> {
        let is_known = self.selection.filter.passes_all() && self.selection.limit.is_none();
        is_known.then(|| self.snapshot.lines.saturating_sub(self.lines_before))
    }

    /// The page's first lines, at most so many.
    #[must_use]
    pub fn first(&self, count: u64) -> Self {
        let selection = Selection { limit: Some(count), ..self.selection.clone() };
        let (snapshot, spans) = (self.snapshot.clone(), self.spans.clone());
        Self { snapshot, selection, spans, ..*self }
    }

    /// The last lines of the log, so many.
    ///
    /// # Errors
    /// What reading the file gave.
    pub fn last(&self, count: u64) -> io::Result<Self> {
        let selection = Selection { limit: None, ..self.selection.clone() };
        let snapshot = self.snapshot.clone();
        let spans = snapshot.parts.iter().map(|part| span(part, 0)).collect();
        let mut page = Self { snapshot, selection, spans, ..*self };
        page.begin_with_last(count)?;
        Ok(page)
    }

    /// How many lines there are before the first that was selected.
    #[must_use]
    pub fn lines_before(&self) -> u64 {
        self.lines_before
    }

    /// How many lines the whole log held at that moment.
    #[must_use]
    pub fn lines_total(&self) -> u64 {
        self.snapshot.lines
    }

    /// How many lines behind the cursor are no longer kept: the page begins behind those.
    #[must_use]
    pub fn lines_skipped(&self) -> u64 {
        let cursor = self.selection.range.cursor();
        cursor.map_or(0, |cursor| self.snapshot.lines_gone.saturating_sub(cursor))
    }

    /// The log as it was at that moment.
    #[must_use]
    pub fn snapshot(&self) -> &LogSnapshot {
        &self.snapshot
    }

    /// Whether the lines were asked for by a cursor: a line that has not ended is then apart from
    /// the others, so that no page repeats a part of it.
    #[must_use]
    pub fn has_cursor(&self) -> bool {
        self.selection.range.cursor().is_some()
    }

    /// Whether the text can be passed on as it lies on disk.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.has_cursor() && self.selection.filter.is_none() && self.selection.limit.is_none()
    }

    /// Writes the text, escaped as in a JSON string: the lines with a line end between them, then
    /// the line that has not ended. Entries are passed on as they lie on disk, so memory is flat.
    /// Only where the page `is_plain`.
    ///
    /// # Errors
    /// What reading the file or writing to `to` gave.
    pub fn write_escaped(&self, to: &mut impl Write) -> io::Result<PageCounts> {
        let (mut lines_returned, mut goes_on, mut is_first) = (0, false, true);
        let (mut joined, mut is_cut) = (JoinedText::default(), false);
        for span in &self.spans {
            if span.begins_run && std::mem::take(&mut goes_on) {
                (lines_returned, joined) = (lines_returned + 1, JoinedText::default());
            }
            for_each_entry(&span.file, span.range.clone(), |stored, _| {
                if !is_first && !goes_on {
                    to.write_all(b"\\n")?;
                }
                match joined.cut(stored) {
                    None => to.write_all(stored.text)?,
                    Some(piece) => {
                        to.write_all(escaped(piece.kept())?.as_bytes())?;
                        is_cut |= !piece.beyond().is_empty();
                    }
                }
                (is_first, goes_on) = (false, stored.partial);
                lines_returned += u64::from(!stored.partial);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if self.has_prompt() {
            if !is_first && !goes_on {
                to.write_all(b"\\n")?;
            }
            to.write_all(escaped(&self.snapshot.prompt)?.as_bytes())?;
        }
        Ok(PageCounts { is_cut, ..self.counts(lines_returned) })
    }

    /// Writes the entries as they lie on disk, each with the number of its line. Only where the
    /// page `is_plain`.
    ///
    /// # Errors
    /// What reading the file or writing to `to` gave.
    pub fn write_stored(&self, to: &mut impl Write) -> io::Result<PageCounts> {
        let (mut lines_returned, mut goes_on) = (0, false);
        for span in &self.spans {
            lines_returned += u64::from(span.begins_run && std::mem::take(&mut goes_on));
            for_each_entry(&span.file, span.range.clone(), |stored, _| {
                stored.write_entry(self.lines_before + lines_returned + 1, to)?;
                lines_returned += u64::from(!stored.partial);
                goes_on = stored.partial;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(self.counts(lines_returned))
    }

    /// Calls `each` with every ended line of the page and with what the filter leaves of it, in
    /// order. The line that has not ended is given with the counts.
    ///
    /// # Errors
    /// What reading the file or `each` gave.
    pub fn for_each<F>(&self, mut each: F) -> io::Result<PageCounts>
    where
        F: FnMut(Line<'_>, &str) -> io::Result<()>,
    {
        let limit = self.selection.limit.unwrap_or(u64::MAX);
        let (mut counts, mut to_skip, mut is_cut) = (self.counts(0), self.skipped, limit == 0);
        if is_cut {
            counts.next = self.lines_before;
            return Ok(counts);
        }
        self.for_each_passing(|line, text| {
            if !line.is_ended {
                text.clone_into(&mut counts.unfinished);
                counts.is_cut |= line.is_cut_and_wanted.is_some();
                return Ok(ControlFlow::Continue(()));
            }
            if to_skip > 0 {
                to_skip -= 1;
                return Ok(ControlFlow::Continue(()));
            }
            each(line, text)?;
            counts.is_cut |= line.is_cut_and_wanted.is_some();
            counts.lines_returned += 1;
            counts.first = counts.first.or(Some(line.number));
            if counts.lines_returned < limit {
                return Ok(ControlFlow::Continue(()));
            }
            (counts.next, is_cut) = (line.number, true);
            Ok(ControlFlow::Break(()))
        })?;
        if !is_cut && self.has_prompt() {
            let filter = &self.selection.filter;
            counts.unfinished += &filter.apply(&self.snapshot.prompt)?.unwrap_or_default();
        }
        Ok(counts)
    }

    /// Whether a line that has not ended belongs to the page, and is in memory.
    fn has_prompt(&self) -> bool {
        let is_young = match self.selection.range {
            Range::All | Range::Last(_) | Range::After(_) => true,
            Range::Since(instant) => self.snapshot.output_at.is_some_and(|at| at >= instant),
        };
        is_young && !self.snapshot.prompt.is_empty()
    }

    fn for_each_passing<F>(&self, mut each: F) -> io::Result<()>
    where
        F: FnMut(Line<'_>, &str) -> io::Result<ControlFlow<()>>,
    {
        let filter = &self.selection.filter;
        for_each_line(&self.spans, self.lines_before, filter, |line| {
            let left = match line.is_cut_and_wanted {
                None => filter.apply(line.text)?,
                Some(is_wanted) => is_wanted.then(|| filter.strip(line.text)),
            };
            match left {
                Some(text) => each(line, &text),
                None => Ok(ControlFlow::Continue(())),
            }
        })
    }

    fn counts(&self, lines_returned: u64) -> PageCounts {
        PageCounts {
            lines_returned,
            first: (lines_returned > 0).then_some(self.lines_before + 1),
            next: self.snapshot.lines,
            unfinished: String::new(),
            is_cut: false,
        }
    }

    fn begin_with_last(&mut self, count: u64) -> io::Result<()> {
        let mut lines_left = count;
        let mut lines_end = self.snapshot.lines;
        for (index, part) in self.snapshot.parts.iter().enumerate().rev() {
            let lines = lines_end - part.lines_before;
            if lines_left <= lines {
                let at = start_of_last(&part.file, part.bytes, lines_left)?;
                self.spans.drain(..index);
                self.spans[0].range.start = at;
                self.lines_before = lines_end - lines_left;
                return Ok(());
            }
            lines_left -= lines;
            lines_end = part.lines_before;
        }
        Ok(())
    }

    fn begin_since(&mut self, log: &LogSeries, instant: DateTime<Utc>) -> io::Result<()> {
        let since = stamp_of(instant);
        for (index, part) in self.snapshot.parts.iter().enumerate().rev() {
            let at = start_since(&part.file, part.bytes, &since)?;
            if at > 0 || index == 0 {
                self.spans.drain(..index);
                self.spans[0].range.start = at;
                self.lines_before = line_at(log, part, at)?;
                return Ok(());
            }
        }
        Ok(())
    }

    fn begin_after(&mut self, log: &LogSeries, lines: u64) -> io::Result<()> {
        let lines = lines.min(self.snapshot.lines);
        for (index, part) in self.snapshot.parts.iter().enumerate().rev() {
            if part.lines_before <= lines {
                let at = position_after(log, part, lines)?;
                self.spans.drain(..index);
                self.spans[0].range.start = at;
                self.lines_before = lines;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> io::Result<String> {
    let quoted = serde_json::to_string(text)?;
    Ok(quoted[1..quoted.len() - 1].to_owned())
}

/// Leaves out what came to the log of a run after the next one had begun: only a process that
/// could not be ended prints then, and those lines have no numbers of their own.
fn end_runs_where_others_begin(log: &LogSeries, parts: &mut [Part]) -> io::Result<()> {
    for pair in log.logs().windows(2) {
        let next = pair[1].snapshot().parts[0].lines_before;
        if pair[0].snapshot().lines <= next {
            continue;
        }
        let own = pair[0].file();
        if let Some(part) = parts.iter_mut().find(|part| Arc::ptr_eq(&part.file, &own)) {
            part.bytes = position_after(log, part, next.max(part.lines_before))?;
        }
    }
    Ok(())
}

fn span(part: &Part, from: u64) -> Span {
    let (file, begins_run) = (Arc::clone(&part.file), part.begins_run);
    Span { file, range: from..part.bytes, begins_run }
}
