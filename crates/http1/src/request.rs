//! A request, as a handler sees it.

use crate::access_control::{AccessControl, Identity};
use crate::body::{Body, too_large};
use crate::head::Head;
use crate::peer::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Params;
use crate::wire::Wire;
use http::Method;
use std::any::Any;
use std::sync::Arc;

/// A request whose head has been received and checked; its body is read on demand.
#[derive(Debug)]
pub struct Request<'c> {
    pub(crate) head: &'c Head<'c>,
    pub(crate) id: &'c str,
    pub(crate) params: Params,
    pub(crate) body: &'c mut Body,
    pub(crate) wire: &'c mut Wire,
    /// A body that was read before the handler requests it.
    pub(crate) kept: Option<Vec<u8>>,
    /// The policy that determines the caller's user.
    pub(crate) access_control: Option<&'c dyn AccessControl>,
    /// What the access policy knows about the client.
    pub(crate) identity: Option<&'c dyn Identity>,
}

impl Request<'_> {
    /// Returns the method: HEAD if a GET route answers a HEAD.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// Returns the path as it was sent, without the query and not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.path
    }

    /// Returns the value of the first header called `name`, in any case, without surrounding
    /// whitespace. A value that is not UTF-8 becomes `"\u{FFFD}"`: present, and equal to nothing
    /// valid.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Returns every header line in order, names in the case they were sent in, values as in
    /// [`Self::header`]. At most 100.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.readable_headers()
    }

    /// Returns what the route's `{name}` matched, percent-decoded, never empty. A name that is not
    /// in the route's pattern gives `""`.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        let found = self.param_if_any(name);
        debug_assert!(found.is_some(), "this route's pattern has no {{{name}}}");
        found.unwrap_or_default()
    }

    /// Returns the decoded value of `{name}`; `None` if the route's pattern does not have it.
    #[must_use]
    pub fn param_if_any(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the request's id, which is in the response and the log: the client's own
    /// `X-Request-Id` if that is 1 to 64 visible ASCII characters, else a new one.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id
    }

    /// Returns the sender; behind a proxy, the proxy.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        self.wire.caller(self.access_control)
    }

    /// Returns what the access policy knows about the client; `None` if there is no policy, or its
    /// identities have another type.
    #[must_use]
    pub fn identity<T: Identity>(&self) -> Option<&T> {
        let identity: &dyn Any = self.identity?;
        identity.downcast_ref()
    }

    /// Parses the query's parameters.
    ///
    /// # Errors
    /// 400 for a repeated parameter, for bytes that are not UTF-8, and for more than 100
    /// parameters.
    pub fn query(&self) -> Result<Query, Problem> {
        Query::parse(self.head.query)
    }

    /// Parses the query's parameters, of which `repeatable` may be sent several times.
    ///
    /// # Errors
    /// Those of [`Self::query`].
    pub fn query_with_repeated(&self, repeatable: &[&str]) -> Result<Query, Problem> {
        Query::parse_with_repeated(self.head.query, repeatable)
    }

    /// Reads the whole body, at most `bytes_max` bytes. Blocks until it has arrived, at most
    /// `Limits::body`. A second call returns an empty body.
    ///
    /// # Errors
    /// 413 over `bytes_max` (before reading, and before `100 Continue`, if the length is
    /// announced), 408 on timeout, 400 if the body is malformed or ends early.
    pub fn body(&mut self, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        match self.kept.take() {
            Some(body) if body.len() > bytes_max => Err(too_large(bytes_max)),
            Some(body) => Ok(body),
            None => self.body.read(self.wire, bytes_max),
        }
    }

    /// Reads the whole body as [`Self::body`] does, and keeps it for the handler's own call.
    ///
    /// # Errors
    /// The errors of [`Self::body`].
    pub fn keep_body(&mut self, bytes_max: usize) -> Result<(), Problem> {
        self.kept = Some(self.body(bytes_max)?);
        Ok(())
    }

    /// Returns whether the body is kept.
    #[must_use]
    pub fn has_kept_body(&self) -> bool {
        self.kept.is_some()
    }

    /// Returns the kept body; empty if there is none.
    #[must_use]
    pub fn kept_body(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Returns the query as it was sent, without the `?`.
    #[must_use]
    pub fn query_text(&self) -> Option<&str> {
        self.head.query
    }

    /// Returns a function that does what [`Self::client_gone`] does, for use by other threads.
    pub fn client_watch(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let conn = Arc::clone(&self.wire.conn);
        move || conn.socket.hung_up(std::time::Duration::ZERO)
    }

    /// Returns whether the client has disconnected or ended its sending side. Does not block.
    ///
    /// A client that only ended its sending side still gets the response.
    #[must_use]
    pub fn client_gone(&self) -> bool {
        self.wire.conn.socket.hung_up(std::time::Duration::ZERO)
    }
}
