//! GET /events: changes of services and of runs, as Server-Sent Events.

use super::client::{HEARTBEAT, SILENCE_MAX};
use crate::event_log::{Entry, EventBatch, EventLog};
use crate::ops::{OpenPrompts, Services, Shell, event_name, next_client_check};
use crate::permits::Permits;
use crate::protocol::{EventBody, RunEventBody};
use crate::runs::{RunChange, RunSet};
use crate::supervisor::ServiceChange;
use http::StatusCode;
use http1::{Problem, Reply, Request, StreamBody};
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

/// The source of a stream: a log of events, and how they are sent.
trait Events: Send + 'static {
    type Event: 'static;

    /// Returns the log.
    fn log(&self) -> &EventLog<Self::Event>;

    /// Sends an event.
    fn send(&self, entry: &Entry<Self::Event>, to: &mut StreamBody<'_>) -> io::Result<()>;

    /// Waits for events after `after`, until the next check of the client at the latest.
    fn wait(&mut self, after: u64) -> EventBatch<Self::Event> {
        self.log().wait_after(after, next_client_check())
    }

    /// Sends what is no event of the log. Returns whether there was something.
    fn send_more(&mut self, _: &mut StreamBody<'_>) -> io::Result<bool> {
        Ok(false)
    }

    /// Sends the end of the stream.
    fn send_end(&self, to: &mut StreamBody<'_>) -> io::Result<()>;
}

/// The changes of services.
struct OfServices(Arc<EventLog<ServiceChange>>);

/// The changes of runs, and the prompts of those that live.
struct OfRuns {
    runs: Arc<RunSet>,
    prompts: OpenPrompts,
}

/// Answers with the changes of services from now on, or with those after the one that
/// `Last-Event-ID` names.
pub fn of_services(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let events = OfServices(Arc::clone(services.supervisor().events()));
    answer(events, services.streams(), request)
}

/// Answers with the changes of runs from now on, or with those after the one that `Last-Event-ID`
/// names.
pub fn of_runs(shell: &Shell, request: &mut Request<'_>) -> Result<Reply, Problem> {
    let runs = Arc::clone(shell.runs());
    let prompts = OpenPrompts::of(&runs);
    answer(OfRuns { runs, prompts }, shell.streams(), request)
}

fn answer(events: impl Events, streams: &Permits, request: &Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let permit = streams.take()?;
    let resumed = request.header("last-event-id").and_then(|id| id.parse().ok());
    let after = resumed.unwrap_or_else(|| events.log().last_id());
    let mut events = events;
    Ok(Reply::stream(StatusCode::OK, "text/event-stream", move |to| {
        // Returned when the stream ends, however it ends.
        let _permit = permit;
        send(&mut events, after, to)
    }))
}

fn send(events: &mut impl Events, mut after: u64, to: &mut StreamBody<'_>) -> io::Result<()> {
    // Confirms the connection before the first event.
    to.write_all(b": events follow\n\n")?;
    to.flush()?;
    let mut sent_at = Instant::now();
    loop {
        let EventBatch { events: new, has_gap, is_closed } = events.wait(after);
        if has_gap {
            write!(to, "event: missed\ndata: {}\n\n", json!({"advice": "read the status"}))?;
        }
        for entry in &new {
            events.send(entry, to)?;
            after = entry.id;
        }
        if has_gap && new.is_empty() {
            // Continues with the next event.
            after = events.log().last_id();
        }
        let has_more = events.send_more(to)?;
        if is_closed {
            return events.send_end(to);
        }
        if new.is_empty() && to.client_gone() {
            return Ok(());
        }
        let is_silent = sent_at.elapsed() >= SILENCE_MAX;
        if is_silent {
            to.write_all(HEARTBEAT)?;
        }
        if !new.is_empty() || has_gap || has_more || is_silent {
            to.flush()?;
            sent_at = Instant::now();
        }
    }
}

impl Events for OfServices {
    type Event = ServiceChange;

    fn log(&self) -> &EventLog<ServiceChange> {
        &self.0
    }

    fn send(&self, entry: &Entry<ServiceChange>, to: &mut StreamBody<'_>) -> io::Result<()> {
        let body = EventBody::from(entry);
        write_event(to, Some(entry.id), event_name(entry.event.change), &body)
    }

    fn send_end(&self, to: &mut StreamBody<'_>) -> io::Result<()> {
        to.write_all(b"event: end\ndata: {}\n\n")
    }
}

impl Events for OfRuns {
    type Event = RunChange;

    fn log(&self) -> &EventLog<RunChange> {
        self.runs.events().log()
    }

    fn send(&self, entry: &Entry<RunChange>, to: &mut StreamBody<'_>) -> io::Result<()> {
        let name = if entry.event.end.is_some() { "end" } else { "start" };
        write_event(to, Some(entry.id), name, &RunEventBody::from(entry))
    }

    fn wait(&mut self, after: u64) -> EventBatch<RunChange> {
        self.prompts.wait(&self.runs, after, next_client_check())
    }

    fn send_more(&mut self, to: &mut StreamBody<'_>) -> io::Result<bool> {
        let prompts = self.prompts.new_ones(&self.runs);
        for prompt in &prompts {
            write_event(to, None, "prompt", prompt)?;
        }
        Ok(!prompts.is_empty())
    }

    /// The end of the connection is enough: `end` is the event of a run.
    fn send_end(&self, _: &mut StreamBody<'_>) -> io::Result<()> {
        Ok(())
    }
}

fn write_event(
    to: &mut StreamBody<'_>,
    id: Option<u64>,
    name: &str,
    body: &impl Serialize,
) -> io::Result<()> {
    if let Some(id) = id {
        writeln!(to, "id: {id}")?;
    }
    write!(to, "event: {name}\ndata: {}\n\n", serde_json::to_string(body)?)
}
