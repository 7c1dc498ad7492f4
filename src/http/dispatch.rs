//! Sends one reply.

use http::{StatusCode, Version};

use super::answer::{Clock, Envelope, Extent, Persistence, has_body};
use super::guarded::guarded;
use super::problem::Problem;
use super::reply::{Content, Reply, Writer};
use super::stream::{Ending, StreamBody};
use super::wire::Wire;

/// How much of a body is copied behind its head, to go out with it in one write.
const COPIED_BYTES_MAX: usize = 64 * 1024;

/// What the buffer for answers may keep between two of them.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// What of the request decides about the form of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// The request's id.
    pub(super) id: &'a str,
    /// The client's version.
    pub(super) version: Version,
    /// Whether it was HEAD: the answer then ends with its head.
    pub(super) head_only: bool,
    /// Whether the connection may stay.
    pub(super) keep: bool,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    /// The status that was sent.
    pub(super) status: StatusCode,
    /// Whether the client has all of it.
    pub(super) whole: bool,
    /// Whether the client was told that the connection stays.
    pub(super) keep: bool,
}

/// What one connection sends its answers with: a buffer, and the time.
#[derive(Debug, Default)]
pub(super) struct Dispatch {
    clock: Clock,
    out: Vec<u8>,
}

impl Dispatch {
    /// Sends `reply`. Blocks while the client does not read, within the limits on writes.
    pub(super) fn deliver(&mut self, wire: &mut Wire, reply: Reply, terms: Terms<'_>) -> Delivered {
        let Reply { status, content_type, headers, content } = reply;
        let mut envelope = Envelope {
            status,
            content_type,
            headers: &headers,
            id: terms.id,
            date: self.clock.now(),
            persistence: persistence(terms),
        };
        match content {
            Content::Bytes(body) => {
                let whole = send_bytes(wire, &mut self.out, &envelope, &body, terms.head_only);
                Delivered { status, whole, keep: terms.keep }
            }
            Content::Stream(write) => {
                let extent = extent(terms.version);
                let keep = terms.keep && extent == Extent::Chunked;
                if !keep {
                    envelope.persistence = Persistence::Close;
                }
                if terms.head_only {
                    let whole = send_head(wire, &mut self.out, &envelope, extent);
                    return Delivered { status, whole, keep };
                }
                match send_stream(wire, envelope, extent, write) {
                    Ending::Whole => Delivered { status, whole: true, keep },
                    Ending::Cut => Delivered { status, whole: false, keep: false },
                    Ending::Unsent(error) => {
                        log::error!("Request {}: its stream failed at once: {error}", terms.id);
                        self.deliver(wire, failure(terms.id).into(), Terms { keep: false, ..terms })
                    }
                }
            }
        }
    }
}

/// What the client of a request that failed here is told.
pub(super) fn failure(id: &str) -> Problem {
    Problem::internal(format!(
        "The server failed at this request: look for its id {id} in the server's log, and report \
         what you find."
    ))
}

fn persistence(terms: Terms<'_>) -> Persistence {
    match terms.version {
        _ if !terms.keep => Persistence::Close,
        Version::HTTP_10 => Persistence::KeepAloud,
        _ => Persistence::Keep,
    }
}

fn extent(version: Version) -> Extent {
    if version == Version::HTTP_10 { Extent::UntilClose } else { Extent::Chunked }
}

fn send_head(wire: &mut Wire, out: &mut Vec<u8>, envelope: &Envelope<'_>, extent: Extent) -> bool {
    out.clear();
    envelope.write(extent, out);
    wire.send(out, wire.write_deadline(out.len())).is_ok()
}

fn send_bytes(
    wire: &mut Wire,
    out: &mut Vec<u8>,
    envelope: &Envelope<'_>,
    body: &[u8],
    head_only: bool,
) -> bool {
    out.clear();
    envelope.write(Extent::Length(body.len()), out);
    let sent = if head_only || !has_body(envelope.status) { &[] } else { body };
    let (copied, rest) = sent.split_at(sent.len().min(COPIED_BYTES_MAX));
    out.extend_from_slice(copied);
    let deadline = wire.write_deadline(out.len() + rest.len());
    let result = wire.send(out, deadline).and_then(|()| wire.send(rest, deadline));
    out.clear();
    out.shrink_to(KEPT_BYTES_MAX);
    result.is_ok()
}

fn send_stream(wire: &mut Wire, envelope: Envelope<'_>, extent: Extent, write: Writer) -> Ending {
    let mut body = StreamBody::new(wire, envelope, extent);
    let result = guarded(envelope.id, || write(&mut body));
    body.end(result.unwrap_or_else(|| Err(std::io::Error::other("its writer panicked"))))
}
