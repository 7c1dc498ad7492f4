//! GET /logs and its like: the answer that carries the lines.

use super::log_query::{Again, Escapes, Form, LogQuery, NDJSON};
use super::run_marks::RunMark;
use super::slots::Slots;
use super::{follow, service_lines, told, waiting};
use crate::error::Result as Found;
use crate::http::{Problem, Reply, Request, StreamBody};
use crate::logs::{
    Fold, Glance, Line, LogSeries, Omission, Page, PageCounts, Range, RunLog, Selection,
};
use crate::protocol::LogsResponse;
use http::StatusCode;
use serde_json::Value;
use std::io::{self, Write};
use std::ops;
use std::sync::Arc;
use std::time::Instant;

/// The form of all that is asked for.
const JSON: &str = "application/json";
/// The form of lines alone.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// How much longer the line between head and tail is than its request and two numbers, in bytes.
const NOTE_BYTES: usize = "[...  lines,  bytes left out:  ...]".len() + 2 * 20;

/// What a log is called, and with that the form of its JSON answer.
#[derive(Clone, Debug)]
pub enum Named {
    /// A run's, by its file.
    Run {
        /// The directory as it was set, and the file in it.
        log_file: String,
        /// The run's id.
        run_id: String,
    },
    /// A service's.
    Service {
        /// The service's name.
        name: String,
    },
}

/// A log that can be asked for.
pub trait Source: Send {
    /// What it is called.
    fn name(&self) -> Named;

    /// The numbers of its lines: those over the start, up to the end.
    fn line_numbers(&self) -> ops::Range<u64>;

    /// As much of it as the selection reaches.
    ///
    /// # Errors
    /// `Log` when a file cannot be read.
    fn series(&self, selection: &Selection) -> Found<LogSeries>;

    /// Whether all that there will be was in it when this was asked.
    fn is_over(&self) -> bool;

    /// Waits for a change that is news, for the end, or until the deadline.
    fn wait(&self, deadline: Instant, is_news: &mut dyn FnMut(&Glance) -> bool);

    /// Whether what prints it runs now.
    fn is_running(&self) -> bool;

    /// The state of what prints it.
    fn status(&self) -> Value;

    /// Where runs begin and end in it, where it spans several.
    fn run_marks(&self) -> Vec<RunMark>;

    /// A number that grows when there are more of those.
    fn turns(&self) -> u64;
}

/// Answers a request for lines of a log.
pub fn answer(
    mut query: LogQuery,
    source: Box<dyn Source>,
    slots: &Slots,
    request: &Request<'_>,
) -> Result<Reply, Problem> {
    query.fit_cursor(&source.line_numbers());
    if query.follows {
        return follow::answer(query, source, slots.take()?);
    }
    // A scan may take as long as a wait.
    let scans = !query.selection.filter.passes_all();
    let slot = (scans || query.wait.is_some()).then(|| slots.take()).transpose()?;
    wait(request, &query, &*source);
    let slot = slot.filter(|_| scans);
    // Looked at behind the wait, and before the log: "ended" then means that all is there.
    let is_running = source.is_running();
    let page = Page::select(&source.series(&query.selection)?, query.selection.clone())?;
    Ok(match query.form {
        Form::Ndjson => Reply::stream(StatusCode::OK, NDJSON, move |to| {
            let _slot = slot;
            write_ndjson(&page, to)
        }),
        Form::Text => Reply::stream(StatusCode::OK, TEXT, move |to| {
            let _slot = slot;
            let mut plain = Plain { to, has_text: false };
            write_content(&page, query.bytes_max, &query.again, &mut plain)?;
            if plain.has_text { to.write_all(b"\n") } else { Ok(()) }
        }),
        Form::Json | Form::Events => {
            let head = Head { name: source.name(), is_running };
            if query.bytes_max.is_some() {
                return json_of_bounded(&page, &query, &head);
            }
            Reply::stream(StatusCode::OK, JSON, move |to: &mut StreamBody<'_>| {
                let _slot = slot;
                write_json(&page, &query, &head, to)
            })
        }
    })
}

/// Waits for a line behind the cursor, or for the end of the run.
fn wait(request: &Request<'_>, query: &LogQuery, source: &dyn Source) {
    let (Some(wait), Some(cursor)) = (query.wait, query.selection.range.cursor()) else { return };
    let was_running = source.is_running();
    waiting::wait(request, wait, |until| {
        let mut is_enough = source.is_over();
        if !is_enough {
            source.wait(until, &mut |glance| {
                is_enough = glance.lines > cursor || (was_running && glance.is_over);
                is_enough
            });
        }
        is_enough || source.is_over()
    });
}

/// What a run has printed so far from `range` on, at most `bytes_max` bytes of content.
pub fn output(
    run_id: &str,
    log: &Arc<RunLog>,
    range: Range,
    bytes_max: Option<u64>,
    escapes: Escapes,
) -> Result<LogsResponse, Problem> {
    let query = LogQuery::of_output(run_id, range, bytes_max, escapes)?;
    let running = !log.glance().is_over;
    let page = Page::select(&LogSeries::of(Arc::clone(log)), query.selection)?;
    let mut content = String::new();
    let (counts, omitted_lines) =
        write_content(&page, query.bytes_max, &query.again, &mut Held(&mut content))
            .map_err(|error| unreadable(&error))?;
    let PageCounts { lines_returned, first, next, unfinished, is_cut } = counts;
    let prompt = page.has_cursor().then(|| prompt(&unfinished, query.bytes_max)).flatten();
    Ok(LogsResponse {
        log_file: log.name().to_owned(),
        run_id: run_id.to_owned(),
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
        cursor_reset: false,
    })
}

/// What is told of a line that has not ended: of one that is too large to be a prompt, its end.
fn prompt(unfinished: &str, bytes_max: Option<usize>) -> Option<&str> {
    (!unfinished.is_empty()).then(|| told::end_of(unfinished, bytes_max.unwrap_or(usize::MAX)))
}

fn unreadable(error: &io::Error) -> Problem {
    Problem::internal(format!("The log cannot be read ({error}): try again."))
}

/// An answer whose size is bounded is held whole, for those who ask from within.
fn json_of_bounded(page: &Page, query: &LogQuery, head: &Head) -> Result<Reply, Problem> {
    let mut json = Vec::new();
    write_json(page, query, head, &mut json).map_err(|error| unreadable(&error))?;
    Ok(Reply::bytes(StatusCode::OK, JSON, json))
}

/// What stands at the beginning of a JSON answer.
struct Head {
    name: Named,
    is_running: bool,
}

/// The counts stand behind the content, because they are known when it was passed on.
fn write_json(page: &Page, query: &LogQuery, head: &Head, to: &mut impl Write) -> io::Result<()> {
    let total = page.lines_total();
    let (counts, omitted) = match &head.name {
        Named::Run { log_file, run_id } => {
            let (name, run_id) = (Value::from(&**log_file), Value::from(&**run_id));
            write!(to, "{{\"log_file\":{name},\"run_id\":{run_id},\"total_lines\":{total},")?;
            to.write_all(b"\"content\":\"")?;
            let content = if page.is_plain() && query.bytes_max.is_none() {
                (page.write_escaped(to)?, 0)
            } else {
                write_content(page, query.bytes_max, &query.again, &mut Escaped(to))?
            };
            to.write_all(b"\"")?;
            content
        }
        Named::Service { name } => {
            let name = Value::from(&**name);
            write!(to, "{{\"service\":{name},\"total_lines\":{total},\"logs\":[")?;
            let lines = service_lines::write(page, query.bytes_max, &query.again, to)?;
            to.write_all(b"]")?;
            lines
        }
    };
    let PageCounts { lines_returned, first, next, unfinished, is_cut: is_line_cut } = counts;
    let is_cut = omitted > 0 || is_line_cut;
    write!(to, ",\"lines_returned\":{lines_returned},\"first\":{},", Value::from(first))?;
    write!(to, "\"next\":{next},\"truncated\":{is_cut},\"omitted_lines\":{omitted},")?;
    write!(to, "\"running\":{}", head.is_running)?;
    if page.has_cursor() || matches!(head.name, Named::Service { .. }) {
        write!(to, ",\"prompt\":{}", Value::from(prompt(&unfinished, query.bytes_max)))?;
    }
    if page.lines_skipped() > 0 {
        write!(to, ",\"skipped\":{}", page.lines_skipped())?;
    }
    if query.cursor_reset {
        to.write_all(b",\"cursor_reset\":true")?;
    }
    to.write_all(b"}\n")
}

fn write_ndjson(page: &Page, to: &mut StreamBody<'_>) -> io::Result<()> {
    if page.is_plain() {
        return page.write_stored(to).map(drop);
    }
    page.for_each(|line, text| write_entry(to, line, text)).map(drop)
}

/// One entry, with the number of its line, on a line of its own.
pub fn write_entry(to: &mut impl Write, line: Line<'_>, text: &str) -> io::Result<()> {
    let Line { number, stamp, .. } = line;
    writeln!(to, "{{\"n\":{number},\"timestamp\":\"{stamp}\",\"line\":{}}}", Value::from(text))
}

/// Where text goes, in its form.
trait Text {
    fn put(&mut self, text: &str) -> io::Result<()>;
}

struct Plain<'a, W> {
    to: &'a mut W,
    /// Whether there is a line that is to be ended, be it an empty one.
    has_text: bool,
}

impl<W: Write> Text for Plain<'_, W> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        self.has_text = true;
        self.to.write_all(text.as_bytes())
    }
}

/// In memory.
struct Held<'a>(&'a mut String);

impl Text for Held<'_> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        self.0.push_str(text);
        Ok(())
    }
}

/// Escaped as in a JSON string.
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Text for Escaped<'_, W> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        let quoted = serde_json::to_string(text)?;
        self.0.write_all(&quoted.as_bytes()[1..quoted.len() - 1])
    }
}

/// Writes the lines with a line end between them, the one that has not ended last where there is
/// no cursor. Gives the counts, and how many lines were left out.
fn write_content(
    page: &Page,
    bytes_max: Option<usize>,
    again: &Again,
    to: &mut impl Text,
) -> io::Result<(PageCounts, u64)> {
    if let Some(bytes_max) = bytes_max {
        return write_folded(page, bytes_max, again, to);
    }
    let mut is_first = true;
    let mut put = |text: &str| {
        if !std::mem::take(&mut is_first) {
            to.put("\n")?;
        }
        to.put(text)
    };
    let counts = page.for_each(|_, text| put(text))?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        put(&counts.unfinished)?;
    }
    Ok((counts, 0))
}

fn write_folded(
    page: &Page,
    bytes_max: usize,
    again: &Again,
    to: &mut impl Text,
) -> io::Result<(PageCounts, u64)> {
    let mut folding = Folding::new(bytes_max, again);
    let mut counts = folding.take(page, |_, text| text.to_owned())?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        folding.push(counts.next + 1, &counts.unfinished);
    }
    let (content, omitted) = folding.finish(&mut counts);
    if !content.is_empty() {
        to.put(&content)?;
    }
    Ok((counts, omitted))
}

/// A content that is cut to a size, with a line that says how to ask for the rest.
pub struct Folding<'a> {
    fold: Fold,
    again: &'a Again,
    names_request: bool,
}

impl<'a> Folding<'a> {
    /// One of so many bytes.
    pub fn new(bytes_max: usize, again: &'a Again) -> Self {
        // A request that would take most of the room is not named.
        let request_bytes = again.bytes_max();
        let names_request = NOTE_BYTES + request_bytes <= bytes_max / 2;
        let note_bytes = NOTE_BYTES + if names_request { request_bytes } else { 0 };
        Self { fold: Fold::new(bytes_max, note_bytes), again, names_request }
    }

    /// Takes the lines of a page, each as `shown` gives it. Of a page that is far too long only the
    /// beginning and the end are read.
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

    /// What is left, and how many lines are not. The counts are then of what is left.
    pub fn finish(self, counts: &mut PageCounts) -> (String, u64) {
        let (content, omission) = self.fold.finish(|Omission { after, lines, bytes, .. }| {
            let request = self.again.request(after, lines);
            let request = if self.names_request { format!(": {request}") } else { String::new() };
            let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
            format!("[... {lines} lines{bytes} left out{request} ...]")
        });
        let Some(omission) = omission else { return (content, 0) };
        counts.lines_returned = omission.shown;
        (content, omission.lines)
    }
}
