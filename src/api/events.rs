//! GET /events: changes of services, as Server-Sent Events.

use super::client::{HEARTBEAT, SILENCE_MAX};
use crate::ops::{Services, event_name, next_client_check};
use crate::protocol::EventBody;
use crate::supervisor::{EventBatch, EventLog};
use http::StatusCode;
use http1::{Problem, Reply, Request, StreamBody};
use serde_json::json;
use std::io::{self, Write};
use std::time::Instant;

/// Answers with the events from now on, or with those after the one that `Last-Event-ID` names.
pub fn answer(services: &Services, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let permit = services.streams().take()?;
    let events = std::sync::Arc::clone(services.supervisor().events());
    let resumed = request.header("last-event-id").and_then(|id| id.parse().ok());
    let after = resumed.unwrap_or_else(|| events.last_id());
    Ok(Reply::stream(StatusCode::OK, "text/event-stream", move |to| {
        // Returned when the stream ends, however it ends.
        let _permit = permit;
        send(&events, after, to)
    }))
}

fn send(events: &EventLog, mut after: u64, to: &mut StreamBody<'_>) -> io::Result<()> {
    // Confirms the connection before the first event.
    to.write_all(b": events follow\n\n")?;
    to.flush()?;
    let mut sent_at = Instant::now();
    loop {
        let EventBatch { events: new, has_gap, is_closed } =
            events.wait_after(after, next_client_check());
        if has_gap {
            write!(to, "event: missed\ndata: {}\n\n", json!({"advice": "read the status"}))?;
        }
        for event in &new {
            let body = serde_json::to_string(&EventBody::from(&**event))?;
            let name = event_name(event.change);
            write!(to, "id: {}\nevent: {name}\ndata: {body}\n\n", event.id)?;
            after = event.id;
        }
        if has_gap && new.is_empty() {
            // Continues with the next event.
            after = events.last_id();
        }
        if is_closed {
            return to.write_all(b"event: end\ndata: {}\n\n");
        }
        if new.is_empty() && to.client_gone() {
            return Ok(());
        }
        let is_silent = sent_at.elapsed() >= SILENCE_MAX;
        if is_silent {
            to.write_all(HEARTBEAT)?;
        }
        if !new.is_empty() || has_gap || is_silent {
            to.flush()?;
            sent_at = Instant::now();
        }
    }
}
