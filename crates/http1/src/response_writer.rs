//! Sends one reply.

use crate::answer::{BodyFraming, Clock, Persistence, ResponseHead, has_body};
use crate::catch_panic::catch_panic;
use crate::problem::Problem;
use crate::reply::{Content, Reply, Writer};
use crate::stream::{Ending, StreamBody};
use crate::wire::Wire;
use http::{StatusCode, Version};
use std::io::ErrorKind;

/// How much of a body is copied behind its head, to go out with it in one write.
const COPIED_BYTES_MAX: usize = 64 * 1024;

/// What the buffer for answers may keep between two of them.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// What of the request decides about the form of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseOptions<'a> {
    /// The request's id.
    pub(crate) id: &'a str,
    /// The client's version.
    pub(crate) version: Version,
    /// Whether it was HEAD: the answer then ends with its head.
    pub(crate) head_only: bool,
    /// Whether the connection may stay.
    pub(crate) keep: bool,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    /// The status that was sent.
    pub(crate) status: StatusCode,
    /// Whether the client has all of it.
    pub(crate) whole: bool,
    /// Whether the client was told that the connection stays.
    pub(crate) keep: bool,
}

/// What one connection sends its answers with: a buffer, and the time.
#[derive(Debug, Default)]
pub(crate) struct ResponseWriter {
    clock: Clock,
    out: Vec<u8>,
}

impl ResponseWriter {
    /// Sends `reply`. Blocks while the client does not read, within the limits on writes.
    pub(crate) fn deliver(
        &mut self,
        wire: &mut Wire,
        reply: Reply,
        terms: ResponseOptions<'_>,
    ) -> Delivered {
        let Reply { status, content_type, headers, content } = reply;
        let extent = extent(&content, terms.version);
        let keep = terms.keep && extent != BodyFraming::UntilClose;
        let envelope = ResponseHead {
            status,
            content_type,
            headers: &headers,
            id: terms.id,
            date: self.clock.now(),
            persistence: persistence(keep, terms.version),
        };
        let whole = match content {
            _ if terms.head_only => send_bytes(wire, &mut self.out, &envelope, extent, &[]),
            Content::Bytes(body) => send_bytes(wire, &mut self.out, &envelope, extent, &body),
            Content::Stream(write) => match send_stream(wire, envelope, extent, write) {
                Ending::Whole => true,
                Ending::Cut => false,
                // The writer has seen that the client is gone.
                Ending::Unsent(error) if error.kind() == ErrorKind::ConnectionAborted => false,
                Ending::Unsent(error) => {
                    log::error!("Request {}: its stream failed at once: {error}", terms.id);
                    let terms = ResponseOptions { keep: false, ..terms };
                    return self.deliver(wire, failure(terms.id).into(), terms);
                }
            },
        };
        Delivered { status, whole, keep }
    }
}

/// What the client of a request that failed here is told.
pub(crate) fn failure(id: &str) -> Problem {
    Problem::internal(format!(
        "The server failed at this request: look for its id {id} in the server's log, and report \
         what you find."
    ))
}

fn persistence(keep: bool, version: Version) -> Persistence {
    match version {
        _ if !keep => Persistence::Close,
        Version::HTTP_10 => Persistence::KeepAliveHeader,
        _ => Persistence::Keep,
    }
}

fn extent(content: &Content, version: Version) -> BodyFraming {
    match content {
        Content::Bytes(body) => BodyFraming::Length(body.len()),
        Content::Stream(_) if version == Version::HTTP_10 => BodyFraming::UntilClose,
        Content::Stream(_) => BodyFraming::Chunked,
    }
}

fn send_bytes(
    wire: &mut Wire,
    out: &mut Vec<u8>,
    envelope: &ResponseHead<'_>,
    extent: BodyFraming,
    body: &[u8],
) -> bool {
    out.clear();
    envelope.write(extent, out);
    let body = if has_body(envelope.status) { body } else { &[] };
    let (copied, rest) = body.split_at(body.len().min(COPIED_BYTES_MAX));
    out.extend_from_slice(copied);
    let deadline = wire.write_deadline(out.len() + rest.len());
    let result = wire.send(out, deadline).and_then(|()| wire.send(rest, deadline));
    out.clear();
    out.shrink_to(KEPT_BYTES_MAX);
    result.is_ok()
}

fn send_stream(
    wire: &mut Wire,
    envelope: ResponseHead<'_>,
    extent: BodyFraming,
    write: Writer,
) -> Ending {
    let mut body = StreamBody::new(wire, envelope, extent);
    let what = format_args!("Request {}: its handler", envelope.id);
    let result = catch_panic(what, || write(&mut body));
    body.end(result.unwrap_or_else(|| Err(std::io::Error::other("its writer panicked"))))
}
