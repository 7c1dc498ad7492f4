//! A synchronous HTTP/1.1 server for Linux: sockets, framing, deadlines, routes.
//!
//! One thread per connection, no async runtime. The stages of a request, in order:
//!
//! | file | does |
//! |---|---|
//! | [`Server`], [`Listener`], `accept` | one thread accepts; no client can end it |
//! | `registry`, `connection_state`, `refusal` | admission, eviction, waiting for the rest |
//! | `connection` | the loop of one connection: head, handler, response, repeat |
//! | `wire`, `socket`, `read_buffer` | reads and writes with deadlines, one small buffer |
//! | [`Head`], `head_scan` | parse bytes into a request's head or an error (pure) |
//! | [`AccessControl`], [`Caller`] | the interface of an access policy, and its subject |
//! | `body`, `framing` | the body, read on demand; lengths and chunks (pure) |
//! | [`Router`], [`Request`], [`Query`] | find the handler, and what it receives |
//! | [`Reply`], [`Problem`], [`StreamBody`], `answer` | the result of a handler, and its sending |
//! | [`catch_panic`] | keeps a handler's panic from ending its connection |
//! | [`Limits`] | all limits and timeouts |
//!
//! Threads: `http-accept` (owned by [`Server`], ends with [`Server::stop_accepting`]), `http-N`
//! for connection N (owned by the registry, ends with its connection) and two `http-standby`,
//! which serve connections when no other thread can be spawned. Locks: the registry's list of
//! connections, and the server's handle of `http-accept`; neither is held over a blocking system
//! call, and neither is taken while the other is held.

/// Compiles and runs the README's example.
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

pub use access_control::{Access, AccessControl, Decision, Identity};
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
