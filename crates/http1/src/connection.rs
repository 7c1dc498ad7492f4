//! The loop of one connection: a head, its answer, and again.

use crate::access::Access;
use crate::access_control::{Decision, Privilege};
use crate::body::Body;
use crate::catch_panic::catch_panic;
use crate::connection_state::ConnectionState;
use crate::head::{Head, too_large};
use crate::head_scan::HeadScan;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::Request;
use crate::response_writer::{Delivered, ResponseOptions, ResponseWriter, failure};
use crate::service::Service;
use crate::wire::Wire;
use http::{Method, Version};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// Serves the connection on `connection_state` until it ends. Blocks for as long.
pub(crate) fn serve(service: &Service, seat: Arc<ConnectionState>) {
    let wire = Wire::new(seat, service.limits.clone());
    match service.router.access_control() {
        // Before the first read: once its request is here, the client may be gone.
        Some(control) => control.connected(wire.caller(Some(control))),
        None => wire.caller(None).trust(),
    }
    let mut connection =
        Connection { service, wire, dispatch: ResponseWriter::default(), text: Vec::new() };
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
    dispatch: ResponseWriter,
    /// The present head's bytes; kept for the memory.
    text: Vec<u8>,
}

/// What comes after an answer.
enum Next {
    Request,
    Close,
    /// The client may still be sending: it is given time to read the answer.
    Linger,
}

/// What has come of waiting for a head.
enum Arrival {
    /// It is whole, and so many bytes long.
    Head(usize),
    /// Nothing that could be answered.
    Nothing,
    /// Something that cannot be served.
    Fault(Problem),
}

impl Connection<'_> {
    /// Waits for one request and answers it.
    fn exchange(&mut self) -> Next {
        let arrival = self.await_head();
        let arrived = Instant::now();
        if matches!(arrival, Arrival::Nothing) || !self.wire.seat.begin_answer() {
            return Next::Close;
        }
        match arrival {
            Arrival::Nothing => Next::Close,
            Arrival::Fault(problem) => self.refuse(problem, arrived),
            Arrival::Head(length) => {
                let mut text = std::mem::take(&mut self.text);
                text.clear();
                text.extend_from_slice(&self.wire.inbox.data()[..length]);
                self.wire.inbox.consume(length);
                let next = match Head::parse(&text) {
                    Ok(head) => self.answer(&head, arrived),
                    Err(problem) => self.refuse(problem, arrived),
                };
                self.text = text;
                next
            }
        }
    }

    fn await_head(&mut self) -> Arrival {
        let bytes_max = self.wire.limits.head_bytes_max;
        let mut scan = HeadScan::default();
        let mut deadline = None;
        loop {
            let data = self.wire.inbox.data();
            match scan.advance(data) {
                Err(problem) => return Arrival::Fault(problem),
                Ok(Some(length)) => return Arrival::Head(length),
                Ok(None) if data.len() >= bytes_max => {
                    return Arrival::Fault(too_large(&format!("is over {bytes_max} bytes")));
                }
                Ok(None) => {}
            }
            // The idle time runs until the first byte of a head, the head's own from then on.
            let within = if data.is_empty() {
                self.wire.limits.idle
            } else {
                let now = Instant::now();
                let end = *deadline.get_or_insert(now + self.wire.limits.head);
                end.saturating_duration_since(now)
            };
            match self.wire.fill(within, bytes_max) {
                Ok(1..) => {}
                result => return self.broken_off(&scan, result),
            }
        }
    }

    /// The client has stopped sending before a whole head was here.
    fn broken_off(&self, scan: &HeadScan, result: io::Result<usize>) -> Arrival {
        if !scan.is_started(self.wire.inbox.data()) {
            return Arrival::Nothing;
        }
        match result {
            Ok(_) => Arrival::Fault(Problem::bad_request(
                "The request's head ended before its empty line: send all of it.",
            )),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let seconds = self.wire.limits.head.as_secs_f64();
                Arrival::Fault(Problem::timeout(format!(
                    "The request's head was not complete within {seconds} s: send it faster."
                )))
            }
            Err(_) => Arrival::Nothing,
        }
    }

    /// Answers what could not be read as a request; the connection cannot go on.
    fn refuse(&mut self, problem: Problem, arrived: Instant) -> Next {
        let id = self.service.ids.fresh();
        let terms =
            ResponseOptions { id: &id, version: Version::HTTP_11, head_only: false, keep: false };
        let delivered = self.dispatch.deliver(&mut self.wire, problem.into(), terms);
        let status = delivered.status.as_u16();
        self.log(status, arrived, "-", "-", &id);
        if delivered.whole { Next::Linger } else { Next::Close }
    }

    fn answer(&mut self, head: &Head<'_>, arrived: Instant) -> Next {
        let id = self.service.ids.of(head);
        let mut body = Body::new(head);
        let what = format_args!("Request {id}: its handler");
        let reply = catch_panic(what, || self.handle(head, &id, &mut body));
        let keep = head.keep_alive
            && reply.is_some()
            && body.may_be_skipped(self.wire.limits.skipped_body_bytes_max)
            && !self.service.registry.is_closing();
        let head_only = head.method == Method::HEAD;
        let terms = ResponseOptions { id: &id, version: head.version, head_only, keep };
        let reply = reply.unwrap_or_else(|| failure(&id).into());
        let delivered = self.dispatch.deliver(&mut self.wire, reply, terms);
        self.log(delivered.status.as_u16(), arrived, head.method.as_str(), head.path, &id);
        self.next(delivered, &mut body)
    }

    fn log(&self, status: u16, arrived: Instant, method: &str, path: &str, id: &str) {
        let (peer, took) = (&self.wire.peer, arrived.elapsed());
        self.service.access_log.write(&Access { peer, method, path, status, took, id });
    }

    fn handle(&mut self, head: &Head<'_>, id: &str, body: &mut Body) -> Reply {
        let router = &self.service.router;
        let Some(control) = router.access_control() else {
            return self.ask_handler(head, id, body, Privilege::Full);
        };
        let access = router.access(&head.method, head.path);
        let caller = self.wire.caller(Some(control));
        let reply = match control.check(head, access, caller) {
            Ok(Decision::Allow(privilege)) => self.ask_handler(head, id, body, privilege),
            Ok(Decision::Answer(reply)) => reply,
            Err(problem) => problem.into(),
        };
        control.add_headers(head, access, reply)
    }

    fn ask_handler(
        &mut self,
        head: &Head<'_>,
        id: &str,
        body: &mut Body,
        privilege: Privilege,
    ) -> Reply {
        let (handler, params) = match self.service.router.find(&head.method, head.path) {
            Ok(found) => found,
            Err(problem) => return problem.into(),
        };
        let wire = &mut self.wire;
        let access_control = self.service.router.access_control();
        let mut request =
            Request { head, id, params, body, wire, kept: None, access_control, privilege };
        handler(&mut request).unwrap_or_else(Reply::from)
    }

    fn next(&mut self, delivered: Delivered, body: &mut Body) -> Next {
        if !delivered.whole {
            return Next::Close;
        }
        if !delivered.keep {
            let all_read = body.is_done() && self.wire.inbox.data().is_empty();
            return if all_read { Next::Close } else { Next::Linger };
        }
        // In this order, see `Registry::close`.
        if !self.wire.seat.begin_waiting() || self.service.registry.is_closing() {
            return Next::Close;
        }
        if !body.skip(&mut self.wire) {
            return Next::Linger;
        }
        self.wire.inbox.shrink();
        if !self.wire.peer.is_trusted() && !self.wire.inbox.data().is_empty() {
            // Its next request is here already. A crowd of such clients would take every processor
            // from those who wait for their answers, and from the thread that accepts.
            thread::sleep(self.wire.limits.stranger_pause);
        }
        Next::Request
    }
}
