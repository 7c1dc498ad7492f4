//! Pages of a log: sources, reading, waiting for lines, and truncation.

use super::client::Client;
use super::error::{Error, Result};
use super::log_query::{ContinuationHint, LogQuery};
use super::run_marks::RunMark;
use super::{service_lines, text_report, waits};
use crate::error::SystemError;
use crate::logs::{Fold, Line, LogSeries, LogSnapshot, Omission, Page, PageCounts, Selection};
use crate::permits::{Permit, Permits};
use crate::protocol::{LogsResponse, ServiceLogs};
use serde_json::Value;
use std::io;
use std::ops::Range;
use std::time::Instant;

/// The longest line between head and tail, without its hint, in bytes.
const NOTE_BYTES: usize = "[...  lines,  bytes left out:  ...]".len() + 2 * 20;

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

    /// Returns the state of the run or service, as JSON.
    fn status(&self) -> Value;

    /// Returns the starts and ends of runs in it, if it spans several.
    fn run_marks(&self) -> Vec<RunMark>;

    /// Returns a number that grows with each new start or end.
    fn transition_count(&self) -> u64;
}

/// Prepares the reading of a log: clamps the cursor, and waits if the query says so. Returns the
/// permit of a scan, to be held while the log is read.
///
/// # Errors
/// `TooManyRequests` if no permit is free.
pub fn begin_read(
    client: &dyn Client,
    mut query: LogQuery,
    source: &dyn Source,
    streams: &Permits,
) -> Result<(LogQuery, Option<Permit>)> {
    query.fit_cursor(&source.line_numbers());
    // A scan may take as long as a wait.
    let scans = !query.selection.filter.passes_all();
    let permit = (scans || query.wait.is_some()).then(|| streams.take()).transpose()?;
    wait_for_news(client, &query, source);
    Ok((query, permit.filter(|_| scans)))
}

/// Waits for a line after the cursor, or for the end of the run.
fn wait_for_news(client: &dyn Client, query: &LogQuery, source: &dyn Source) {
    let (Some(wait), Some(cursor)) = (query.wait, query.selection.range.cursor()) else { return };
    let was_running = source.is_running();
    waits::wait(client, wait, |until| {
        let mut is_enough = source.is_over();
        if !is_enough {
            source.wait(until, &mut |snapshot| {
                is_enough = snapshot.lines > cursor || (was_running && snapshot.is_over);
                is_enough
            });
        }
        is_enough || source.is_over()
    });
}

/// Reads lines of a run's log.
///
/// # Errors
/// `Log` if it cannot be read.
pub fn logs_response(source: &dyn Source, query: &LogQuery) -> Result<LogsResponse> {
    // Read before the log: if it has ended, all of its lines are there.
    let running = source.is_running();
    let page = Page::select(&source.series(&query.selection)?, query.selection.clone())?;
    let mut content = String::new();
    let mut put = |text: &str| {
        content.push_str(text);
        Ok(())
    };
    let (counts, omitted_lines) =
        write_content(&page, query.bytes_max, &query.continuation, &mut put).map_err(unreadable)?;
    let PageCounts { lines_returned, first, next, unfinished, is_cut } = counts;
    let prompt = page.has_cursor().then(|| prompt(&unfinished, query.bytes_max)).flatten();
    let (log_file, run_id) = match source.name() {
        Named::Run { log_file, run_id } => (log_file, run_id),
        Named::Service { name } => (String::new(), name),
    };
    Ok(LogsResponse {
        log_file,
        run_id,
        total_lines: page.lines_total(),
        content,
        lines_returned,
        first,
        next,
        truncated: omitted_lines > 0 || is_cut,
        omitted_lines,
        running,
        prompt: prompt.map(str::to_owned),
        skipped: page.lines_skipped(),
        cursor_reset: query.cursor_reset,
    })
}

/// Reads lines of a service's log.
///
/// # Errors
/// `Log` if it cannot be read.
pub fn service_logs(source: &dyn Source, query: &LogQuery) -> Result<ServiceLogs> {
    let running = source.is_running();
    let page = Page::select(&source.series(&query.selection)?, query.selection.clone())?;
    let mut logs = Vec::new();
    let mut put = |line: &str| {
        logs.push(line.to_owned());
        Ok(())
    };
    let (counts, omitted_lines) =
        service_lines::write(&page, query.bytes_max, &query.continuation, &mut put)
            .map_err(unreadable)?;
    let PageCounts { lines_returned, first, next, unfinished, is_cut } = counts;
    let service = match source.name() {
        Named::Service { name } => name,
        Named::Run { run_id, .. } => run_id,
    };
    Ok(ServiceLogs {
        service,
        total_lines: page.lines_total(),
        logs,
        lines_returned,
        first,
        next,
        truncated: omitted_lines > 0 || is_cut,
        omitted_lines,
        running,
        prompt: prompt(&unfinished, query.bytes_max).map(str::to_owned),
        skipped: page.lines_skipped(),
        cursor_reset: query.cursor_reset,
    })
}

/// Creates the error of a log that cannot be read.
#[must_use]
pub fn unreadable(error: io::Error) -> Error {
    SystemError::new("read the log", error).into()
}

/// Returns the part of an unfinished line to show: the end of it, if it is too large for a prompt.
#[must_use]
pub fn prompt(unfinished: &str, bytes_max: Option<usize>) -> Option<&str> {
    let bytes_max = bytes_max.unwrap_or(usize::MAX);
    (!unfinished.is_empty()).then(|| text_report::end_of(unfinished, bytes_max))
}

/// Writes the lines, separated by newlines, with an unfinished last line unless there is a cursor.
/// Returns the counts, and how many lines were left out.
///
/// # Errors
/// Errors of `put` and of the log.
pub fn write_content(
    page: &Page,
    bytes_max: Option<usize>,
    hint: &ContinuationHint,
    put: &mut impl FnMut(&str) -> io::Result<()>,
) -> io::Result<(PageCounts, u64)> {
    if let Some(bytes_max) = bytes_max {
        return write_truncated(page, bytes_max, hint, put);
    }
    let mut is_first = true;
    let mut put = |text: &str| {
        if !std::mem::take(&mut is_first) {
            put("\n")?;
        }
        put(text)
    };
    let counts = page.for_each(|_, text| put(text))?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        put(&counts.unfinished)?;
    }
    Ok((counts, 0))
}

fn write_truncated(
    page: &Page,
    bytes_max: usize,
    hint: &ContinuationHint,
    put: &mut impl FnMut(&str) -> io::Result<()>,
) -> io::Result<(PageCounts, u64)> {
    let mut truncator = Truncator::new(bytes_max, hint);
    let mut counts = truncator.take(page, |_, text| text.to_owned())?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        truncator.push(counts.next + 1, &counts.unfinished);
    }
    let (content, omitted) = truncator.finish(&mut counts);
    if !content.is_empty() {
        put(&content)?;
    }
    Ok((counts, omitted))
}

/// A buffer that truncates content in the middle, with a line that says how to request the rest.
pub struct Truncator<'a> {
    fold: Fold,
    hint: &'a ContinuationHint,
    names_hint: bool,
}

impl<'a> Truncator<'a> {
    /// Creates a truncator to `bytes_max` bytes.
    pub fn new(bytes_max: usize, hint: &'a ContinuationHint) -> Self {
        // A hint that would take most of the space is omitted.
        let hint_bytes = hint.bytes_max();
        let names_hint = NOTE_BYTES + hint_bytes <= bytes_max / 2;
        let note_bytes = NOTE_BYTES + if names_hint { hint_bytes } else { 0 };
        Self { fold: Fold::new(bytes_max, note_bytes), hint, names_hint }
    }

    /// Takes the lines of a page, each formatted by `shown`. Reads only the head and the tail of a
    /// page that is far too long.
    ///
    /// # Errors
    /// Errors of the log.
    pub fn take(
        &mut self,
        page: &Page,
        shown: impl Fn(&Line<'_>, &str) -> String,
    ) -> io::Result<PageCounts> {
        let side = self.fold.side_lines_max();
        let mut push = |line: Line<'_>, text: &str| {
            self.fold.push(line.number, &shown(&line, text));
            Ok(())
        };
        let between = page.lines_known().and_then(|lines| lines.checked_sub(2 * side));
        let Some(between) = between.filter(|lines| *lines > 0) else {
            return page.for_each(push);
        };
        let head = page.first(side).for_each(&mut push)?;
        self.fold.skip(head.next + 1, between);
        let mut push = |line: Line<'_>, text: &str| {
            self.fold.push(line.number, &shown(&line, text));
            Ok(())
        };
        let tail = page.last(side)?.for_each(&mut push)?;
        let lines_returned = head.lines_returned + between + tail.lines_returned;
        Ok(PageCounts { lines_returned, first: head.first, ..tail })
    }

    /// Takes one more line.
    pub fn push(&mut self, number: u64, text: &str) {
        self.fold.push(number, text);
    }

    /// Returns the truncated content, and how many lines were left out. Adjusts the counts.
    pub fn finish(self, counts: &mut PageCounts) -> (String, u64) {
        let (content, omission) = self.fold.finish(|Omission { after, lines, bytes, .. }| {
            let hint = self.hint.text(after, lines);
            let hint = if self.names_hint { format!(": {hint}") } else { String::new() };
            let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
            format!("[... {lines} lines{bytes} left out{hint} ...]")
        });
        let Some(omission) = omission else { return (content, 0) };
        counts.lines_returned = omission.shown;
        (content, omission.lines)
    }
}
