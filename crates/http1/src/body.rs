//! The body of a request, read on demand.

use crate::framing::{BadChunk, Decoder};
use crate::head::Head;
use crate::problem::Problem;
use crate::wire::Wire;
use std::io;
use std::time::{Duration, Instant};

/// The maximum size of one read.
const READ_BYTES: usize = 32 * 1024;

/// The unread rest of a request's body.
#[derive(Debug)]
pub(crate) struct Body {
    decoder: Decoder,
    /// The client waits for `100 Continue`, which was not sent yet.
    expects_continue: bool,
    /// Reading failed: the rest of this connection's bytes cannot be interpreted.
    broken: bool,
}

impl Body {
    /// Creates the body that `head` announces.
    pub(crate) fn new(head: &Head<'_>) -> Self {
        let decoder = Decoder::new(head.framing);
        let expects_continue = head.expects_continue && !decoder.is_done();
        Self { decoder, expects_continue, broken: false }
    }

    /// Returns whether the body has been read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.decoder.is_done() && !self.broken
    }

    /// Reads the rest, within `limits.body`.
    ///
    /// # Errors
    /// 413 over `bytes_max`, before anything is read if the length is announced; 408 on timeout;
    /// 400 if it is malformed or ends early.
    pub(crate) fn read(&mut self, wire: &mut Wire, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        if self.decoder.announced() > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        let mut body = Vec::new();
        if self.is_done() {
            return Ok(body);
        }
        // The connection may be evicted while it receives. Then the handler must not act on the
        // body, however much has arrived: nobody would get the response.
        let mut result = Err(BodyError::Gone);
        // Checked before `100 Continue` is sent, and again after, since sending may take a while.
        let invited = wire.conn.begin_receiving() && self.send_continue(wire).is_ok();
        if invited && wire.conn.begin_receiving() {
            result = self.collect(wire, bytes_max, &mut body);
        }
        if !wire.conn.begin_answer() {
            result = Err(BodyError::Gone);
        }
        match result {
            Ok(()) => Ok(body),
            Err(error) => {
                self.broken = true;
                Err(error.into_problem(wire.limits.body, bytes_max))
            }
        }
    }

    /// Returns whether the rest is short enough to be skipped, as far as it is announced.
    pub(crate) fn may_be_skipped(&self, bytes_max: usize) -> bool {
        let short = self.decoder.announced() <= bytes_max as u64;
        short && !self.expects_continue && !self.broken
    }

    /// Skips the rest. Returns whether the next request can be read.
    pub(crate) fn skip(&mut self, wire: &mut Wire) -> bool {
        if self.is_done() {
            return true;
        }
        let bytes_max = wire.limits.skipped_body_bytes_max;
        self.collect(wire, bytes_max, &mut Vec::new()).is_ok()
    }

    /// Sends `100 Continue` to a client that waits for it, unless the body is already arriving.
    fn send_continue(&mut self, wire: &mut Wire) -> Result<(), Problem> {
        let waits = std::mem::take(&mut self.expects_continue);
        if !waits || !wire.buffer.data().is_empty() {
            return Ok(());
        }
        let line = b"HTTP/1.1 100 Continue\r\n\r\n";
        wire.send(line, wire.write_deadline(line.len())).map_err(|_| {
            self.broken = true;
            BodyError::Gone.into_problem(Duration::ZERO, 0)
        })
    }

    fn collect(
        &mut self,
        wire: &mut Wire,
        bytes_max: usize,
        body: &mut Vec<u8>,
    ) -> Result<(), BodyError> {
        let deadline = Instant::now() + wire.limits.body;
        loop {
            let used = self.decoder.decode(wire.buffer.data(), body)?;
            wire.buffer.consume(used);
            let announced = self.decoder.announced().saturating_add(body.len() as u64);
            if announced > bytes_max as u64 {
                return Err(BodyError::TooLarge);
            }
            if self.decoder.is_done() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if wire.fill(left, READ_BYTES)? == 0 {
                return Err(BodyError::Gone);
            }
        }
    }
}

/// The reason why a body could not be read.
enum BodyError {
    TooLarge,
    Late,
    Gone,
    Malformed(&'static str),
}

impl From<BadChunk> for BodyError {
    fn from(BadChunk(expected): BadChunk) -> Self {
        Self::Malformed(expected)
    }
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::Late } else { Self::Gone }
    }
}

impl BodyError {
    fn into_problem(self, within: Duration, bytes_max: usize) -> Problem {
        match self {
            Self::TooLarge => too_large(bytes_max),
            Self::Late => Problem::timeout(format!(
                "The request's body was not complete within {} s: send it faster.",
                within.as_secs_f64()
            )),
            Self::Gone => Problem::bad_request(
                "The request's body ended before its announced end: send all of it.",
            ),
            Self::Malformed(expected) => Problem::bad_request(format!(
                "The request's chunked body is malformed (expected {expected}): see RFC 9112, \
                 section 7.1."
            )),
        }
    }
}

pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::payload_too_large(format!(
        "The request's body is larger than the {bytes_max} bytes that this route accepts: send a \
         smaller one."
    ))
}
