//! Answers with lines of a log: GET /logs and similar routes.

use super::entries::{TEXT, write_entry};
use super::follow;
use super::log_query::{Form, LogRequest, NDJSON};
use super::terminal;
use crate::logs::{Page, PageCounts};
use crate::ops::{
    LineNumbers, LogQuery, Named, Source, Waited, begin_read, log_prompt, service_lines,
    unreadable, write_content,
};
use crate::permits::Permits;
use http::StatusCode;
use http1::{Problem, Reply, Request, StreamBody};
use serde_json::Value;
use std::io::{self, Write};

/// The media type of an answer with counts.
const JSON: &str = "application/json";

/// Answers a request for lines of a log.
pub fn answer(
    LogRequest { mut query, form, follows, resumes, terminal, .. }: LogRequest,
    source: Box<dyn Source>,
    streams: &Permits,
    request: &Request<'_>,
) -> Result<Reply, Problem> {
    if let Some(form) = terminal {
        return terminal::answer(form, &*source, streams);
    }
    if follows {
        query.fit_cursor(&source.line_numbers());
        let permit = streams.take()?;
        return follow::answer(query, form, resumes, source, permit);
    }
    let (query, permit) = begin_read(request, query, &*source, streams)?;
    // Read before the log: if it has ended, all of its lines are there.
    let is_running = source.is_running();
    let page = Page::select(&source.series(&query.selection)?, query.selection.clone())?;
    Ok(match form {
        Form::Ndjson => Reply::stream(StatusCode::OK, NDJSON, move |to| {
            let _permit = permit;
            write_ndjson(&page, to)
        }),
        Form::Text => Reply::stream(StatusCode::OK, TEXT, move |to| {
            let _permit = permit;
            let mut has_text = false;
            let mut put = |text: &str| {
                has_text = true;
                to.write_all(text.as_bytes())
            };
            write_content(&page, &query, &mut put)?;
            // Ends the last line, even if it is empty.
            if has_text { to.write_all(b"\n") } else { Ok(()) }
        }),
        Form::Json | Form::Events => {
            let name = source.name();
            if query.bytes_max.is_some() {
                let mut body = Vec::new();
                write_json(&page, &query, &name, is_running, &mut body).map_err(unreadable)?;
                return Ok(Reply::bytes(StatusCode::OK, JSON, body));
            }
            Reply::stream(StatusCode::OK, JSON, move |to: &mut StreamBody<'_>| {
                let _permit = permit;
                write_json(&page, &query, &name, is_running, to)
            })
        }
    })
}

/// Writes a `LogsResponse` or `ServiceLogs`. The counts follow the content, because they are known
/// only after it was written.
fn write_json(
    page: &Page,
    query: &LogQuery,
    name: &Named,
    is_running: bool,
    to: &mut impl Write,
) -> io::Result<()> {
    let total = page.lines_total();
    let (counts, omitted) = match name {
        Named::Run { log_file, run_id } => {
            let (name, run_id) = (Value::from(&**log_file), Value::from(&**run_id));
            write!(to, "{{\"log_file\":{name},\"run_id\":{run_id},\"total_lines\":{total},")?;
            to.write_all(b"\"content\":\"")?;
            let is_plain = page.is_plain() && query.numbers == LineNumbers::Hidden;
            let content = if is_plain && query.bytes_max.is_none() {
                (page.write_escaped(to)?, 0)
            } else {
                let mut put = |text: &str| {
                    let quoted = serde_json::to_string(text)?;
                    to.write_all(&quoted.as_bytes()[1..quoted.len() - 1])
                };
                write_content(page, query, &mut put)?
            };
            to.write_all(b"\"")?;
            content
        }
        Named::Service { name } => {
            let name = Value::from(&**name);
            write!(to, "{{\"service\":{name},\"total_lines\":{total},\"logs\":[")?;
            let mut comma = "";
            let mut put = |line: &str| {
                write!(to, "{}{}", std::mem::replace(&mut comma, ","), Value::from(line))
            };
            let lines = service_lines::write(page, query, &mut put)?;
            to.write_all(b"]")?;
            lines
        }
    };
    let PageCounts { lines_returned, first, next, unfinished, is_cut: is_line_cut, .. } = counts;
    let is_cut = omitted > 0 || is_line_cut;
    write!(to, ",\"lines_returned\":{lines_returned},\"first\":{},", Value::from(first))?;
    write!(to, "\"next\":{next},\"truncated\":{is_cut},\"omitted_lines\":{omitted},")?;
    write!(to, "\"running\":{is_running}")?;
    if page.has_cursor() || matches!(name, Named::Service { .. }) {
        write!(to, ",\"prompt\":{}", Value::from(log_prompt(&unfinished, query.bytes_max)))?;
    }
    if page.lines_skipped() > 0 {
        write!(to, ",\"skipped\":{}", page.lines_skipped())?;
    }
    if query.cursor_reset {
        to.write_all(b",\"cursor_reset\":true")?;
    }
    if let Some(Waited { reason, matched_line }) = &query.waited {
        write!(to, ",\"reason\":\"{reason}\"")?;
        if let Some(line) = matched_line {
            write!(to, ",\"matched_line\":{}", Value::from(&**line))?;
        }
    }
    to.write_all(b"}\n")
}

fn write_ndjson(page: &Page, to: &mut StreamBody<'_>) -> io::Result<()> {
    if page.is_plain() {
        return page.write_stored(to).map(drop);
    }
    page.for_each(|line, text| write_entry(to, line, text)).map(drop)
}
