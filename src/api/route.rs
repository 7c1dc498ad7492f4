//! The table of routes. Each route is declared once; the router, the `OpenAPI` document and the
//! tables in `docs/` are generated from it.

use super::body;
use super::idempotency::Answers;
use super::openapi::Operation;
use crate::auth::Guard;
use crate::ops::{Audited, Change, require};
use crate::permits::Permits;
use crate::protocol::Scope;
use http1::{Method, Problem, Reply, Request, Router};
use prometheus_client::registry::Registry;
use std::sync::{Arc, OnceLock};

/// A server of one mode: the command of an LLM Shell, or services.
pub trait Mode: Audited + Send + Sync + Sized + 'static {
    /// Title of its `OpenAPI` document.
    const TITLE: &'static str;
    /// Groups of routes, with their descriptions.
    const TAGS: &'static [(&'static str, &'static str)];
    /// Routes that only this mode has.
    const ROUTES: &'static [&'static [Route<Self>]];
    /// Path of its page among the files of the panel.
    const PAGE: &'static str;
    /// The prefix of its metrics' names.
    const METRICS_PREFIX: &'static str;
    /// A second prefix of routes: (alias, prefix).
    const ALIAS: Option<(&'static str, &'static str)>;

    /// Returns the permits of requests that wait or stream.
    fn streams(&self) -> &Permits;

    /// Registers the metrics that only this mode has.
    fn register_metrics(&self, all: &mut Registry);
}

/// Handles POST /mcp.
pub type McpHandler = Box<dyn Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync>;

/// The state that the handlers of one server share.
pub struct Api<O> {
    /// Operations.
    pub ops: Arc<O>,
    /// Credentials and sessions.
    pub guard: Arc<Guard>,
    /// Answers to requests with an Idempotency-Key.
    pub answers: Answers,
    /// The Model Context Protocol.
    pub mcp: McpHandler,
    /// The `OpenAPI` document, created by the first request for it.
    pub document: OnceLock<Vec<u8>>,
}

/// One route.
pub struct Route<O: 'static> {
    /// Method.
    pub verb: Verb,
    /// Path, with `{names}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// The scope that a client needs.
    pub scope: Scope,
    /// Whether a retry can carry an Idempotency-Key.
    pub retry: Retry,
    /// Description for the document.
    pub describe: fn(Operation<'_>) -> Operation<'_>,
    handler: Handler<O>,
    /// Whether a GET has an effect, so that a link on another site must not lead to it.
    has_effect: bool,
}

/// The method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET, and HEAD with it.
    Get,
    /// POST.
    Post,
    /// DELETE.
    Delete,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Clients with credentials, if any are set.
    Guarded,
    /// Clients without credentials too.
    Open,
    /// Everyone, including other users of the machine and pages of other hosts.
    Public,
}

/// Whether a retry of a request can carry an Idempotency-Key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No.
    WithoutKey,
    /// Yes.
    WithKey,
    /// Yes; the handler looks the key up itself, after taking a permit.
    WithKeyInHandler,
}

enum Handler<O: 'static> {
    Ops(fn(&O, &mut Request<'_>) -> Result<Reply, Problem>),
    Api(fn(&Api<O>, &mut Request<'_>) -> Result<Reply, Problem>),
}

impl<O> Clone for Handler<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Handler<O> {}

impl<O> Route<O> {
    /// Declares a GET route. It needs the scope `read`.
    pub const fn get(
        path: &'static str,
        handler: fn(&O, &mut Request<'_>) -> Result<Reply, Problem>,
        describe: fn(Operation<'_>) -> Operation<'_>,
    ) -> Self {
        Self::new(Verb::Get, Scope::Read, path, Handler::Ops(handler), describe)
    }

    /// Declares a POST route, and the scope it needs.
    pub const fn post(
        scope: Scope,
        path: &'static str,
        handler: fn(&O, &mut Request<'_>) -> Result<Reply, Problem>,
        describe: fn(Operation<'_>) -> Operation<'_>,
    ) -> Self {
        Self::new(Verb::Post, scope, path, Handler::Ops(handler), describe)
    }

    /// Declares a DELETE route, and the scope it needs.
    pub const fn delete(
        scope: Scope,
        path: &'static str,
        handler: fn(&O, &mut Request<'_>) -> Result<Reply, Problem>,
        describe: fn(Operation<'_>) -> Operation<'_>,
    ) -> Self {
        Self::new(Verb::Delete, scope, path, Handler::Ops(handler), describe)
    }

    /// Declares a route whose handler needs more than the operations.
    pub const fn of_api(
        verb: Verb,
        scope: Scope,
        path: &'static str,
        handler: fn(&Api<O>, &mut Request<'_>) -> Result<Reply, Problem>,
        describe: fn(Operation<'_>) -> Operation<'_>,
    ) -> Self {
        Self::new(verb, scope, path, Handler::Api(handler), describe)
    }

    const fn new(
        verb: Verb,
        scope: Scope,
        path: &'static str,
        handler: Handler<O>,
        describe: fn(Operation<'_>) -> Operation<'_>,
    ) -> Self {
        let (access, retry, has_effect) = (Access::Guarded, Retry::WithoutKey, false);
        Self { verb, path, access, scope, retry, describe, handler, has_effect }
    }

    /// Lets clients without credentials use it.
    pub const fn open(mut self) -> Self {
        self.access = Access::Open;
        self
    }

    /// Lets everyone use it.
    pub const fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Declares that a GET of it has an effect.
    pub const fn with_effect(mut self) -> Self {
        self.has_effect = true;
        self
    }

    /// Lets a retry carry an Idempotency-Key.
    pub const fn with_key(mut self) -> Self {
        self.retry = Retry::WithKey;
        self
    }

    /// Lets a retry carry an Idempotency-Key that the handler looks up itself.
    pub const fn with_key_in_handler(mut self) -> Self {
        self.retry = Retry::WithKeyInHandler;
        self
    }
}

impl<O: Mode> Route<O> {
    /// Returns every route of a server of this mode.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let shared = [
            super::metrics::routes(),
            super::login::routes(),
            super::panel::routes(),
            super::mcp::routes(),
            super::openapi::routes(),
            #[cfg(feature = "docs")]
            super::docs::routes(),
        ];
        O::ROUTES.iter().copied().chain(shared).flatten()
    }

    fn add(&'static self, router: Router, api: &Arc<Api<O>>) -> Router {
        let api = Arc::clone(api);
        let method = match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        let handler = move |request: &mut Request<'_>| {
            self.check_scope(&api.ops, request)?;
            match self.retry {
                Retry::WithoutKey | Retry::WithKeyInHandler => self.handler.handle(&api, request),
                Retry::WithKey => {
                    let streams = Some(api.ops.streams());
                    let handle = |request: &mut Request<'_>| self.handler.handle(&api, request);
                    api.answers.once(request, body::BYTES_MAX, streams, handle)
                }
            }
        };
        let router = router.route(method, self.path, handler);
        let router = match self.access {
            Access::Guarded => router,
            Access::Open => router.open(self.path),
            Access::Public => router.public(self.path),
        };
        if self.has_effect { router.acting(self.path) } else { router }
    }

    /// Refuses a client without the route's scope.
    fn check_scope(&self, ops: &O, request: &Request<'_>) -> Result<(), Problem> {
        if self.access != Access::Guarded {
            return Ok(());
        }
        let allowed = require(request, self.scope, "This request");
        if allowed.is_err() {
            ops.audit().record(request, &Change::new("refused"), &allowed);
        }
        Ok(allowed?)
    }
}

impl<O> Handler<O> {
    fn handle(self, api: &Api<O>, request: &mut Request<'_>) -> Result<Reply, Problem> {
        match self {
            Self::Ops(handle) => handle(&api.ops, request),
            Self::Api(handle) => handle(api, request),
        }
    }
}

/// Creates the router of a server, with every route behind the guard. `mcp` handles POST /mcp.
#[must_use]
pub fn router<O: Mode>(ops: Arc<O>, guard: Arc<Guard>, mcp: McpHandler) -> Router {
    let (answers, document) = (Answers::default(), OnceLock::new());
    let api = Arc::new(Api { ops, guard: Arc::clone(&guard), answers, mcp, document });
    let router = Route::<O>::all().fold(Router::new(), |router, route| route.add(router, &api));
    let router = match O::ALIAS {
        Some((prefix, meaning)) => router.alias(prefix, meaning),
        None => router,
    };
    router.guarded_by(guard)
}
