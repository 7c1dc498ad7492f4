//! `Idempotency-Key`: a request that is sent twice is done once, and answered twice alike.

use crate::ops::Error;
use crate::permits::Permits;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The header that a key stands in.
pub const KEY_HEADER: &str = "idempotency-key";

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// How many are kept.
const KEYS_MAX: usize = 1000;

/// How many bytes of them are kept: a status repeats its command.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The answers to requests with a key.
#[derive(Debug, Default)]
pub struct Answers {
    kept: Mutex<Kept>,
    changed: Condvar,
    /// Tells requests apart: a collision would need a client that breaks its own requests.
    hashers: [RandomState; 2],
}

#[derive(Debug, Default)]
struct Kept {
    by_key: HashMap<String, Answer>,
    /// The keys of those that are done, the oldest first.
    done: VecDeque<String>,
    bytes: usize,
}

#[derive(Debug)]
struct Answer {
    /// Query, media type and body of the request, as two hashes.
    request: [u64; 2],
    /// `None` while it is under way.
    reply: Option<(StatusCode, &'static str, Vec<u8>)>,
    at: Instant,
}

/// What is to be done with a request that has a key.
enum Turn {
    /// It is the first.
    Do,
    /// It was done.
    Repeat(Reply),
    /// It is under way.
    Wait,
}

impl Answers {
    /// Handles a request, unless one with the same key was: then it gets that one's answer. Blocks
    /// while that one is under way, which takes one of `streams`; without those the caller holds a
    /// permit. The body has at most `bytes_max`. Only answers that say that something was done are
    /// kept.
    pub fn once<'c>(
        &self,
        request: &mut Request<'c>,
        bytes_max: usize,
        streams: Option<&Permits>,
        handle: impl Fn(&mut Request<'c>) -> Result<Reply, Problem>,
    ) -> Result<Reply, Problem> {
        let Some(key) = request.header(KEY_HEADER).map(str::to_owned) else {
            return handle(request);
        };
        check(&key)?;
        request.keep_body(bytes_max)?;
        // Each route has keys of its own; those of Astra have two prefixes.
        let key = format!("{} {key}", request.path().trim_start_matches("/api"));
        let query = request.query_text().unwrap_or_default();
        let media_type = request.header("content-type").unwrap_or_default();
        let parts = (query, media_type, request.kept_body());
        let id = [self.hashers[0].hash_one(parts), self.hashers[1].hash_one(parts)];
        let mut permit = None;
        loop {
            match self.turn(&key, id)? {
                Turn::Repeat(reply) => return Ok(reply),
                Turn::Do => break,
                Turn::Wait => {
                    if let Some(streams) = streams.filter(|_| permit.is_none()) {
                        permit = Some(streams.take()?);
                    }
                    self.wait(&key);
                }
            }
        }
        drop(permit);
        let under_way = UnderWay { answers: self, key: &key };
        let reply = handle(request)?;
        if let Some(body) = reply.whole_body().filter(|_| reply.status().is_success()) {
            let media_type = reply.content_type().unwrap_or("application/json");
            self.keep(&key, (reply.status(), media_type, body.to_vec()));
        }
        drop(under_way);
        Ok(reply)
    }

    fn turn(&self, key: &str, request: [u64; 2]) -> Result<Turn, Problem> {
        let mut kept = self.kept();
        kept.forget_old();
        let Some(answer) = kept.by_key.get(key) else {
            let answer = Answer { request, reply: None, at: Instant::now() };
            kept.by_key.insert(key.to_owned(), answer);
            return Ok(Turn::Do);
        };
        if answer.request != request {
            let key = key.rsplit(' ').next().unwrap_or(key).to_owned();
            return Err(Error::KeyReused { key }.into());
        }
        Ok(match &answer.reply {
            Some((status, media_type, body)) => {
                Turn::Repeat(Reply::bytes(*status, media_type, body.clone()))
            }
            None => Turn::Wait,
        })
    }

    /// Waits until the one that is under way with this key is done.
    fn wait(&self, key: &str) {
        let is_under_way =
            |kept: &mut Kept| kept.by_key.get(key).is_some_and(|answer| answer.reply.is_none());
        self.changed.wait_while(&mut self.kept(), is_under_way);
    }

    fn keep(&self, key: &str, reply: (StatusCode, &'static str, Vec<u8>)) {
        let mut kept = self.kept();
        kept.bytes += reply.2.len();
        kept.done.push_back(key.to_owned());
        if let Some(answer) = kept.by_key.get_mut(key) {
            (answer.reply, answer.at) = (Some(reply), Instant::now());
        }
        while kept.done.len() > KEYS_MAX || kept.bytes > BYTES_MAX {
            kept.forget_oldest();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }
}

impl Kept {
    fn forget_old(&mut self) {
        let is_old = |kept: &Self| {
            let oldest = kept.done.front().and_then(|key| kept.by_key.get(key));
            oldest.is_some_and(|answer| answer.at.elapsed() > KEPT_FOR)
        };
        while is_old(self) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let answer = self.done.pop_front().and_then(|key| self.by_key.remove(&key));
        self.bytes -= answer.and_then(|answer| answer.reply).map_or(0, |(.., body)| body.len());
    }
}

/// A request that is under way: when it is over without an answer that is kept, however that came
/// about, the next one with its key is the first again.
struct UnderWay<'a> {
    answers: &'a Answers,
    key: &'a str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut kept = self.answers.kept();
        if kept.by_key.get(self.key).is_some_and(|answer| answer.reply.is_none()) {
            kept.by_key.remove(self.key);
        }
        drop(kept);
        self.answers.changed.notify_all();
    }
}

fn check(key: &str) -> Result<(), Error> {
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible && (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "The header Idempotency-Key is none: give 1 to {KEY_BYTES_MAX} visible ASCII characters."
    )))
}
