//! The protocol over stdin and stdout: each line is a message to a local or remote endpoint.

use super::endpoint;
use super::era::{Headers, STATELESS_VERSION_KEY};
use super::progress::Progress;
use super::remote::in_header;
use super::toolbox::Toolbox;
use crate::auth::Principal;
use crate::catch_panic::catch_panic;
use crate::ops::{self, Audited, Provenance};
use parking_lot::{Condvar, Mutex, MutexGuard};
use serde_json::{Value, json};
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The maximum size of a message, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The maximum number of concurrent tool calls; further ones are refused. A server allows one
/// client 128 connections, and the rest is for requests that are answered at once.
const CALLS_MAX: usize = 100;

/// Tools whose calls are never refused: they end what other calls wait for.
const ENDING_TOOLS: [&str; 2] = ["kill", "send_signal"];

/// How many requests of other kinds are carried at once; further ones are read when one is
/// answered.
const OTHERS_MAX: usize = 20;

/// The interval of checks, after the end of the input, whether stdout is still read.
const READER_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The JSON-RPC codes for invalid requests and internal errors.
const INVALID_REQUEST: i32 = -32600;
pub(super) const INTERNAL: i32 = -32603;

/// An endpoint that answers messages.
pub trait Endpoint: Send + Sync {
    /// Answers a message, which was parsed from this line; returns `None` if no response is
    /// expected. Blocks until then, or until `is_cancelled`.
    fn answer(
        &self,
        message: &Value,
        line: &[u8],
        is_cancelled: &Arc<AtomicBool>,
    ) -> Option<Vec<u8>>;
}

/// Tools in this process.
#[derive(Debug)]
pub struct Local<O: 'static>(pub Toolbox<O>);

/// The client at stdin and stdout, for one message.
struct StdioClient(Arc<AtomicBool>);

impl ops::Client for StdioClient {
    fn has_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn has_left_fn(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        let is_cancelled = Arc::clone(&self.0);
        Arc::new(move || is_cancelled.load(Ordering::Relaxed))
    }

    fn principal(&self) -> &Principal {
        &Principal::PARENT
    }

    fn provenance(&self) -> Provenance {
        let uid = Some(rustix::process::getuid().as_raw());
        Provenance { peer: "stdio".to_owned(), uid, ..Provenance::default() }
    }

    fn may_retry(&self) -> bool {
        false
    }
}

impl<O: Audited + Send + Sync> Endpoint for Local<O> {
    fn answer(&self, _: &Value, line: &[u8], is_cancelled: &Arc<AtomicBool>) -> Option<Vec<u8>> {
        let value = match endpoint::parse(line) {
            Ok(value) => value,
            Err(error) => return Some(error.answer(&Value::Null).to_string().into_bytes()),
        };
        let sent = value.clone();
        let params = &sent["params"];
        let version = params["_meta"][STATELESS_VERSION_KEY].as_str();
        let name = params["name"].as_str().map(in_header);
        let headers = Headers { version, method: sent["method"].as_str(), name: name.as_deref() };
        let client = StdioClient(Arc::clone(is_cancelled));
        let handle = || endpoint::handle(&self.0, value, Ok(headers), &client).1;
        let answer = catch_panic(format_args!("a message on stdin"), handle).unwrap_or_else(|| {
            let why = "The server failed to handle this message: see its log, and report the error \
                       there as a bug.";
            Some(error_response(&sent["id"], INTERNAL, why))
        });
        answer.map(|answer| answer.to_string().into_bytes())
    }
}

/// The state shared by the threads.
struct Shared<E, W> {
    endpoint: E,
    output: Mutex<W>,
    in_flight: Mutex<InFlight>,
    ended: Condvar,
}

/// The messages being answered.
type InFlight = Vec<Pending>;

/// A message being answered.
struct Pending {
    /// The id, as JSON.
    id: String,
    kind: Kind,
    /// Whether the client has cancelled it. It then no longer counts towards a limit.
    is_cancelled: Arc<AtomicBool>,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A tool call, or a batch with one, which may take long.
    Call,
    /// A message that is answered at once, or ends what calls wait for.
    Other,
}

impl Kind {
    fn of(message: &Value) -> Self {
        let ends = |message: &Value| ENDING_TOOLS.iter().any(|it| message["params"]["name"] == *it);
        let is_call = |message: &Value| message["method"] == "tools/call" && !ends(message);
        match message.as_array() {
            Some(batch) if batch.iter().any(is_call) => Self::Call,
            None if is_call(message) => Self::Call,
            _ => Self::Other,
        }
    }
}

impl Pending {
    fn is_awaited(&self) -> bool {
        !self.is_cancelled.load(Ordering::Relaxed)
    }
}

/// Answers the messages of `input` on `output`, until the input has ended and all are answered, or
/// until `reader_gone`. Blocks until then.
///
/// # Errors
/// If the input cannot be read.
pub fn serve_stdio(
    endpoint: impl Endpoint + 'static,
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
    reader_gone: impl Fn() -> bool,
) -> io::Result<()> {
    let (output, in_flight) = (Mutex::new(output), Mutex::default());
    let shared = Arc::new(Shared { endpoint, output, in_flight, ended: Condvar::new() });
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            shared.wait_for_answers(reader_gone);
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES_MAX {
            input.skip_until(b'\n')?;
            let why = "The message is over 16 MiB: send a shorter one.";
            shared
                .write(error_response(&Value::Null, INVALID_REQUEST, why).to_string().into_bytes());
        } else if !line.trim_ascii().is_empty() {
            dispatch(&shared, &line);
        }
    }
}

/// Answers a message on a new thread, because it may take long.
fn dispatch<E, W>(shared: &Arc<Shared<E, W>>, line: &[u8])
where
    E: Endpoint + 'static,
    W: Write + Send + 'static,
{
    let message: Value = serde_json::from_slice(line).unwrap_or_default();
    if message["method"] == "notifications/cancelled" {
        shared.cancel(&message["params"]["requestId"].to_string());
        return;
    }
    let kind = Kind::of(&message);
    if kind == Kind::Call && count(&shared.lock(), kind) >= CALLS_MAX {
        let why =
            format!("{CALLS_MAX} calls are in progress: wait for one of them, or cancel one.");
        shared.write(error_response(&message["id"], INTERNAL, &why).to_string().into_bytes());
        return;
    }
    shared.wait_until(|in_flight| count(in_flight, Kind::Other) < OTHERS_MAX);
    let (id, is_cancelled) = (message["id"].to_string(), Arc::default());
    let pending = Pending { id, kind, is_cancelled: Arc::clone(&is_cancelled) };
    shared.lock().push(pending);
    let (line, worker) = (line.to_owned(), Arc::clone(shared));
    let thread = thread::Builder::new().name("mcp-request".to_owned());
    let work = {
        let (line, message, is_cancelled) =
            (line.clone(), message.clone(), Arc::clone(&is_cancelled));
        move || worker.work(&message, &line, &is_cancelled)
    };
    if thread.spawn(work).is_err() {
        // Without a thread, the other messages wait for this one.
        shared.work(&message, &line, &is_cancelled);
    }
}

impl<E: Endpoint, W: Write + Send> Shared<E, W> {
    fn work(&self, message: &Value, line: &[u8], is_cancelled: &Arc<AtomicBool>) {
        let work = || self.endpoint.answer(message, line, is_cancelled);
        let report = |notification: Value| {
            if !is_cancelled.load(Ordering::Relaxed) {
                self.write(notification.to_string().into_bytes());
            }
        };
        let answer = match Progress::of(message) {
            Some(progress) => progress.during(report, work),
            None => work(),
        };
        self.lock().retain(|pending| !Arc::ptr_eq(&pending.is_cancelled, is_cancelled));
        if let Some(answer) = answer.filter(|_| !is_cancelled.load(Ordering::Relaxed)) {
            self.write(answer);
        }
        self.ended.notify_all();
    }

    /// Writes a message. Errors are ignored: if stdout is closed, the end of stdin follows.
    fn write(&self, mut message: Vec<u8>) {
        message.push(b'\n');
        let mut output = self.output.lock();
        let _gone = output.write_all(&message).and_then(|()| output.flush());
    }

    fn cancel(&self, id: &str) {
        if let Some(pending) = self.lock().iter().find(|pending| pending.id == id) {
            pending.is_cancelled.store(true, Ordering::Relaxed);
        }
        self.ended.notify_all();
    }

    fn wait_until(&self, is_enough: impl Fn(&InFlight) -> bool) {
        let too_many = |in_flight: &mut InFlight| !is_enough(in_flight);
        self.ended.wait_while(&mut self.lock(), too_many);
    }

    /// Waits until all messages are answered, or stdout is closed.
    fn wait_for_answers(&self, reader_gone: impl Fn() -> bool) {
        let mut in_flight = self.lock();
        while in_flight.iter().any(Pending::is_awaited) && !reader_gone() {
            // A closed stdout causes no wakeup.
            self.ended.wait_for(&mut in_flight, READER_POLL_INTERVAL);
        }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock()
    }
}

fn count(in_flight: &InFlight, of: Kind) -> usize {
    in_flight.iter().filter(|pending| pending.kind == of && pending.is_awaited()).count()
}

/// Builds an error response.
pub(super) fn error_response(id: &Value, code: i32, why: &str) -> Value {
    let error = json!({"code": code, "message": why});
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}
