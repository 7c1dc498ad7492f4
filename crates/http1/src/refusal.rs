//! Refused connections: they get a 503 and a moment to read it.

use crate::answer::{BodyFraming, Clock, Persistence, ResponseHead};
use crate::problem::Problem;
use crate::reply::{Content, Reply};
use crate::socket::Socket;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The maximum number of refused sockets kept; beyond it the oldest is closed early.
const KEPT_MAX: usize = 64;

/// The number of bytes of a refused client that are drained, so that the close is not a reset.
const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// The sockets of refused clients. Owned by the accept loop; nothing here blocks.
#[derive(Debug)]
pub(crate) struct Refusals {
    kept: VecDeque<(Instant, Socket)>,
    keep_for: Duration,
    clock: Clock,
}

impl Refusals {
    /// Creates an empty list that keeps each socket for `keep_for`.
    pub(crate) fn new(keep_for: Duration) -> Self {
        Self { kept: VecDeque::new(), keep_for, clock: Clock::default() }
    }

    /// Writes a 503 without blocking, and keeps the socket for a moment: the request may still be
    /// in flight, and would be met by a reset that hides the response.
    pub(crate) fn refuse(&mut self, socket: Socket, id: &str) {
        let answer = self.answer(id);
        // If the buffer is full or the client is gone, nothing can be done.
        let _ = socket.write_now(&answer);
        socket.shutdown_write();
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((Instant::now() + self.keep_for, socket));
    }

    /// Closes the sockets whose time is over.
    pub(crate) fn expire(&mut self) {
        let now = Instant::now();
        while let Some((_, socket)) = self.kept.pop_front_if(|(end, _)| *end <= now) {
            drain(&socket);
        }
    }

    /// Returns the time until [`Self::expire`] has work; `None` while no socket is kept.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let (end, _) = self.kept.front()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    fn answer(&mut self, id: &str) -> Vec<u8> {
        let problem =
            Problem::unavailable("All connections of this server are busy: try again in a second.");
        let reply = Reply::from(problem.with_header(RETRY_AFTER, HeaderValue::from_static("1")));
        let mut out = Vec::new();
        if let Content::Bytes(body) = reply.content {
            let head = ResponseHead {
                status: StatusCode::SERVICE_UNAVAILABLE,
                content_type: reply.content_type,
                headers: &reply.headers,
                id,
                date: self.clock.now(),
                persistence: Persistence::Close,
            };
            head.write(BodyFraming::Length(body.len()), &mut out);
            out.extend_from_slice(&body);
        }
        out
    }
}

fn drain(socket: &Socket) {
    let mut buffer = [0; 4096];
    for _ in 0..DRAINED_BYTES_MAX / buffer.len() {
        if !matches!(socket.read_now(&mut buffer), Ok(1..)) {
            return;
        }
    }
}
