//! A log as it goes on: plain lines, entries, or Server-Sent Events.

use super::client::{HEARTBEAT, SILENCE_MAX};
use super::log_query::{Form, NDJSON};
use super::logs::{TEXT, write_entry};
use crate::logs::{Line, Page, PageCounts, Range, Selection};
use crate::ops::{LogQuery, Named, RunMarks, Source, next_client_check};
use crate::permits::Permit;
use http::StatusCode;
use http1::{Problem, Reply, StreamBody};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How much of a line that has not ended is told, from its last drawing, in bytes: a prompt is
/// short, and a progress bar is told again and again.
const PROMPT_BYTES_MAX: usize = 4096;

/// How soon a line that has not ended is told again.
const PROMPT_INTERVAL: Duration = Duration::from_millis(100);

/// Answers with a stream that begins with what was selected and goes on until the run has ended
/// and all of its output was sent.
pub fn answer(
    query: LogQuery,
    (form, resumes): (Form, bool),
    source: Box<dyn Source>,
    permit: Permit,
) -> Result<Reply, Problem> {
    // ProbeFinished at before the log: "over" then means that all is there.
    let is_over = source.is_over();
    let page = Page::select(&source.series(&query.selection)?, query.selection.clone())?;
    let glance = page.snapshot();
    let is_all_known = query.selection.range.cursor().is_some_and(|after| after >= glance.lines);
    if resumes && is_over && is_all_known {
        // What an EventSource that asks again understands as the end.
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let content_type = match form {
        Form::Events => "text/event-stream",
        Form::Ndjson => NDJSON,
        Form::Json | Form::Text => TEXT,
    };
    let selection = query.selection;
    let run_id = if let Named::Run { run_id, .. } = source.name() { Some(run_id) } else { None };
    Ok(Reply::stream(StatusCode::OK, content_type, move |to| {
        // The permit is returned when the stream ends, however it ends.
        let _permit = permit;
        let cursor = selection.range.cursor().unwrap_or(page.lines_total());
        let mut stream = Stream {
            to,
            form,
            id_prefix: run_id.as_ref().map_or_else(String::new, |run_id| format!("{run_id}:")),
            cursor,
            prompt: String::new(),
            told: String::new(),
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
        // It has files open that need not stay open as long as this goes on.
        drop(page);
        stream.follow(&*source, &selection)
    }))
}

/// A stream to one client.
struct Stream<'a, 'b> {
    to: &'a mut StreamBody<'b>,
    form: Form,
    /// What stands before the number of a line in the id of its event.
    id_prefix: String,
    /// The last line that was looked at.
    cursor: u64,
    /// The line that had not ended when it was last looked at.
    prompt: String,
    /// What was told of it.
    told: String,
    /// Where runs begin and end, as far as it is still to be told.
    runs: RunMarks,
    sent_at: Instant,
}

impl Stream<'_, '_> {
    fn follow(&mut self, source: &dyn Source, selection: &Selection) -> io::Result<()> {
        loop {
            let is_over = source.is_over();
            let range = Range::After(self.cursor);
            let next = Selection { range, limit: None, filter: selection.filter.clone() };
            let series = source.series(&next).map_err(io::Error::other)?;
            let page = Page::select(&series, next).map_err(io::Error::other)?;
            self.runs.renew(source);
            self.send_missed(page.snapshot().lines_gone)?;
            let counts = self.send_page(&page)?;
            // Those behind what is known of the lines come with the next page.
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

    /// Waits for something to send. False when the client is gone.
    fn wait(&mut self, source: &dyn Source) -> io::Result<bool> {
        let mut has_news = false;
        while !has_news {
            let (cursor, prompt) = (self.cursor, &self.prompt);
            source.wait(next_client_check(), &mut |glance| {
                has_news = glance.lines > cursor || glance.prompt != *prompt;
                has_news
            });
            if has_news {
                // What is redrawn all the time is told now and then. A line is not held back.
                let again = self.sent_at + PROMPT_INTERVAL;
                source.wait(again, &mut |glance| glance.lines > cursor);
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
        if self.form == Form::Events && prompt != self.told && !prompt.is_empty() {
            write!(self.to, "event: prompt\ndata: {}\n\n", Value::from(prompt))?;
        }
        prompt.clone_into(&mut self.told);
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
            Form::Json | Form::Text => writeln!(self.to, "{text}"),
        }
    }

    /// Tells of the runs that begin or end before a line.
    fn send_run_marks(&mut self, line: u64) -> io::Result<()> {
        while let Some(mark) = self.runs.next_before(line) {
            if self.form == Form::Events {
                write!(self.to, "event: run\ndata: {}\n\n", mark.data)?;
            }
        }
        Ok(())
    }

    /// Says that the cursor was of another log, and that this is the whole of this one.
    fn send_cursor_reset(&mut self, run_id: Option<&str>) -> io::Result<()> {
        let mut data = json!({"cursor_reset": true});
        if let Some(run_id) = run_id {
            data["run_id"] = run_id.into();
        }
        match self.form {
            Form::Events => write!(self.to, "event: cursor_reset\ndata: {data}\n\n"),
            Form::Ndjson => writeln!(self.to, "{data}"),
            Form::Json | Form::Text => {
                writeln!(self.to, "[... the cursor is of another log: from the first line ...]")
            }
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

    fn send_end(&mut self, counts: &PageCounts, source: &dyn Source) -> io::Result<()> {
        match self.form {
            Form::Events => write!(self.to, "event: end\ndata: {}\n\n", source.status()),
            Form::Json | Form::Text if counts.unfinished.is_empty() => Ok(()),
            Form::Json | Form::Text => writeln!(self.to, "{}", counts.unfinished),
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
