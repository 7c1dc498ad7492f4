//! The body of one request, read when it is asked for.

use crate::framing::{BadChunk, Decoder};
use crate::head::Head;
use crate::problem::Problem;
use crate::wire::Wire;
use std::io;
use std::time::{Duration, Instant};

/// How much of a body is read at once, at most.
const READ_BYTES: usize = 32 * 1024;

/// What is left to come of a request's body.
#[derive(Debug)]
pub(crate) struct Body {
    decoder: Decoder,
    /// The client waits for `100 Continue`, and has not got it.
    expects_continue: bool,
    /// It broke off: nothing that comes on this connection can be told apart any more.
    broken: bool,
}

impl Body {
    /// The body that `head` announces.
    pub(crate) fn new(head: &Head<'_>) -> Self {
        let decoder = Decoder::new(head.framing);
        let expects_continue = head.expects_continue && !decoder.is_done();
        Self { decoder, expects_continue, broken: false }
    }

    /// Whether it has been read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.decoder.is_done() && !self.broken
    }

    /// Reads all that is left, within `limits.body`.
    ///
    /// # Errors
    /// 413 over `bytes_max`, before anything is read where the length is announced; 408 where it
    /// takes too long; 400 where it is malformed or ends early.
    pub(crate) fn read(&mut self, wire: &mut Wire, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        if self.decoder.announced() > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        let mut body = Vec::new();
        if self.is_done() {
            return Ok(body);
        }
        // While it is received, the connection may be cut to make room for another. Then the
        // handler must not act on it, however much has come: nobody would get the answer.
        let mut result = Err(Fault::Gone);
        // Before the client is asked on, and again where that took a while.
        let is_asked = wire.seat.begin_receiving() && self.send_continue(wire).is_ok();
        if is_asked && wire.seat.begin_receiving() {
            result = self.collect(wire, bytes_max, &mut body);
        }
        if !wire.seat.begin_answer() {
            result = Err(Fault::Gone);
        }
        match result {
            Ok(()) => Ok(body),
            Err(fault) => {
                self.broken = true;
                Err(fault.into_problem(wire.limits.body, bytes_max))
            }
        }
    }

    /// Whether the rest is worth skipping for another request on this connection, as far as can
    /// be told before it comes.
    pub(crate) fn may_be_skipped(&self, bytes_max: usize) -> bool {
        let short = self.decoder.announced() <= bytes_max as u64;
        short && !self.expects_continue && !self.broken
    }

    /// Skips the rest. Whether the next request can be read.
    pub(crate) fn skip(&mut self, wire: &mut Wire) -> bool {
        if self.is_done() {
            return true;
        }
        let bytes_max = wire.limits.skipped_body_bytes_max;
        self.collect(wire, bytes_max, &mut Vec::new()).is_ok()
    }

    /// Says `100 Continue` to a client that waits for it, unless it was tired of waiting.
    fn send_continue(&mut self, wire: &mut Wire) -> Result<(), Problem> {
        let waits = std::mem::take(&mut self.expects_continue);
        if !waits || !wire.inbox.data().is_empty() {
            return Ok(());
        }
        let line = b"HTTP/1.1 100 Continue\r\n\r\n";
        wire.send(line, wire.write_deadline(line.len())).map_err(|_| {
            self.broken = true;
            Fault::Gone.into_problem(Duration::ZERO, 0)
        })
    }

    fn collect(
        &mut self,
        wire: &mut Wire,
        bytes_max: usize,
        body: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let deadline = Instant::now() + wire.limits.body;
        loop {
            let used = self.decoder.decode(wire.inbox.data(), body)?;
            wire.inbox.consume(used);
            let announced = self.decoder.announced().saturating_add(body.len() as u64);
            if announced > bytes_max as u64 {
                return Err(Fault::TooLarge);
            }
            if self.decoder.is_done() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if wire.fill(left, READ_BYTES)? == 0 {
                return Err(Fault::Gone);
            }
        }
    }
}

/// Why a body could not be read.
enum Fault {
    TooLarge,
    Late,
    Gone,
    Malformed(&'static str),
}

impl From<BadChunk> for Fault {
    fn from(BadChunk(expected): BadChunk) -> Self {
        Self::Malformed(expected)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::Late } else { Self::Gone }
    }
}

impl Fault {
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
                "The request's chunked body is malformed where {expected} was expected: \
                 see RFC 9112, 7.1."
            )),
        }
    }
}

pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::payload_too_large(format!(
        "The request's body is over the {bytes_max} bytes that this route takes: send less."
    ))
}
