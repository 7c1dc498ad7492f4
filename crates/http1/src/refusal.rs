//! Newcomers that there is no room for: a 503, and a moment to read it.

use crate::answer::{BodyFraming, Clock, Persistence, ResponseHead};
use crate::problem::Problem;
use crate::reply::{Content, Reply};
use crate::socket::Socket;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many refused sockets are kept at once; past that the oldest goes early.
const KEPT_MAX: usize = 64;

/// How much of what a refused client sent is read away, so that its close is no reset.
const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// The sockets of those who were refused. It belongs to the accept loop, and nothing here blocks.
#[derive(Debug)]
pub(crate) struct Refusals {
    kept: VecDeque<(Instant, Socket)>,
    keep_for: Duration,
    clock: Clock,
}

impl Refusals {
    /// None yet; each is to be kept for so long.
    pub(crate) fn new(keep_for: Duration) -> Self {
        Self { kept: VecDeque::new(), keep_for, clock: Clock::default() }
    }

    /// Answers 503 as far as that goes without waiting, and keeps the socket for a moment: its
    /// request may still be on the way, and would be met by a reset that hides the answer.
    pub(crate) fn refuse(&mut self, socket: Socket, id: &str) {
        let answer = self.answer(id);
        // A buffer that is full at once, or a client that is gone already, cannot be helped.
        let _ = socket.write_now(&answer);
        socket.end_sending();
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((Instant::now() + self.keep_for, socket));
    }

    /// Closes those whose moment is over.
    pub(crate) fn expire(&mut self) {
        let now = Instant::now();
        while let Some((_, socket)) = self.kept.pop_front_if(|(end, _)| *end <= now) {
            drain(&socket);
        }
    }

    /// How long until [`Self::expire`] has something to do; `None` while nobody is kept.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let (end, _) = self.kept.front()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    fn answer(&mut self, id: &str) -> Vec<u8> {
        let problem =
            Problem::unavailable("Every connection of this server is busy: try again in a second.");
        let reply = Reply::from(problem.with_header(RETRY_AFTER, HeaderValue::from_static("1")));
        let mut out = Vec::new();
        if let Content::Bytes(body) = reply.content {
            let envelope = ResponseHead {
                status: StatusCode::SERVICE_UNAVAILABLE,
                content_type: reply.content_type,
                headers: &reply.headers,
                id,
                date: self.clock.now(),
                persistence: Persistence::Close,
            };
            envelope.write(BodyFraming::Length(body.len()), &mut out);
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
