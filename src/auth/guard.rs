//! The access policy of the server.

use super::credentials::Credentials;
use super::failures::{Attempt, Failures};
use super::host::Hosts;
use super::origin::{Origin, Provenance, Source, source};
use super::peer_user::PeerUsers;
use super::principal::Principal;
use super::request_counts::RequestCounts;
use super::sessions::{Session, Sessions};
use super::tokens::Tokens;
use crate::protocol::Scope;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, StatusCode};
use http1::{Access, AccessControl, Caller, Decision, Head, Identity, Problem, Reply};
use parking_lot::RwLock;
use rustix::process::geteuid;
use std::any::Any;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a browser may cache the response to a preflight, in seconds.
const PREFLIGHT_MAX_AGE: &str = "600";

/// The headers that a page of an allowed origin may send in addition to the CORS-safelisted ones.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, \
                               MCP-Protocol-Version, Mcp-Method, Mcp-Name, X-Request-Id";

/// The headers of an answer that such a page may read in addition to the safelisted ones.
const EXPOSED_HEADERS: &str = "X-Request-Id, Retry-After, X-Raw-From, X-Raw-Next";

/// The challenge for scripts of a page: Basic would make the browser prompt for a password itself,
/// over a page that has a form for it.
const SCRIPT_CHALLENGE: &str = "Bearer realm=\"llm-shell\"";

/// The detail of a 401 for a request without credentials.
const MISSING_CREDENTIALS: &str = "This server requires credentials: send them in Authorization, \
                                   as WWW-Authenticate describes.";

/// The detail of a 401 for a request with wrong credentials.
const WRONG_CREDENTIALS: &str = "These credentials are wrong: send the right ones in \
                                 Authorization, as WWW-Authenticate describes.";

/// Who may connect if no credentials are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRule {
    /// Programs of the server's own user, and of root.
    OwnUser,
    /// Anyone who can reach the server.
    Anyone,
}

/// The credentials of a login request.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// The token.
    Token(&'a str),
    /// A user and a password.
    Password(&'a str, &'a str),
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Login")
    }
}

/// The access policy of a server.
#[derive(Debug)]
pub struct Guard {
    hosts: Hosts,
    origins: Vec<Origin>,
    /// Sessions begin and end under its lock, so that none outlives its token.
    credentials: RwLock<Credentials>,
    peer_rule: PeerRule,
    failures: Failures,
    sessions: Sessions,
    users: PeerUsers,
    counts: RequestCounts,
    anyone: Anyone,
}

/// The clients without credentials.
#[derive(Debug)]
struct Anyone {
    /// Where none are needed.
    trusted: Arc<Principal>,
    /// A page of an allowed origin.
    page: Arc<Principal>,
    /// Where credentials are set, on routes that need none.
    unknown: Arc<Principal>,
}

impl Guard {
    /// Creates a policy that accepts `hosts` (besides addresses and `localhost`), allows pages of
    /// `origins` (besides the server's own), which have `page_scope` without credentials, and
    /// requires `credentials` if any are set. If none are, `peer_rule` determines who may connect.
    /// Makes a connection to itself to find out how
    /// the kernel reports the user of a connection.
    #[must_use]
    pub fn new(
        hosts: &[String],
        origins: Vec<Origin>,
        page_scope: Scope,
        credentials: Credentials,
        peer_rule: PeerRule,
    ) -> Self {
        let page = Principal { is_restricted: true, ..Principal::nameless(page_scope) };
        let anyone = Anyone {
            trusted: Arc::new(Principal::nameless(Scope::Run)),
            page: Arc::new(page),
            unknown: Arc::new(Principal::nameless(Scope::Read)),
        };
        Self {
            hosts: Hosts::new(hosts),
            origins,
            credentials: RwLock::new(credentials),
            peer_rule,
            failures: Failures::default(),
            sessions: Sessions::default(),
            users: PeerUsers::new(),
            counts: RequestCounts::default(),
            anyone,
        }
    }

    /// Replaces the tokens of the tokens file. Ends the sessions of tokens that are gone, or have
    /// another scope now.
    pub fn set_tokens(&self, tokens: Tokens) {
        let mut credentials = self.credentials.write();
        credentials.set_file(tokens);
        self.sessions.retain(|principal| credentials.has(principal));
    }

    /// Returns the numbers of requests.
    #[must_use]
    pub fn counts(&self) -> &RequestCounts {
        &self.counts
    }

    /// Starts a session for a page. It has the scope of the credentials.
    ///
    /// # Errors
    /// 400 if no credentials are set, 401 for wrong credentials, 429 after too many failures.
    pub fn log_in(&self, login: Login<'_>, caller: Caller<'_>) -> Result<Session, Problem> {
        let credentials = self.credentials.read();
        if !credentials.are_set() {
            return Err(Problem::bad_request(
                "This server requires no credentials: use it without logging in.",
            ));
        }
        let principal = self.check_attempt(caller, SCRIPT_CHALLENGE, || match login {
            Login::Token(token) => credentials.find_token(token),
            Login::Password(user, password) => credentials.find_password(user, password),
        })?;
        self.sessions.begin(principal, Instant::now()).map_err(|error| {
            log::error!("cannot start a session: {error}");
            Problem::internal("The session could not be started: see the server's log.")
        })
    }

    /// Ends the session owner token is in an `Authorization` header. Returns whether there was
    /// one.
    #[must_use]
    pub fn log_out(&self, authorization: Option<&str>) -> bool {
        authorization.and_then(bearer).is_some_and(|token| self.sessions.end(token))
    }

    fn source(&self, head: &Head<'_>, access: Access) -> Source {
        let provenance = Provenance {
            host: head.host().unwrap_or_default(),
            origin: head.header("origin"),
            site: head.header("sec-fetch-site"),
            mode: head.header("sec-fetch-mode"),
            // A frame is not a link that the user follows.
            is_read: access.is_read
                && matches!(head.header("sec-fetch-dest"), None | Some("document")),
        };
        source(provenance, &self.origins)
    }

    fn check_credentials(
        &self,
        credentials: &Credentials,
        head: &Head<'_>,
        caller: Caller<'_>,
    ) -> Result<Arc<Principal>, Problem> {
        let is_script = head.header("sec-fetch-dest") == Some("empty");
        let challenge = if is_script { SCRIPT_CHALLENGE } else { credentials.challenge() };
        let Some(sent) = head.header("authorization") else {
            return Err(unauthorized(MISSING_CREDENTIALS, challenge));
        };
        if let Some(principal) =
            bearer(sent).and_then(|token| self.sessions.find(token, Instant::now()))
        {
            caller.trust();
            return Ok(principal);
        }
        self.check_attempt(caller, challenge, || credentials.find(sent))
    }

    /// Finds the client of credentials with `find`. A connection that was authenticated before is
    /// exempt from the limit on failures.
    fn check_attempt(
        &self,
        caller: Caller<'_>,
        challenge: &'static str,
        find: impl FnOnce() -> Option<Arc<Principal>>,
    ) -> Result<Arc<Principal>, Problem> {
        let attempt = if caller.is_trusted() {
            find().map_or(Attempt::Invalid, Attempt::Valid)
        } else {
            self.failures.attempt(caller, find)
        };
        match attempt {
            Attempt::Valid(principal) => {
                caller.trust();
                Ok(principal)
            }
            Attempt::Invalid => {
                log::warn!("authentication failed: wrong credentials from {caller}");
                Err(unauthorized(WRONG_CREDENTIALS, challenge))
            }
            Attempt::Refused(wait) => Err(too_many_failures(wait)),
        }
    }
}

impl AccessControl for Guard {
    fn connected(&self, caller: Caller<'_>) {
        if self.credentials.read().are_set() {
            return;
        }
        let is_own = || caller.user().is_some_and(|uid| uid == 0 || uid == geteuid().as_raw());
        if self.peer_rule == PeerRule::Anyone || is_own() {
            caller.trust();
        }
    }

    fn check(
        &self,
        head: &Head<'_>,
        access: Access,
        caller: Caller<'_>,
    ) -> Result<Decision, Problem> {
        // HTTP/1.0 has no Host header, and no browser uses it.
        if let Some(host) = head.host().filter(|host| !self.hosts.has(host)) {
            return Err(Problem::forbidden(format!(
                "Unknown host {host:?}: use an address or localhost, or add the name to \
                 LLM_SHELL_ALLOWED_HOSTS."
            )));
        }
        let source = self.source(head, access);
        if source == Source::Foreign {
            return Err(Problem::forbidden(
                "The request comes from a page of another origin: add that origin to \
                 LLM_SHELL_ALLOWED_ORIGINS to allow it.",
            ));
        }
        let credentials = self.credentials.read();
        if !credentials.are_set() && !caller.is_trusted() && !access.is_public {
            return Err(other_user(caller));
        }
        if is_preflight(head) {
            return Ok(Decision::Answer(preflight_reply()));
        }
        if access.needs_credentials && credentials.are_set() {
            return Ok(Decision::Allow(self.check_credentials(&credentials, head, caller)?));
        }
        let anyone = match source {
            _ if credentials.are_set() => &self.anyone.unknown,
            // Such a page has no credentials: it may not choose what is run, or how.
            Source::Allowed => &self.anyone.page,
            Source::Own | Source::Foreign => &self.anyone.trusted,
        };
        Ok(Decision::Allow(Arc::<Principal>::clone(anyone)))
    }

    fn answered(&self, identity: Option<&dyn Identity>, status: StatusCode) {
        let principal = identity.and_then(|it| (it as &dyn Any).downcast_ref::<Principal>());
        let known = principal.filter(|it| !std::ptr::eq(*it, &raw const *self.anyone.unknown));
        self.counts.add(known.map(|principal| principal.scope), status);
    }

    fn add_headers(&self, head: &Head<'_>, access: Access, reply: Reply) -> Reply {
        if self.origins.is_empty() {
            return reply;
        }
        let reply = reply.with_header(VARY, HeaderValue::from_static("Origin"));
        let origin = head.header("origin").and_then(|origin| HeaderValue::from_str(origin).ok());
        match origin {
            Some(origin) if self.source(head, access) == Source::Allowed => {
                reply.with_header(ACCESS_CONTROL_ALLOW_ORIGIN, origin).with_header(
                    ACCESS_CONTROL_EXPOSE_HEADERS,
                    HeaderValue::from_static(EXPOSED_HEADERS),
                )
            }
            _ => reply,
        }
    }

    fn find_user(&self, socket: BorrowedFd<'_>) -> Option<u32> {
        self.users.of(socket)
    }
}

/// Returns the 403 for a connection that belongs to another user.
fn other_user(caller: Caller<'_>) -> Problem {
    let owner = match caller.user() {
        Some(uid) => format!("user {uid}"),
        None => "a user that could not be determined".to_owned(),
    };
    Problem::forbidden(format!(
        "Without credentials this server serves only its own user and root, and this connection \
         belongs to {owner}: set LLM_SHELL_TOKEN, and send it with the request."
    ))
}

fn too_many_failures(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::too_many_requests(format!(
        "Too many wrong credentials came from this address: wait {seconds} s. Until then none are \
         checked."
    ))
    .with_header(RETRY_AFTER, HeaderValue::from(seconds))
}

/// Returns the token of `Authorization: Bearer`.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

fn unauthorized(detail: &'static str, challenge: &'static str) -> Problem {
    Problem::unauthorized(detail).with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn is_preflight(head: &Head<'_>) -> bool {
    head.method() == Method::OPTIONS
        && head.header("origin").is_some()
        && head.header("access-control-request-method").is_some()
}

fn preflight_reply() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
        .with_header(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, POST, DELETE"),
        )
        .with_header(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS))
        .with_header(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE))
}
