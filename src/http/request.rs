//! A request, as a handler sees it.

use std::sync::Arc;

use http::Method;

use super::body::{Body, too_large};
use super::guard::Privilege;
use super::head::Head;
use super::peer::Caller;
use super::peer_user::PeerUsers;
use super::problem::Problem;
use super::query::Query;
use super::reply::Reply;
use super::router::{Params, Router};
use super::wire::Wire;

/// What stands for a header value that is not UTF-8: it is there, and equal to nothing valid.
const UNREADABLE: &str = "\u{FFFD}";

/// One request. Its head is here and has been checked; its body is read when it is asked for.
#[derive(Debug)]
pub struct Request<'c> {
    pub(super) head: &'c Head<'c>,
    pub(super) id: &'c str,
    pub(super) params: Params,
    pub(super) body: &'c mut Body,
    pub(super) wire: &'c mut Wire,
    /// A body that was read before its handler asks for it.
    pub(super) kept: Option<Vec<u8>>,
    /// What else could be asked for.
    pub(super) router: &'c Router,
    /// Which users connect, where a guard wants to know.
    pub(super) users: Option<&'c PeerUsers>,
    /// What the guard lets it choose.
    pub(super) privilege: Privilege,
    /// Whether another handler asks.
    pub(super) is_inner: bool,
}

/// What one request asks of another route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: String,
    /// The body, as JSON; empty where there is none.
    pub body: Vec<u8>,
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
        self.headers().find(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every header line in order, names in the case they were sent in, values as in
    /// [`Self::header`]. At most 100.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head
            .headers()
            .map(|(name, value)| (name, std::str::from_utf8(value).unwrap_or(UNREADABLE)))
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
        self.wire.caller(self.users)
    }

    /// Refuses what a page of another origin may not do without credentials, though that origin
    /// is allowed: to choose what is run, or how. `what` says it: `start a service with a config`.
    ///
    /// # Errors
    /// 403.
    pub fn require_full_privilege(&self, what: &str) -> Result<(), Problem> {
        match self.privilege {
            Privilege::Full => Ok(()),
            Privilege::Configured => Err(Problem::forbidden(format!(
                "A page of another origin may not {what} without credentials: set LLM_SHELL_TOKEN, \
                 and send it with the request."
            ))),
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

    /// The body, where it is kept.
    #[must_use]
    pub fn kept_body(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// What another route of the same server answers to this client, who has passed the guard.
    /// That route sees the client leave, and none of this request's headers. Blocks as it does.
    pub fn ask(&mut self, asked: &Asked) -> Reply {
        let Asked { method, target, body } = asked;
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\n\r\n"
        );
        let mut answer = || -> Result<Reply, Problem> {
            let head = Head::parse(text.as_bytes())?;
            let (handler, params) = self.router.find(&head.method, head.path)?;
            handler(&mut Request {
                head: &head,
                id: self.id,
                params,
                body: &mut *self.body,
                wire: &mut *self.wire,
                kept: Some(body.clone()),
                router: self.router,
                users: self.users,
                privilege: self.privilege,
                is_inner: true,
            })
        };
        answer().unwrap_or_else(|problem| problem.for_tools().into())
    }

    /// Whether another handler of this server asks, by [`Self::ask`].
    #[must_use]
    pub fn is_inner(&self) -> bool {
        self.is_inner
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
