//! The loop of one connection: read a head, send the response, repeat.

use crate::access::Access;
use crate::access_control::{Decision, Identity};
use crate::body::Body;
use crate::catch_panic::catch_panic;
use crate::connection_state::ConnectionState;
use crate::head::{Head, too_large};
use crate::head_scan::HeadScan;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::Request;
use crate::response_writer::{ResponseOptions, ResponseWriter, SendOutcome, failure};
use crate::service::Service;
use crate::wire::Wire;
use http::{Method, Version};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// Serves the connection until it ends. Blocks until then.
pub(crate) fn serve(service: &Service, conn: Arc<ConnectionState>) {
    let wire = Wire::new(conn, service.limits.clone());
    match service.router.access_control() {
        // Before the first read: once its request has arrived, the client may be gone.
        Some(control) => control.connected(wire.caller(Some(control))),
        None => wire.caller(None).trust(),
    }
    let mut connection =
        Connection { service, wire, writer: ResponseWriter::default(), head_bytes: Vec::new() };
    loop {
        match connection.exchange() {
            Next::Request => {}
            Next::Close => return,
            Next::Linger => return connection.wire.linger(),
        }
    }
}

struct Connection<'s> {
    service: &'s Service,
    wire: Wire,
    writer: ResponseWriter,
    /// The bytes of the current head; kept to reuse the allocation.
    head_bytes: Vec<u8>,
}

/// The action after a response.
enum Next {
    Request,
    Close,
    /// Read on for a while: the client may still be sending and must get to read the response.
    Linger,
}

/// The result of waiting for a head.
enum Arrival {
    /// A complete head of this many bytes.
    Head(usize),
    /// Nothing that could be answered.
    Nothing,
    /// Bytes that are no valid head.
    Invalid(Problem),
}

impl Connection<'_> {
    /// Waits for one request and answers it.
    fn exchange(&mut self) -> Next {
        let arrival = self.await_head();
        let arrived = Instant::now();
        if matches!(arrival, Arrival::Nothing) || !self.wire.conn.begin_answer() {
            return Next::Close;
        }
        match arrival {
            Arrival::Nothing => Next::Close,
            Arrival::Invalid(problem) => self.refuse(problem, arrived),
            Arrival::Head(length) => {
                let mut head_bytes = std::mem::take(&mut self.head_bytes);
                head_bytes.clear();
                head_bytes.extend_from_slice(&self.wire.buffer.data()[..length]);
                self.wire.buffer.consume(length);
                let next = match Head::parse(&head_bytes) {
                    Ok(head) => self.answer(&head, arrived),
                    Err(problem) => self.refuse(problem, arrived),
                };
                self.head_bytes = head_bytes;
                next
            }
        }
    }

    fn await_head(&mut self) -> Arrival {
        let bytes_max = self.wire.limits.head_bytes_max;
        let mut scan = HeadScan::default();
        let mut deadline = None;
        loop {
            let data = self.wire.buffer.data();
            match scan.advance(data) {
                Err(problem) => return Arrival::Invalid(problem),
                Ok(Some(length)) => return Arrival::Head(length),
                Ok(None) if data.len() >= bytes_max => {
                    return Arrival::Invalid(too_large(&format!("is over {bytes_max} bytes")));
                }
                Ok(None) => {}
            }
            // The idle timeout runs until the first byte of a head, the head's own from then on.
            let within = if data.is_empty() {
                self.wire.limits.idle
            } else {
                let now = Instant::now();
                let end = *deadline.get_or_insert(now + self.wire.limits.head);
                end.saturating_duration_since(now)
            };
            match self.wire.fill(within, bytes_max) {
                Ok(1..) => {}
                result => return self.incomplete_head(&scan, result),
            }
        }
    }

    /// Handles a client that stopped sending before its head was complete.
    fn incomplete_head(&self, scan: &HeadScan, result: io::Result<usize>) -> Arrival {
        if !scan.is_started(self.wire.buffer.data()) {
            return Arrival::Nothing;
        }
        match result {
            Ok(_) => Arrival::Invalid(Problem::bad_request(
                "The request's head ended before its empty line: send all of it.",
            )),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let seconds = self.wire.limits.head.as_secs_f64();
                Arrival::Invalid(Problem::timeout(format!(
                    "The request's head was not complete within {seconds} s: send it faster."
                )))
            }
            Err(_) => Arrival::Nothing,
        }
    }

    /// Answers bytes that are no valid request, and ends the connection.
    fn refuse(&mut self, problem: Problem, arrived: Instant) -> Next {
        let id = self.service.ids.fresh();
        let options =
            ResponseOptions { id: &id, version: Version::HTTP_11, head_only: false, keep: false };
        let outcome = self.writer.send(&mut self.wire, problem.into(), options);
        let (peer, took) = (&self.wire.peer, arrived.elapsed());
        let (method, path, status) = ("-", "-", outcome.status.as_u16());
        let line = Access { peer, method, path, status, took, id: &id, name: None };
        self.service.access_log.write(&line);
        if outcome.whole { Next::Linger } else { Next::Close }
    }

    fn answer(&mut self, head: &Head<'_>, arrived: Instant) -> Next {
        let id = self.service.ids.of(head);
        let mut body = Body::new(head);
        let what = format_args!("request {id}: its handler");
        let mut identity = None;
        let reply = catch_panic(what, || self.handle(head, &id, &mut body, &mut identity));
        let keep = head.keep_alive
            && reply.is_some()
            && body.may_be_skipped(self.wire.limits.skipped_body_bytes_max)
            && !self.service.registry.is_closing();
        let head_only = head.method == Method::HEAD;
        let options = ResponseOptions { id: &id, version: head.version, head_only, keep };
        let reply = reply.unwrap_or_else(|| failure(&id).into());
        let outcome = self.writer.send(&mut self.wire, reply, options);
        let identity = identity.as_deref();
        if let Some(control) = self.service.router.access_control() {
            control.answered(identity, outcome.status);
        }
        let (peer, took) = (&self.wire.peer, arrived.elapsed());
        let (method, path, status) = (head.method.as_str(), head.path, outcome.status.as_u16());
        let name = identity.and_then(Identity::name);
        let line = Access { peer, method, path, status, took, id: &id, name };
        self.service.access_log.write(&line);
        self.next(outcome, &mut body)
    }

    /// Handles a request. Leaves the client's identity in `identity`, once it is established.
    fn handle(
        &mut self,
        head: &Head<'_>,
        id: &str,
        body: &mut Body,
        identity: &mut Option<Arc<dyn Identity>>,
    ) -> Reply {
        let router = &self.service.router;
        let Some(control) = router.access_control() else {
            return self.call_handler(head, id, body, None);
        };
        let access = router.access(&head.method, head.path);
        let caller = self.wire.caller(Some(control));
        let reply = match control.check(head, access, caller) {
            Ok(Decision::Allow(known)) => {
                self.call_handler(head, id, body, Some(&**identity.insert(known)))
            }
            Ok(Decision::Answer(reply)) => reply,
            Err(problem) => problem.into(),
        };
        control.add_headers(head, access, reply)
    }

    fn call_handler(
        &mut self,
        head: &Head<'_>,
        id: &str,
        body: &mut Body,
        identity: Option<&dyn Identity>,
    ) -> Reply {
        let (handler, params) = match self.service.router.find(&head.method, head.path) {
            Ok(found) => found,
            Err(problem) => return problem.into(),
        };
        let wire = &mut self.wire;
        let access_control = self.service.router.access_control();
        let mut request =
            Request { head, id, params, body, wire, kept: None, access_control, identity };
        handler(&mut request).unwrap_or_else(Reply::from)
    }

    fn next(&mut self, outcome: SendOutcome, body: &mut Body) -> Next {
        if !outcome.whole {
            return Next::Close;
        }
        if !outcome.keep {
            let all_read = body.is_done() && self.wire.buffer.data().is_empty();
            return if all_read { Next::Close } else { Next::Linger };
        }
        // The order matters, see `Registry::close`.
        if !self.wire.conn.begin_waiting() || self.service.registry.is_closing() {
            return Next::Close;
        }
        if !body.skip(&mut self.wire) {
            return Next::Linger;
        }
        self.wire.buffer.shrink();
        if !self.wire.peer.is_trusted() && !self.wire.buffer.data().is_empty() {
            // A pipelined request has already arrived. Many such clients would take every
            // processor from those waiting for a response, and from the accept thread.
            thread::sleep(self.wire.limits.unauthenticated_pause);
        }
        Next::Request
    }
}
