//! A request, as a handler sees it.

use crate::access_control::{AccessControl, Privilege};
use crate::body::{Body, too_large};
use crate::head::Head;
use crate::peer::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Params;
use crate::wire::Wire;
use http::Method;
use std::sync::Arc;

/// One request. Its head is here and has been checked; its body is read when it is asked for.
#[derive(Debug)]
pub struct Request<'c> {
    pub(crate) head: &'c Head<'c>,
    pub(crate) id: &'c str,
    pub(crate) params: Params,
    pub(crate) body: &'c mut Body,
    pub(crate) wire: &'c mut Wire,
    /// A body that was read before its handler asks for it.
    pub(crate) kept: Option<Vec<u8>>,
    /// What finds the caller's user.
    pub(crate) access_control: Option<&'c dyn AccessControl>,
    /// How much it may choose.
    pub(crate) privilege: Privilege,
}

impl Request<'_> {
    /// The method. HEAD where a GET route answers it.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path as it was sent, without the query and not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.path
    }

    /// The value of the first header called `name`, in whatever case, without the blanks around
    /// it. One that is not UTF-8 reads as `"\u{FFFD}"`: present, and equal to nothing valid.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Every header line in order, names in the case they were sent in, values as in
    /// [`Self::header`]. At most 100.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.readable_headers()
    }

    /// What the route's `{name}` matched, percent-decoded, never empty. A name that the route's
    /// pattern does not have gives `""`.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| *known == name);
        debug_assert!(found.is_some(), "this route's pattern has no {{{name}}}");
        found.map_or("", |(_, value)| value)
    }

    /// The request's id, which the answer and the log carry: the client's own `X-Request-Id`
    /// where that is 1 to 64 visible ASCII characters, else a new one.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id
    }

    /// Who sends it. Behind a proxy, the proxy.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        self.wire.caller(self.access_control)
    }

    /// Whether the access policy trusts it less than others ([`Privilege::Restricted`]).
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        match self.privilege {
            Privilege::Full => false,
            Privilege::Restricted => true,
        }
    }

    /// The query's parameters.
    ///
    /// # Errors
    /// 400 for one that comes twice, for bytes that are not UTF-8, and for more than 100.
    pub fn query(&self) -> Result<Query, Problem> {
        Query::parse(self.head.query)
    }

    /// Reads the whole body, at most `bytes_max` bytes. Blocks until it is here, at most
    /// `Limits::body`. A second call gives an empty one.
    ///
    /// # Errors
    /// 413 over `bytes_max` (before reading, and before `100 Continue`, where the length is
    /// announced), 408 where it takes too long, 400 where it is malformed or ends early.
    pub fn body(&mut self, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        match self.kept.take() {
            Some(body) if body.len() > bytes_max => Err(too_large(bytes_max)),
            Some(body) => Ok(body),
            None => self.body.read(self.wire, bytes_max),
        }
    }

    /// Reads the whole body as [`Self::body`] does, and keeps it for the handler to ask for.
    ///
    /// # Errors
    /// Those of [`Self::body`].
    pub fn keep_body(&mut self, bytes_max: usize) -> Result<(), Problem> {
        self.kept = Some(self.body(bytes_max)?);
        Ok(())
    }

    /// Whether the body is kept.
    #[must_use]
    pub fn has_kept_body(&self) -> bool {
        self.kept.is_some()
    }

    /// The body, where it is kept.
    #[must_use]
    pub fn kept_body(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// What stands behind the `?`, as it was sent.
    #[must_use]
    pub fn query_text(&self) -> Option<&str> {
        self.head.query
    }

    /// What says whether the client has hung up, as [`Self::client_gone`] does, to whoever works
    /// on the answer.
    pub fn client_watch(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let seat = Arc::clone(&self.wire.seat);
        move || seat.socket.hung_up(std::time::Duration::ZERO)
    }

    /// Whether the client has hung up, or has ended its sending side. Does not block.
    ///
    /// A client that only ended its sending side still gets the answer.
    #[must_use]
    pub fn client_gone(&self) -> bool {
        self.wire.seat.socket.hung_up(std::time::Duration::ZERO)
    }
}
