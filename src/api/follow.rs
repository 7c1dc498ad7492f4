//! Followed logs: a stream of plain lines, entries, or Server-Sent Events.

use super::client::{HEARTBEAT, SILENCE_MAX};
use super::entries::{TEXT, write_entry};
use super::log_query::{Form, NDJSON};
use crate::logs::{Line, Page, PageCounts, Range, Selection};
use crate::ops::{LineNumbers, LogQuery, Named, RunMarks, Source, next_client_check};
use crate::permits::Permit;
use http::StatusCode;
use http1::{Problem, Reply, StreamBody};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// The most of an unfinished line that is sent, from the end of its last drawing, in bytes: a
/// prompt is short, and a progress bar is sent repeatedly.
const PROMPT_BYTES_MAX: usize = 4096;

/// The shortest time between two updates of an unfinished line.
const PROMPT_INTERVAL: Duration = Duration::from_millis(100);

/// Answers with a stream that starts with the selected lines and continues until the run has ended
/// and all of its output was sent.
pub fn answer(
    query: LogQuery,
    form: Form,
    resumes: bool,
    source: Box<dyn Source>,
    permit: Permit,
) -> Result<Reply, Problem> {
    // Checked before the log is read: if it is over, all of its lines are there.
    let is_over = source.is_over();
    let page = Page::select(&source.series(&query.selection)?, query.selection.clone())?;
    let snapshot = page.snapshot();
    let is_all_known = query.selection.range.cursor().is_some_and(|after| after >= snapshot.lines);
    if resumes && is_over && is_all_known {
        // Stops an EventSource from reconnecting.
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let content_type = match form {
        Form::Events => "text/event-stream",
        Form::Ndjson => NDJSON,
        Form::Json | Form::Text => TEXT,
    };
    let (selection, numbers) = (query.selection, query.numbers);
    let run_id = if let Named::Run { run_id, .. } = source.name() { Some(run_id) } else { None };
    Ok(Reply::stream(StatusCode::OK, content_type, move |to| {
        // Returned when the stream ends, however it ends.
        let _permit = permit;
        let cursor = selection.range.cursor().unwrap_or(page.lines_total());
        let mut stream = Stream {
            to,
            form,
            numbers,
            id_prefix: run_id.as_ref().map_or_else(String::new, |run_id| format!("{run_id}:")),
            cursor,
            prompt: String::new(),
            sent_prompt: String::new(),
            runs: RunMarks::behind(page.lines_before(), &*source),
            sent_at: Instant::now(),
        };
        if query.cursor_reset {
            stream.send_cursor_reset(run_id.as_deref())?;
        }
        if selection.range.cursor().is_some() {
            stream.send_missed(page.snapshot().lines_gone)?;
        }
        stream.send_page(&page)?;
        // Closes files that the rest of the stream does not need.
        drop(page);
        stream.follow(&*source, &selection)
    }))
}

/// A stream to one client.
struct Stream<'a, 'b> {
    to: &'a mut StreamBody<'b>,
    form: Form,
    numbers: LineNumbers,
    /// Prefix of the line number in the id of an event.
    id_prefix: String,
    /// Number of the last line read.
    cursor: u64,
    /// Unfinished line, as last read.
    prompt: String,
    /// The part of it that was last sent.
    sent_prompt: String,
    /// Starts and ends of runs that are still to be sent.
    runs: RunMarks,
    sent_at: Instant,
}

impl Stream<'_, '_> {
    fn follow(&mut self, source: &dyn Source, selection: &Selection) -> io::Result<()> {
        loop {
            let is_over = source.is_over();
            let range = Range::After(self.cursor);
            let next =
                Selection { range, before: None, limit: None, filter: selection.filter.clone() };
            let series = source.series(&next).map_err(io::Error::other)?;
            let page = Page::select(&series, next).map_err(io::Error::other)?;
            self.runs.renew(source);
            self.send_missed(page.snapshot().lines_gone)?;
            let counts = self.send_page(&page)?;
            // Marks after the last known line come with the next page.
            self.send_run_marks(self.cursor + 1)?;
            if is_over {
                return self.send_end(&counts, source);
            }
            self.to.flush()?;
            if !self.wait(source)? {
                return Ok(());
            }
        }
    }

    /// Waits for something to send. Returns false if the client is gone.
    fn wait(&mut self, source: &dyn Source) -> io::Result<bool> {
        let mut has_news = false;
        while !has_news {
            let (cursor, prompt) = (self.cursor, &self.prompt);
            source.wait(next_client_check(), &mut |snapshot| {
                has_news = snapshot.lines > cursor || snapshot.prompt != *prompt;
                has_news
            });
            if has_news {
                // Throttles a prompt that is redrawn; a complete line is not delayed.
                let next = self.sent_at + PROMPT_INTERVAL;
                source.wait(next, &mut |snapshot| snapshot.lines > cursor);
            }
            has_news |= source.is_over() || self.runs.has_news(source);
            if self.to.client_gone() {
                return Ok(false);
            }
            if self.form == Form::Events && self.sent_at.elapsed() >= SILENCE_MAX {
                self.to.write_all(HEARTBEAT)?;
                self.to.flush()?;
                self.sent_at = Instant::now();
            }
        }
        Ok(true)
    }

    fn send_page(&mut self, page: &Page) -> io::Result<PageCounts> {
        let counts = page.for_each(|line, text| {
            self.send_run_marks(line.number)?;
            self.send_line(line, text)
        })?;
        self.cursor = counts.next;
        let prompt = last_drawing(&counts.unfinished);
        if self.form == Form::Events && prompt != self.sent_prompt && !prompt.is_empty() {
            write!(self.to, "event: prompt\ndata: {}\n\n", Value::from(prompt))?;
        }
        prompt.clone_into(&mut self.sent_prompt);
        self.prompt.clone_from(&page.snapshot().prompt);
        self.sent_at = Instant::now();
        Ok(counts)
    }

    fn send_line(&mut self, line: Line<'_>, text: &str) -> io::Result<()> {
        match self.form {
            Form::Events => {
                write!(self.to, "id: {}{}\ndata: ", self.id_prefix, line.number)?;
                write_entry(self.to, line, text)?;
                self.to.write_all(b"\n")
            }
            Form::Ndjson => write_entry(self.to, line, text),
            Form::Json | Form::Text => writeln!(self.to, "{}", self.numbers.line(&line, text)),
        }
    }

    /// Sends the starts and ends of runs before a line.
    fn send_run_marks(&mut self, line: u64) -> io::Result<()> {
        while let Some(mark) = self.runs.next_before(line) {
            if self.form == Form::Events {
                write!(self.to, "event: run\ndata: {}\n\n", mark.data)?;
            }
        }
        Ok(())
    }

    /// Reports that the cursor was of another log, so that this one starts at its first line.
    fn send_cursor_reset(&mut self, run_id: Option<&str>) -> io::Result<()> {
        let mut data = json!({"cursor_reset": true});
        if let Some(run_id) = run_id {
            data["run_id"] = run_id.into();
        }
        match self.form {
            Form::Events => write!(self.to, "event: cursor_reset\ndata: {data}\n\n"),
            Form::Ndjson => writeln!(self.to, "{data}"),
            Form::Json | Form::Text => {
                writeln!(
                    self.to,
                    "[... the cursor belongs to another log: starting at the first line ...]"
                )
            }
        }
    }

    /// Reports how many lines were dropped before this client had read them.
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

    fn send_end(&mut self, counts: &PageCounts, source: &dyn Source) -> io::Result<()> {
        match self.form {
            Form::Events => write!(self.to, "event: end\ndata: {}\n\n", source.status()),
            Form::Json | Form::Text if counts.unfinished.is_empty() => Ok(()),
            Form::Json | Form::Text => {
                writeln!(self.to, "{}", self.numbers.unfinished(counts))
            }
            Form::Ndjson => Ok(()),
        }
    }
}

/// Returns what a screen shows of an unfinished line: the text after its last carriage return.
fn last_drawing(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    let drawn = line.rsplit('\r').next().unwrap_or(line);
    &drawn[drawn.ceil_char_boundary(drawn.len().saturating_sub(PROMPT_BYTES_MAX))..]
}
