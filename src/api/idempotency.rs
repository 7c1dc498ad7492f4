//! `Idempotency-Key`: a retried request has its effect once and gets the first answer again.

use crate::ops::{Client, Error};
use crate::permits::Permits;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The header with the key.
pub const KEY_HEADER: &str = "idempotency-key";

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// The most answers kept.
const KEYS_MAX: usize = 1000;

/// The most bytes of answers kept: a status repeats its command.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The answers to requests with a key.
#[derive(Debug, Default)]
pub struct Answers {
    store: Mutex<Store>,
    changed: Condvar,
    /// Hash requests to compare them; only a client that attacks itself could cause a collision.
    hashers: [RandomState; 2],
}

#[derive(Debug, Default)]
struct Store {
    by_key: HashMap<String, Answer>,
    /// Keys of completed requests, oldest first.
    done: VecDeque<String>,
    bytes: usize,
}

#[derive(Debug)]
struct Answer {
    /// Query, media type and body of the request, as two hashes.
    request: [u64; 2],
    /// `None` while the request is in progress.
    reply: Option<(StatusCode, &'static str, Vec<u8>)>,
    at: Instant,
}

/// The state of a key when a request with it arrives.
enum Lookup {
    /// No answer, and no request in progress.
    New,
    /// Answered.
    Answered(Reply),
    /// A request is in progress.
    InProgress,
}

impl Answers {
    /// Handles a request, or returns the kept answer if one with the same key was handled. Blocks
    /// while that one is in progress, which takes a permit of `streams`; if that is `None`, the
    /// caller holds one. The body has at most `bytes_max` bytes. Only successful answers are kept.
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
        // Each token and each route have their own keys; routes of Astra have two prefixes.
        let principal = request.principal().name.as_deref().unwrap_or_default();
        let key = format!("{principal} {} {key}", request.path().trim_start_matches("/api"));
        let query = request.query_text().unwrap_or_default();
        let media_type = request.header("content-type").unwrap_or_default();
        let parts = (query, media_type, request.kept_body());
        let id = [self.hashers[0].hash_one(parts), self.hashers[1].hash_one(parts)];
        let mut permit = None;
        loop {
            match self.claim(&key, id)? {
                Lookup::Answered(reply) => return Ok(reply),
                Lookup::New => break,
                Lookup::InProgress => {
                    if let Some(streams) = streams.filter(|_| permit.is_none()) {
                        permit = Some(streams.take()?);
                    }
                    self.wait(&key);
                }
            }
        }
        drop(permit);
        let guard = InProgressGuard { answers: self, key: &key };
        let reply = handle(request)?;
        if let Some(body) = reply.whole_body().filter(|_| reply.status().is_success()) {
            let media_type = reply.content_type().unwrap_or("application/json");
            self.keep(&key, (reply.status(), media_type, body.to_vec()));
        }
        drop(guard);
        Ok(reply)
    }

    /// Looks up a key, and claims it for this request if it is new.
    fn claim(&self, key: &str, request: [u64; 2]) -> Result<Lookup, Problem> {
        let mut store = self.store();
        store.evict_expired();
        let Some(answer) = store.by_key.get(key) else {
            let answer = Answer { request, reply: None, at: Instant::now() };
            store.by_key.insert(key.to_owned(), answer);
            return Ok(Lookup::New);
        };
        if answer.request != request {
            let key = key.rsplit(' ').next().unwrap_or(key).to_owned();
            return Err(Error::KeyReused { key }.into());
        }
        Ok(match &answer.reply {
            Some((status, media_type, body)) => {
                Lookup::Answered(Reply::bytes(*status, media_type, body.clone()))
            }
            None => Lookup::InProgress,
        })
    }

    /// Waits until no request with this key is in progress.
    fn wait(&self, key: &str) {
        let is_in_progress =
            |store: &mut Store| store.by_key.get(key).is_some_and(|answer| answer.reply.is_none());
        self.changed.wait_while(&mut self.store(), is_in_progress);
    }

    fn keep(&self, key: &str, reply: (StatusCode, &'static str, Vec<u8>)) {
        let mut store = self.store();
        store.bytes += reply.2.len();
        store.done.push_back(key.to_owned());
        if let Some(answer) = store.by_key.get_mut(key) {
            (answer.reply, answer.at) = (Some(reply), Instant::now());
        }
        while store.done.len() > KEYS_MAX || store.bytes > BYTES_MAX {
            store.evict_oldest();
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock()
    }
}

impl Store {
    fn evict_expired(&mut self) {
        let is_expired = |store: &Self| {
            let oldest = store.done.front().and_then(|key| store.by_key.get(key));
            oldest.is_some_and(|answer| answer.at.elapsed() > KEPT_FOR)
        };
        while is_expired(self) {
            self.evict_oldest();
        }
    }

    fn evict_oldest(&mut self) {
        let answer = self.done.pop_front().and_then(|key| self.by_key.remove(&key));
        self.bytes -= answer.and_then(|answer| answer.reply).map_or(0, |(.., body)| body.len());
    }
}

/// Releases the key of a request that ends without an answer to keep, by an error or a panic, so
/// that the next request with it is handled.
struct InProgressGuard<'a> {
    answers: &'a Answers,
    key: &'a str,
}

impl Drop for InProgressGuard<'_> {
    fn drop(&mut self) {
        let mut store = self.answers.store();
        if store.by_key.get(self.key).is_some_and(|answer| answer.reply.is_none()) {
            store.by_key.remove(self.key);
        }
        drop(store);
        self.answers.changed.notify_all();
    }
}

fn check(key: &str) -> Result<(), Error> {
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible && (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "The header Idempotency-Key is invalid: give 1 to {KEY_BYTES_MAX} visible ASCII characters."
    )))
}
