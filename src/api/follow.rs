//! A log as it goes on: plain lines, entries, or Server-Sent Events.

use super::log_query::{Form, LogQuery};
use super::logs::{NDJSON, Source, TEXT, write_entry};
use super::slots::Slot;
use crate::error::Error;
use crate::http::{Problem, Reply, StreamBody};
use crate::logs::{Glance, Line, Page, PageCounts, Range, RunLog, Selection};
use http::StatusCode;
use serde_json::Value;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How often a client that says nothing is looked after while there is nothing to send: a socket
/// that is hung up wakes nobody who waits for a log.
pub const CLIENT_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long an event stream is silent at most, so that what is between keeps it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How much of a line that has not ended is told, from its last drawing, in bytes: a prompt is
/// short, and a progress bar is told again and again.
const PROMPT_BYTES_MAX: usize = 4096;

/// How soon a line that has not ended is told again.
const PROMPT_INTERVAL: Duration = Duration::from_millis(100);

/// Answers with a stream that begins with what was selected and goes on until the run has ended
/// and all of its output was sent.
pub fn answer(query: LogQuery, source: Source, slot: Slot) -> Result<Reply, Problem> {
    let page = Page::select(&source.log, query.selection.clone())?;
    let glance = page.glance();
    let is_all_known = query.selection.range.cursor().is_some_and(|after| after >= glance.lines);
    if query.resumes && glance.is_over && is_all_known {
        // What an EventSource that asks again understands as the end.
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let content_type = match query.form {
        Form::Events => "text/event-stream",
        Form::Ndjson => NDJSON,
        Form::Json | Form::Text => TEXT,
    };
    let (form, selection) = (query.form, query.selection);
    Ok(Reply::stream(StatusCode::OK, content_type, move |to| {
        // The slot is given back when the stream ends, however it ends.
        let _slot = slot;
        let cursor = selection.range.cursor().unwrap_or(page.lines_total());
        let mut stream = Stream {
            to,
            form,
            cursor,
            prompt: String::new(),
            told: String::new(),
            sent_at: Instant::now(),
        };
        stream.send_page(&page)?;
        stream.follow(&source, &selection)
    }))
}

/// A stream to one client.
struct Stream<'a, 'b> {
    to: &'a mut StreamBody<'b>,
    form: Form,
    /// The last line that was looked at.
    cursor: u64,
    /// The line that had not ended when it was last looked at.
    prompt: String,
    /// What was told of it.
    told: String,
    sent_at: Instant,
}

impl Stream<'_, '_> {
    fn follow(&mut self, source: &Source, selection: &Selection) -> io::Result<()> {
        loop {
            let range = Range::After(self.cursor);
            let next = Selection { range, limit: None, filter: selection.filter.clone() };
            let page = Page::select(&source.log, next).map_err(unreadable)?;
            self.send_missed(page.glance().lines_gone)?;
            let counts = self.send_page(&page)?;
            if page.glance().is_over {
                return self.send_end(&counts, source);
            }
            self.to.flush()?;
            if !self.wait(&source.log)? {
                return Ok(());
            }
        }
    }

    /// Waits for something to send. False when the client is gone.
    fn wait(&mut self, log: &RunLog) -> io::Result<bool> {
        let mut has_news = false;
        while !has_news {
            let (cursor, prompt) = (self.cursor, &self.prompt);
            let is_news = |glance: &Glance| {
                has_news = glance.lines > cursor || glance.is_over || glance.prompt != *prompt;
                has_news
            };
            log.wait_until(Instant::now() + CLIENT_LOOK_INTERVAL, is_news);
            if has_news {
                // What is redrawn all the time is told now and then. A line is not held back.
                let again = self.sent_at + PROMPT_INTERVAL;
                log.wait_until(again, |glance| glance.lines > cursor || glance.is_over);
            }
            if self.to.client_gone() {
                return Ok(false);
            }
            if self.form == Form::Events && self.sent_at.elapsed() >= HEARTBEAT {
                self.to.write_all(b": still here\n\n")?;
                self.to.flush()?;
                self.sent_at = Instant::now();
            }
        }
        Ok(true)
    }

    fn send_page(&mut self, page: &Page) -> io::Result<PageCounts> {
        let counts = page.for_each(|line, text| self.send_line(line, text))?;
        self.cursor = counts.next;
        let prompt = last_drawing(&counts.unfinished);
        if self.form == Form::Events && prompt != self.told && !prompt.is_empty() {
            write!(self.to, "event: prompt\ndata: {}\n\n", Value::from(prompt))?;
        }
        prompt.clone_into(&mut self.told);
        self.prompt.clone_from(&page.glance().prompt);
        self.sent_at = Instant::now();
        Ok(counts)
    }

    fn send_line(&mut self, line: Line<'_>, text: &str) -> io::Result<()> {
        match self.form {
            Form::Events => {
                write!(self.to, "id: {}\ndata: ", line.number)?;
                write_entry(self.to, line.stamp, text)?;
                self.to.write_all(b"\n")
            }
            Form::Ndjson => write_entry(self.to, line.stamp, text),
            Form::Json | Form::Text => writeln!(self.to, "{text}"),
        }
    }

    /// Says how many lines were dropped before this client had read them.
    fn send_missed(&mut self, lines_gone: u64) -> io::Result<()> {
        let missed = lines_gone.saturating_sub(self.cursor);
        if missed == 0 {
            return Ok(());
        }
        self.cursor = lines_gone;
        match self.form {
            Form::Events => write!(self.to, "event: missed\ndata: {{\"lines\":{missed}}}\n\n"),
            Form::Ndjson => writeln!(self.to, "{{\"missed_lines\":{missed}}}"),
            Form::Json | Form::Text => writeln!(self.to, "[... {missed} lines missed ...]"),
        }
    }

    fn send_end(&mut self, counts: &PageCounts, source: &Source) -> io::Result<()> {
        match self.form {
            Form::Events => write!(self.to, "event: end\ndata: {}\n\n", (source.status)()),
            Form::Json | Form::Text => self.to.write_all(counts.unfinished.as_bytes()),
            Form::Ndjson => Ok(()),
        }
    }
}

/// What a screen shows of a line that has not ended: what stands behind its last carriage return.
fn last_drawing(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    let drawn = line.rsplit('\r').next().unwrap_or(line);
    &drawn[drawn.ceil_char_boundary(drawn.len().saturating_sub(PROMPT_BYTES_MAX))..]
}

fn unreadable(error: Error) -> io::Error {
    io::Error::other(error)
}
