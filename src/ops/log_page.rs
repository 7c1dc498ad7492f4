//! Pages of a log: sources, reading, waiting for lines, and truncation.

use super::client::Client;
use super::error::{Error, Result};
use super::line_form::GAP;
use super::log_query::LogQuery;
use super::source::{Named, Source};
use super::truncator::Truncator;
use super::until::{OutputMark, wait_until};
use super::{service_lines, text_report};
use crate::error::SystemError;
use crate::logs::{Page, PageCounts, Place};
use crate::permits::{Permit, Permits};
use crate::protocol::{LogsResponse, ServiceLogs};
use std::io;

/// Prepares the reading of a log: clamps the cursor, and waits if the query says so. Returns the
/// permit of a scan, to be held while the log is read.
///
/// # Errors
/// `TooManyRequests` if no permit is free; `Log` if the log cannot be read.
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
    if let (Some(wait), Some(cursor)) = (query.wait, query.selection.range.cursor()) {
        let mark = OutputMark::after(cursor);
        query.waited = Some(wait_until(client, source, &mark, &query.until, wait)?);
    }
    Ok((query, permit.filter(|_| scans)))
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
    let (counts, omitted_lines) = write_content(&page, query, &mut put).map_err(unreadable)?;
    let PageCounts { lines_returned, first, next, unfinished, is_cut, .. } = counts;
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
        reason: query.waited.as_ref().map(|waited| waited.reason),
        matched_line: query.waited.as_ref().and_then(|waited| waited.matched_line.clone()),
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
        service_lines::write(&page, query, &mut put).map_err(unreadable)?;
    let PageCounts { lines_returned, first, next, unfinished, is_cut, .. } = counts;
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
        reason: query.waited.as_ref().map(|waited| waited.reason),
        matched_line: query.waited.as_ref().and_then(|waited| waited.matched_line.clone()),
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
    query: &LogQuery,
    put: &mut impl FnMut(&str) -> io::Result<()>,
) -> io::Result<(PageCounts, u64)> {
    if let Some(bytes_max) = query.bytes_max {
        return write_truncated(page, query, bytes_max, put);
    }
    let mut is_first = true;
    let mut put = |text: &str, place: Place| {
        if !std::mem::take(&mut is_first) {
            put("\n")?;
        }
        if place.follows_gap {
            put(GAP)?;
            put("\n")?;
        }
        put(text)
    };
    let counts = page.for_each(|line, text| put(&query.numbers.line(&line, text), line.place))?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        put(&query.numbers.unfinished(&counts), counts.unfinished_place)?;
    }
    Ok((counts, 0))
}

fn write_truncated(
    page: &Page,
    query: &LogQuery,
    bytes_max: usize,
    put: &mut impl FnMut(&str) -> io::Result<()>,
) -> io::Result<(PageCounts, u64)> {
    let mut truncator = Truncator::new(bytes_max, &query.continuation);
    let numbers = query.numbers;
    let mut counts = truncator.take(page, |line, text| numbers.line(line, text).into_owned())?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        let unfinished = numbers.unfinished(&counts);
        truncator.push(counts.next + 1, counts.unfinished_place, &unfinished);
    }
    let (content, omitted) = truncator.finish(&mut counts);
    if !content.is_empty() {
        put(&content)?;
    }
    Ok((counts, omitted))
}
