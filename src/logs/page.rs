//! Pages: a selection of the lines of a log, and their text.

use super::context::Context;
use super::error::{Error, Result};
use super::filter::Filter;
use super::lines::{JoinedText, Line, Place, Span, for_each_line};
use super::position::{line_at, position_after};
use super::reader::{for_each_entry, start_of_last, start_since};
use super::run_log::{LogSnapshot, Part};
use super::series::LogSeries;
use super::stamp::stamp_of;
use chrono::{DateTime, Utc};
use std::cell::Cell;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A range of the lines of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All lines.
    All,
    /// The last N lines, at least one.
    Last(u64),
    /// The lines that ended at this instant or later.
    Since(DateTime<Utc>),
    /// The lines whose number is greater than this.
    After(u64),
}

impl Range {
    /// Returns the number after which it begins, if it is given by one.
    #[must_use]
    pub fn cursor(self) -> Option<u64> {
        if let Self::After(lines) = self { Some(lines) } else { None }
    }
}

/// A selection of lines, and the filter for them: first the range, then the filter; `Last` and the
/// limit then count what passed it.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The range to select from.
    pub range: Range,
    /// The instant before which the lines ended, if there is a limit.
    pub before: Option<DateTime<Utc>>,
    /// Maximum number of lines, from the first on.
    pub limit: Option<u64>,
    /// The filter for each line.
    pub filter: Filter,
}

impl Selection {
    /// Returns the range of the log that has to be read to find the lines.
    #[must_use]
    pub fn reach(&self) -> Range {
        match self.range {
            Range::Last(_) if !self.filter.passes_all() => Range::All,
            Range::After(lines) => Range::After(lines.saturating_sub(self.filter.context())),
            range => range,
        }
    }
}

/// The selected lines, as of one moment.
#[derive(Debug)]
pub struct Page {
    snapshot: LogSnapshot,
    selection: Selection,
    spans: Vec<Span>,
    /// Number of lines before the first of the spans.
    lines_before: u64,
    /// Number of lines before the end of the range.
    lines_end: u64,
    /// Number of lines that pass the filter and are skipped, so that the last ones are left.
    skipped: u64,
}

/// The counts of what a page contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCounts {
    /// Number of ended lines in it, without an unfinished one.
    pub lines_returned: u64,
    /// Number of the first of them.
    pub first: Option<u64>,
    /// Number of the last line that was read: where the next page begins.
    pub next: u64,
    /// The unfinished line, if the page reached it; maybe empty.
    pub unfinished: String,
    /// Its place among the lines that are shown.
    pub unfinished_place: Place,
    /// Whether the end of a line is missing, because the line is too long.
    pub is_cut: bool,
}

impl Page {
    /// Finds where the lines begin. Reads no more than necessary: backwards from the end for
    /// `Last`, a few blocks for the others; all of the log for `Last` with a filter.
    ///
    /// # Errors
    /// `File` if the file cannot be read.
    pub fn select(log: &LogSeries, selection: Selection) -> Result<Self> {
        let unreadable = |source| Error::File { path: log.path(), doing: "read", source };
        Self::find(log, selection).map_err(unreadable)
    }

    fn find(log: &LogSeries, selection: Selection) -> io::Result<Self> {
        let mut snapshot = log.snapshot();
        end_runs_where_others_begin(log, &mut snapshot.parts)?;
        let lines_before = snapshot.parts.first().map_or(0, |part| part.lines_before);
        let mut lines_end = snapshot.lines;
        if let Some(before) = selection.before {
            lines_end = end_before(log, &mut snapshot.parts, before)?.unwrap_or(lines_end);
        }
        let spans = snapshot.parts.iter().map(|part| span(part, 0)).collect();
        let mut page = Self { lines_before, lines_end, snapshot, selection, spans, skipped: 0 };
        match page.selection.range {
            Range::All => {}
            Range::After(lines) => {
                // A match before the cursor has context after it.
                let context = page.selection.filter.context();
                page.begin_after(log, lines.saturating_sub(context))?;
            }
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

    /// Returns the number of lines of the page, if it is known without reading them: without a
    /// filter.
    #[must_use]
    pub fn lines_known(&self) -> Option<u64> {
        let is_known = self.selection.filter.passes_all() && self.selection.limit.is_none();
        is_known.then(|| self.lines_end.saturating_sub(self.lines_before))
    }

    /// Returns the first `count` lines of the page.
    #[must_use]
    pub fn first(&self, count: u64) -> Self {
        let selection = Selection { limit: Some(count), ..self.selection.clone() };
        let (snapshot, spans) = (self.snapshot.clone(), self.spans.clone());
        Self { snapshot, selection, spans, ..*self }
    }

    /// Returns the last `count` lines of the log.
    ///
    /// # Errors
    /// An error in reading the file.
    pub fn last(&self, count: u64) -> io::Result<Self> {
        let selection = Selection { limit: None, ..self.selection.clone() };
        let snapshot = self.snapshot.clone();
        let spans = snapshot.parts.iter().map(|part| span(part, 0)).collect();
        let mut page = Self { snapshot, selection, spans, ..*self };
        page.begin_with_last(count)?;
        Ok(page)
    }

    /// Returns the number of lines before the first that was selected.
    #[must_use]
    pub fn lines_before(&self) -> u64 {
        self.lines_before
    }

    /// Returns the number of lines of the whole log at that moment.
    #[must_use]
    pub fn lines_total(&self) -> u64 {
        self.snapshot.lines
    }

    /// Returns the number of lines after the cursor that are no longer kept: the page begins after
    /// those.
    #[must_use]
    pub fn lines_skipped(&self) -> u64 {
        let cursor = self.selection.range.cursor();
        cursor.map_or(0, |cursor| self.snapshot.lines_gone.saturating_sub(cursor))
    }

    /// Returns the log at that moment.
    #[must_use]
    pub fn snapshot(&self) -> &LogSnapshot {
        &self.snapshot
    }

    /// Whether the lines were selected by a cursor: then an unfinished line is kept apart from the
    /// others, so that no page repeats a part of it.
    #[must_use]
    pub fn has_cursor(&self) -> bool {
        self.selection.range.cursor().is_some()
    }

    /// Whether the text can be passed on as stored.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.has_cursor() && self.selection.filter.is_none() && self.selection.limit.is_none()
    }

    /// Writes the text, escaped as in a JSON string: the lines with a line end between them, then
    /// the unfinished line. Entries are passed on as stored, in constant memory. Only if the page
    /// `is_plain`.
    ///
    /// # Errors
    /// An error in reading the file or writing to `to`.
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

    /// Writes the entries as stored, each with the number of its line. Only if the page `is_plain`.
    ///
    /// # Errors
    /// An error in reading the file or writing to `to`.
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
    /// order. The unfinished line is returned with the counts.
    ///
    /// # Errors
    /// An error in reading the file or of `each`.
    pub fn for_each<F>(&self, mut each: F) -> io::Result<PageCounts>
    where
        F: FnMut(Line<'_>, &str) -> io::Result<()>,
    {
        let limit = self.selection.limit.unwrap_or(u64::MAX);
        let (mut counts, mut to_skip, mut is_cut) = (self.counts(0), self.skipped, limit == 0);
        if is_cut {
            counts.next = self.lines_before.max(self.selection.range.cursor().unwrap_or(0));
            return Ok(counts);
        }
        self.for_each_passing(|line, text| {
            if !line.is_ended {
                if counts.unfinished.is_empty() {
                    counts.unfinished_place = line.place;
                }
                counts.unfinished += text;
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
        Ok(counts)
    }

    /// Whether an unfinished line belongs to the page, and is in memory.
    fn has_prompt(&self) -> bool {
        let is_young = match self.selection.range {
            Range::All | Range::Last(_) | Range::After(_) => true,
            Range::Since(instant) => self.snapshot.output_at.is_some_and(|at| at >= instant),
        };
        let is_old_enough = self.selection.before.is_none_or(|before| {
            self.snapshot.output_at.is_some_and(|output_at| output_at < before)
        });
        is_young && is_old_enough && !self.snapshot.prompt.is_empty()
    }

    /// Calls `each` with every line that passes the filter, the unfinished one last, in one or two
    /// pieces.
    fn for_each_passing<F>(&self, mut each: F) -> io::Result<()>
    where
        F: FnMut(Line<'_>, &str) -> io::Result<ControlFlow<()>>,
    {
        let filter = &self.selection.filter;
        let hidden_to = self.selection.range.cursor().unwrap_or(0);
        let mut context = match filter.context() {
            0 => None,
            lines => Some(Context::new(lines, hidden_to)),
        };
        let is_over = Cell::new(false);
        let mut take = |line: Line<'_>| {
            let (text, is_match) = filter.examine(&line)?;
            let flow = match &mut context {
                Some(context) => context.take(line, &text, is_match, &mut each)?,
                None if is_match => each(line, &text)?,
                None => ControlFlow::Continue(()),
            };
            is_over.set(flow.is_break());
            Ok(flow)
        };
        for_each_line(&self.spans, self.lines_before, filter, &mut take)?;
        if self.has_prompt() && !is_over.get() {
            let (number, text) = (self.lines_end + 1, &*self.snapshot.prompt);
            let place = Place::default();
            let is_cut_and_wanted = None;
            // It was the last one, whatever the caller returns.
            let _last =
                take(Line { number, stamp: "", text, is_ended: false, is_cut_and_wanted, place })?;
        }
        Ok(())
    }

    fn counts(&self, lines_returned: u64) -> PageCounts {
        PageCounts {
            lines_returned,
            first: (lines_returned > 0).then_some(self.lines_before + 1),
            next: self.lines_end,
            unfinished: String::new(),
            unfinished_place: Place::default(),
            is_cut: false,
        }
    }

    fn begin_with_last(&mut self, count: u64) -> io::Result<()> {
        let mut lines_left = count;
        let mut lines_end = self.lines_end;
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

/// Returns the text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> io::Result<String> {
    let quoted = serde_json::to_string(text)?;
    Ok(quoted[1..quoted.len() - 1].to_owned())
}

/// Cuts off what was appended to the log of a run after the next one had begun: only a process that
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

/// Cuts off the lines that ended at `before` or later. Returns the number of lines before those;
/// `None` if there are none.
fn end_before(
    log: &LogSeries,
    parts: &mut Vec<Part>,
    before: DateTime<Utc>,
) -> io::Result<Option<u64>> {
    let before = stamp_of(before);
    for index in 0..parts.len() {
        let part = &mut parts[index];
        let at = start_since(&part.file, part.bytes, &before)?;
        if at < part.bytes {
            let lines = line_at(log, part, at)?;
            part.bytes = at;
            parts.truncate(index + 1);
            return Ok(Some(lines));
        }
    }
    Ok(None)
}

fn span(part: &Part, from: u64) -> Span {
    let (file, begins_run) = (Arc::clone(&part.file), part.begins_run);
    Span { file, range: from..part.bytes, begins_run }
}
