//! A synchronous HTTP/1.1 server for Linux: sockets, framing, deadlines, routes.
//!
//! A thread a connection, synchronous from end to end. What happens to a request, in order:
//!
//! | file | does |
//! |---|---|
//! | [`Server`], [`Listener`], `accept` | one thread accepts; no client can end it |
//! | `registry`, `connection_state`, `refusal` | who is connected, who may be cut, who is waited for |
//! | `connection` | the loop of one connection: head, handler, answer, again |
//! | `wire`, `socket`, `read_buffer` | reads and writes that end by a deadline, one small buffer |
//! | [`Head`], `head_scan` | bytes to a request's head, or the reason why not (pure) |
//! | [`AccessControl`], [`Caller`] | the interface of an access policy, and who it decides about |
//! | `body`, `framing` | the body as it is asked for; lengths and chunks (pure) |
//! | [`Router`], [`Request`], [`Query`] | what a handler is found by, and given |
//! | [`Reply`], [`Problem`], [`StreamBody`], `answer` | what it gives back, and how that is sent |
//! | [`catch_panic`] | what keeps the panic of a handler from its connection |
//! | [`Limits`] | every number |
//!
//! Threads: `http-accept` (owned by [`Server`], ends with [`Server::stop_accepting`]), `http-N` for
//! connection N (owned by the registry, ends with its connection) and two `http-standby`, which
//! serve where no other thread can be had. Locks: the registry's list of seats, and the server's
//! handle of `http-accept`; neither is held over a system call that waits, and neither is taken
//! while the other is held.

/// Has the example of the README compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod accept;
mod access;
mod access_control;
mod answer;
mod body;
mod catch_panic;
mod connection;
mod connection_state;
mod framing;
mod head;
mod head_scan;
mod limits;
mod listener;
#[cfg(test)]
mod mutated;
mod peer;
mod problem;
mod query;
mod read_buffer;
mod refusal;
mod registry;
mod reply;
mod request;
mod request_id;
mod response_writer;
mod router;
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
