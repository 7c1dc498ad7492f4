//! Answers of POST /mcp as a stream: notifications about the progress of a tool call, then the
//! response.

use super::endpoint::success;
use super::era::{Headers, era};
use super::message::{Message, RpcError};
use super::methods;
use super::progress::Progress;
use super::toolbox::Toolbox;
use crate::auth::Principal;
use crate::ops::{Audited, Client, Provenance};
use http1::{Reply, Request, StatusCode, StreamBody};
use serde_json::Value;
use std::io::{self, Write};
use std::sync::Arc;

const EVENT_STREAM: &str = "text/event-stream";

/// The client of a stream, which outlives its request.
struct StreamClient {
    has_left: Arc<dyn Fn() -> bool + Send + Sync>,
    principal: Principal,
    provenance: Provenance,
}

impl Client for StreamClient {
    fn has_left(&self) -> bool {
        (self.has_left)()
    }

    fn has_left_fn(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        Arc::clone(&self.has_left)
    }

    fn principal(&self) -> &Principal {
        &self.principal
    }

    fn provenance(&self) -> Provenance {
        self.provenance.clone()
    }

    fn may_retry(&self) -> bool {
        false
    }
}

/// Returns the answer as a stream, if the message is a valid tool call whose client accepts a
/// stream and asked for the progress. An invalid one has a status to say so, which a stream lacks.
pub fn answer<O: Audited + Send + Sync>(
    toolbox: &Toolbox<O>,
    message: &Value,
    headers: &Result<Headers<'_>, RpcError>,
    request: &Request<'_>,
) -> Option<Reply> {
    let progress = Progress::of(message).filter(|_| accepts_stream(request))?;
    let Ok(Message::Request(call)) = Message::read(message.clone()) else { return None };
    let era = era(headers.as_ref().ok()?, &call).ok()?;
    let name = call.param("name")?.as_str()?;
    toolbox.tools.iter().find(|tool| tool.name == name)?;
    let client = StreamClient {
        has_left: request.has_left_fn(),
        principal: request.principal().clone(),
        provenance: request.provenance(),
    };
    let toolbox = toolbox.serving(toolbox.client_runs.clone());
    Some(Reply::stream(StatusCode::OK, EVENT_STREAM, move |to| {
        // Sends the head, so that the client knows that the call has begun.
        send(to, ": the response follows\n\n")?;
        // If this fails, the client has left, which ends the wait of the call.
        let report = |notification| drop(send_message(to, &notification));
        let answered = progress.during(report, || methods::answer(&toolbox, era, &call, &client));
        let response = match answered {
            Ok(result) => success(&call.id, &result),
            Err(error) => error.answer(&call.id),
        };
        send_message(to, &response)
    }))
}

fn accepts_stream(request: &Request<'_>) -> bool {
    let accepted = request.header("accept").unwrap_or_default().split(',');
    accepted.filter_map(|media| media.split(';').next()).any(|media| media.trim() == EVENT_STREAM)
}

fn send_message(to: &mut StreamBody<'_>, message: &Value) -> io::Result<()> {
    send(to, &format!("event: message\ndata: {message}\n\n"))
}

fn send(to: &mut StreamBody<'_>, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
