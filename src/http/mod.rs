//! The HTTP/1.1 floor: sockets, framing, deadlines, routes; it knows nothing of processes.
//!
//! A thread a connection, synchronous from end to end. What happens to a request, in order:
//!
//! | file | does |
//! |---|---|
//! | [`Server`], [`Listener`], `accept` | one thread accepts; no client can end it |
//! | `registry`, `seat`, `refusal` | who is connected, who may be cut, who is waited for |
//! | `connection` | the loop of one connection: head, handler, answer, again |
//! | `wire`, `socket`, `inbox` | reads and writes that end by a deadline, one small buffer |
//! | `head`, `head_scan` | bytes to a request's head, or the reason why not (pure) |
//! | `peer` | what is known of the other end |
//! | [`AccessControl`] | who gets in: the interface of whoever decides |
//! | `body`, `framing` | the body as it is asked for; lengths and chunks (pure) |
//! | [`Router`], [`Request`], [`Query`] | what a handler is found by, and given |
//! | [`Reply`], [`Problem`], [`StreamBody`], `answer` | what it gives back, and how that is sent |
//! | [`Limits`] | every number |
//!
//! Threads: `http-accept` (owned by [`Server`], ends with [`Server::close_door`]) and `http-N`
//! for connection N (owned by the registry, ends with its connection). Locks: the registry's
//! list of seats, and the server's handle of `http-accept`; neither is held over a system call
//! that waits, and neither is taken while the other is held.

mod accept;
mod access;
mod access_control;
mod answer;
mod body;
mod catch_panic;
mod connection;
mod dispatch;
mod framing;
mod head;
mod head_scan;
mod inbox;
mod limits;
mod listener;
#[cfg(test)]
mod mutated;
mod peer;
mod problem;
mod query;
mod refusal;
mod registry;
mod reply;
mod request;
mod request_id;
mod router;
mod seat;
mod server;
mod service;
mod socket;
mod standby;
mod stream;
mod wire;

pub use access_control::{Access, AccessControl, Decision, Privilege};
pub use catch_panic::catch_panic;
pub use head::Head;
pub use http::header::{HeaderName, HeaderValue};
pub use http::{Method, StatusCode, header};
pub use limits::Limits;
pub use listener::{Listener, Place};
pub use peer::{Caller, ClientKey};
pub use problem::Problem;
pub use query::Query;
pub use reply::Reply;
pub use request::Request;
pub use router::{Router, SuggestPaths};
pub use server::Server;
pub use stream::StreamBody;
