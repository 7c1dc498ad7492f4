//! The sending of a reply.

use crate::answer::{BodyFraming, Clock, Persistence, ResponseHead, has_body};
use crate::catch_panic::catch_panic;
use crate::problem::Problem;
use crate::reply::{Content, Reply, Writer};
use crate::stream::{StreamBody, StreamEnd};
use crate::wire::Wire;
use http::{StatusCode, Version};
use std::io::ErrorKind;

/// The part of a body that is copied behind its head, to be sent with it in one write.
const COPIED_BYTES_MAX: usize = 64 * 1024;

/// The capacity that the output buffer keeps between responses.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// The properties of a request that determine the form of its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseOptions<'a> {
    /// The request's id.
    pub(crate) id: &'a str,
    /// The client's version.
    pub(crate) version: Version,
    /// Whether the request was HEAD: the response ends with its head.
    pub(crate) head_only: bool,
    /// Whether the connection may be kept alive.
    pub(crate) keep: bool,
}

/// The result of sending a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendOutcome {
    /// The status that was sent.
    pub(crate) status: StatusCode,
    /// Whether the client has all of it.
    pub(crate) whole: bool,
    /// Whether the response announced that the connection is kept alive.
    pub(crate) keep: bool,
}

/// The buffer and clock that a connection uses to send its responses.
#[derive(Debug, Default)]
pub(crate) struct ResponseWriter {
    clock: Clock,
    out: Vec<u8>,
}

impl ResponseWriter {
    /// Sends `reply`. Blocks while the client does not read, within the write limits.
    pub(crate) fn send(
        &mut self,
        wire: &mut Wire,
        reply: Reply,
        options: ResponseOptions<'_>,
    ) -> SendOutcome {
        let Reply { status, content_type, headers, content } = reply;
        let framing = framing(&content, options.version);
        let keep = options.keep && framing != BodyFraming::UntilClose;
        let head = ResponseHead {
            status,
            content_type,
            headers: &headers,
            id: options.id,
            date: self.clock.now(),
            persistence: persistence(keep, options.version),
        };
        let whole = match content {
            _ if options.head_only => send_bytes(wire, &mut self.out, &head, framing, &[]),
            Content::Bytes(body) => send_bytes(wire, &mut self.out, &head, framing, &body),
            Content::Stream(write) => match send_stream(wire, head, framing, write) {
                StreamEnd::Whole => true,
                StreamEnd::Truncated => false,
                // The handler has noticed that the client is gone.
                StreamEnd::Unsent(error) if error.kind() == ErrorKind::ConnectionAborted => false,
                StreamEnd::Unsent(error) => {
                    log::error!(
                        "request {}: its stream failed before the first byte: {error}",
                        options.id
                    );
                    let options = ResponseOptions { keep: false, ..options };
                    return self.send(wire, failure(options.id).into(), options);
                }
            },
        };
        SendOutcome { status, whole, keep }
    }
}

/// Returns the 500 for a request whose handler failed.
pub(crate) fn failure(id: &str) -> Problem {
    Problem::internal(format!(
        "The server failed to handle this request: look up the id {id} in the server's log, and \
         report the error there as a bug."
    ))
}

fn persistence(keep: bool, version: Version) -> Persistence {
    match version {
        _ if !keep => Persistence::Close,
        Version::HTTP_10 => Persistence::KeepAliveHeader,
        _ => Persistence::Keep,
    }
}

fn framing(content: &Content, version: Version) -> BodyFraming {
    match content {
        Content::Bytes(body) => BodyFraming::Length(body.len()),
        Content::Stream(_) if version == Version::HTTP_10 => BodyFraming::UntilClose,
        Content::Stream(_) => BodyFraming::Chunked,
    }
}

fn send_bytes(
    wire: &mut Wire,
    out: &mut Vec<u8>,
    head: &ResponseHead<'_>,
    framing: BodyFraming,
    body: &[u8],
) -> bool {
    out.clear();
    head.write(framing, out);
    let body = if has_body(head.status) { body } else { &[] };
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
    head: ResponseHead<'_>,
    framing: BodyFraming,
    write: Writer,
) -> StreamEnd {
    let mut body = StreamBody::new(wire, head, framing);
    let what = format_args!("request {}: its handler", head.id);
    let result = catch_panic(what, || write(&mut body));
    body.end(result.unwrap_or_else(|| Err(std::io::Error::other("its writer panicked"))))
}
