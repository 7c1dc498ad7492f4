//! GET /logs and its like: the answer that carries the lines.

use super::follow;
use super::log_query::{Again, Form, LogQuery};
use super::slots::{Slot, Slots};
use crate::http::{Problem, Reply, Request, StreamBody};
use crate::logs::{Fold, Omission, Page, PageCounts, RunLog};
use http::StatusCode;
use serde_json::Value;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

/// The form of one entry a line.
pub const NDJSON: &str = "application/x-ndjson";
/// The form of lines alone.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// How much longer the line between head and tail is than its request and two numbers, in bytes.
const NOTE_BYTES: usize = "[...  lines,  bytes left out:  ...]".len() + 2 * 20;

/// The log that is asked for.
pub struct Source {
    /// The log itself.
    pub log: Arc<RunLog>,
    /// The state of its run, as JSON.
    pub status: Box<dyn Fn() -> Value + Send>,
}

/// Answers a request for lines of a log.
pub fn answer(request: &Request<'_>, source: Source, slots: &Slots) -> Result<Reply, Problem> {
    let query = LogQuery::read(request)?;
    if query.follows {
        return follow::answer(query, source, slots.take()?);
    }
    let slot = query.wait.map(|_| slots.take()).transpose()?;
    wait(request, &query, &source.log, slot);
    // Looked at behind the wait, and before the log: "ended" then means that all is there.
    let is_running = !source.log.glance().is_over;
    let page = Page::select(&source.log, query.selection.clone())?;
    let name = source.log.name().to_owned();
    Ok(match query.form {
        Form::Ndjson => Reply::stream(StatusCode::OK, NDJSON, move |to| write_ndjson(&page, to)),
        Form::Text => Reply::stream(StatusCode::OK, TEXT, move |to| {
            write_content(&page, query.bytes_max, &query.again, &mut Plain(to)).map(drop)
        }),
        Form::Json | Form::Events => {
            Reply::stream(StatusCode::OK, "application/json", move |to: &mut StreamBody<'_>| {
                write_json(&page, &query, &name, is_running, to)
            })
        }
    })
}

/// Waits until there is a line behind the cursor, or the run has ended, or the time is over, or
/// the client is gone.
fn wait(request: &Request<'_>, query: &LogQuery, log: &RunLog, slot: Option<Slot>) {
    let (Some(wait), Some(cursor)) = (query.wait, query.selection.range.cursor()) else { return };
    let end = Instant::now() + wait;
    let mut is_enough = false;
    while !is_enough && Instant::now() < end && !request.client_gone() {
        // A client that leaves wakes nobody, so it is looked after now and then.
        let look = end.min(Instant::now() + follow::CLIENT_LOOK_INTERVAL);
        log.wait_until(look, |glance| {
            is_enough = glance.lines > cursor || glance.is_over;
            is_enough
        });
    }
    drop(slot);
}

/// The counts stand behind the content, because they are known when it was passed on.
fn write_json(
    page: &Page,
    query: &LogQuery,
    name: &str,
    is_running: bool,
    to: &mut StreamBody<'_>,
) -> io::Result<()> {
    let total = page.lines_total();
    write!(to, "{{\"log_file\":{},\"total_lines\":{total},\"content\":\"", Value::from(name))?;
    let (counts, is_cut) = if page.is_plain() && query.bytes_max.is_none() {
        (page.write_escaped(to)?, false)
    } else {
        write_content(page, query.bytes_max, &query.again, &mut Escaped(to))?
    };
    let PageCounts { lines_returned, first, next, unfinished } = counts;
    write!(to, "\",\"lines_returned\":{lines_returned},\"first\":{},", Value::from(first))?;
    write!(to, "\"next\":{next},\"truncated\":{is_cut},\"running\":{is_running}")?;
    if query.selection.range.cursor().is_some() {
        // Of a line that is too large to be a prompt, its end is what matters.
        let bytes_max = query.bytes_max.unwrap_or(usize::MAX);
        let from = unfinished.ceil_char_boundary(unfinished.len().saturating_sub(bytes_max));
        let prompt = (!unfinished.is_empty()).then_some(&unfinished[from..]);
        write!(to, ",\"prompt\":{}", Value::from(prompt))?;
    }
    to.write_all(b"}\n")
}

fn write_ndjson(page: &Page, to: &mut StreamBody<'_>) -> io::Result<()> {
    if page.is_plain() {
        return page.write_stored(to).map(drop);
    }
    page.for_each(|line, text| write_entry(to, line.stamp, text)).map(drop)
}

/// One entry, as it is stored, on a line of its own.
pub fn write_entry(to: &mut impl Write, stamp: &str, text: &str) -> io::Result<()> {
    writeln!(to, "{{\"timestamp\":\"{stamp}\",\"line\":{}}}", Value::from(text))
}

/// Where text goes, in its form.
trait Text {
    fn put(&mut self, text: &str) -> io::Result<()>;
}

struct Plain<'a, 'b>(&'a mut StreamBody<'b>);

impl Text for Plain<'_, '_> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }
}

/// Escaped as in a JSON string.
struct Escaped<'a, 'b>(&'a mut StreamBody<'b>);

impl Text for Escaped<'_, '_> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        let quoted = serde_json::to_string(text)?;
        self.0.write_all(&quoted.as_bytes()[1..quoted.len() - 1])
    }
}

/// Writes the lines with a line end between them, the one that has not ended last where there is
/// no cursor. Gives the counts, and whether something was left out.
fn write_content(
    page: &Page,
    bytes_max: Option<usize>,
    again: &Again,
    to: &mut impl Text,
) -> io::Result<(PageCounts, bool)> {
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
    Ok((counts, false))
}

fn write_folded(
    page: &Page,
    bytes_max: usize,
    again: &Again,
    to: &mut impl Text,
) -> io::Result<(PageCounts, bool)> {
    // A request that would take most of the room is not named.
    let request_bytes = again.bytes_max();
    let names_request = NOTE_BYTES + request_bytes <= bytes_max / 2;
    let note_bytes = NOTE_BYTES + if names_request { request_bytes } else { 0 };
    let mut fold = Fold::new(bytes_max, note_bytes);
    let counts = page.for_each(|line, text| {
        fold.push(line.number, text);
        Ok(())
    })?;
    if !page.has_cursor() && !counts.unfinished.is_empty() {
        fold.push(counts.next + 1, &counts.unfinished);
    }
    let (content, omission) = fold.finish(|Omission { after, lines, bytes }| {
        let request = again.request(after, lines);
        let request = if names_request { format!(": {request}") } else { String::new() };
        format!("[... {lines} lines, {bytes} bytes left out{request} ...]")
    });
    to.put(&content)?;
    Ok((counts, omission.is_some()))
}
