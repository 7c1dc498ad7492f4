//! The gate: every request passes here before its handler.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, StatusCode};

use super::super::head::Head;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::credentials::{Credentials, Shown};
use super::failures::Failures;
use super::host::Hosts;
use super::origin::{Origin, Provenance, Source, source};
use super::sessions::{COOKIE, SESSION_LIFETIME, Sessions};

/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_SECONDS: &str = "600";

/// What a page of an allowed origin may send beside what every page may.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, \
                               MCP-Protocol-Version, Mcp-Method, Mcp-Name, X-Request-Id";

/// What a script of a page is asked for: Basic would have the browser ask for a password itself,
/// over a page that has a form for it.
const SCRIPT_CHALLENGE: &str = "Bearer realm=\"llm-shell\"";

/// Whether a route needs credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only who shows credentials, where any are set, gets in.
    Guarded,
    /// Anybody gets in.
    Open,
}

/// What a request to log in shows.
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

/// Who gets in. One a server.
#[derive(Debug)]
pub struct Guard {
    hosts: Hosts,
    origins: Vec<Origin>,
    credentials: Credentials,
    failures: Failures,
    sessions: Sessions,
}

/// What became of a request at the gate.
pub(in super::super) enum Passage {
    /// To its handler.
    In,
    /// Answered here.
    Answered(Reply),
}

impl Guard {
    /// A guard that answers to `hosts` (besides addresses and `localhost`), lets pages of
    /// `origins` ask (besides our own), and asks for `credentials` where any are set.
    #[must_use]
    pub fn new(hosts: &[String], origins: Vec<Origin>, credentials: Credentials) -> Self {
        let (failures, sessions) = (Failures::default(), Sessions::default());
        Self { hosts: Hosts::new(hosts), origins, credentials, failures, sessions }
    }

    /// Begins a browser's session; gives the `Set-Cookie` for it. `is_tls` where the browser came
    /// over TLS, and the cookie must not leave it.
    ///
    /// # Errors
    /// 400 where nothing is set to log in with, 401 for wrong credentials, 429 for too many of
    /// those.
    pub fn log_in(
        &self,
        login: Login<'_>,
        address: Option<IpAddr>,
        is_tls: bool,
    ) -> Result<HeaderValue, Problem> {
        if !self.credentials.are_needed() {
            return Err(Problem::bad_request(
                "This server has no token and no password: just use it, without logging in.",
            ));
        }
        let is_right = match login {
            Login::Token(token) => self.credentials.has_token(token),
            Login::Password(user, password) => self.credentials.has_password(user, password),
        };
        if !is_right {
            return Err(self.wrong(address, SCRIPT_CHALLENGE));
        }
        let failed = |error: &dyn fmt::Display| {
            log::error!("A session could not be begun: {error}");
            Problem::internal("The session could not be begun: see the server's log.")
        };
        let cookie = self.sessions.begin(Instant::now()).map_err(|error| failed(&error))?;
        let seconds = SESSION_LIFETIME.as_secs();
        let secure = if is_tls { "; Secure" } else { "" };
        let header = format!(
            "{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
        );
        HeaderValue::from_str(&header).map_err(|error| failed(&error))
    }

    /// Looks at a request's head; `address` finds out whose it is, where that matters.
    pub(in super::super) fn pass(
        &self,
        head: &Head<'_>,
        access: Access,
        address: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Passage, Problem> {
        let host = header(head, "host").unwrap_or_default();
        // HTTP/1.0 knows no Host, and no browser speaks it.
        if header(head, "host").is_some() && !self.hosts.has(host) {
            return Err(Problem::forbidden(format!(
                "This server does not go by the name {host:?}: ask for an address or localhost, or \
                 add the name to LLM_SHELL_ALLOWED_HOSTS."
            )));
        }
        if self.source(head) == Source::Foreign {
            return Err(Problem::forbidden(
                "A page of another origin asks: add that origin to LLM_SHELL_ALLOWED_ORIGINS if it \
                 may.",
            ));
        }
        if is_preflight(head) {
            return Ok(Passage::Answered(preflight_reply()));
        }
        if access == Access::Guarded && self.credentials.are_needed() {
            self.check_credentials(head, address)?;
        }
        Ok(Passage::In)
    }

    /// Adds to an answer what the page that asked must be told.
    pub(in super::super) fn dress(&self, head: &Head<'_>, reply: Reply) -> Reply {
        if self.origins.is_empty() {
            return reply;
        }
        let reply = reply.with_header(VARY, HeaderValue::from_static("Origin"));
        let origin = header(head, "origin").and_then(|origin| HeaderValue::from_str(origin).ok());
        match origin {
            Some(origin) if self.source(head) == Source::Allowed => {
                reply.with_header(ACCESS_CONTROL_ALLOW_ORIGIN, origin).with_header(
                    ACCESS_CONTROL_EXPOSE_HEADERS,
                    HeaderValue::from_static("X-Request-Id, Retry-After"),
                )
            }
            _ => reply,
        }
    }

    fn source(&self, head: &Head<'_>) -> Source {
        let asked = Provenance {
            host: header(head, "host").unwrap_or_default(),
            origin: header(head, "origin"),
            site: header(head, "sec-fetch-site"),
            mode: header(head, "sec-fetch-mode"),
        };
        source(asked, &self.origins)
    }

    fn check_credentials(
        &self,
        head: &Head<'_>,
        address: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<(), Problem> {
        let cookie = header(head, "cookie");
        if cookie.is_some_and(|cookie| self.sessions.has(cookie, Instant::now())) {
            return Ok(());
        }
        let shown = header(head, "authorization").map(|shown| self.credentials.read(shown));
        let is_script = header(head, "sec-fetch-dest") == Some("empty");
        let challenge = if is_script { SCRIPT_CHALLENGE } else { self.credentials.challenge() };
        match shown.unwrap_or(Shown::Nothing) {
            Shown::Right => Ok(()),
            Shown::Nothing => Err(unauthorized("needs credentials", challenge)),
            Shown::Wrong => Err(self.wrong(address(), challenge)),
        }
    }

    /// What a client with wrong credentials is told, and counted.
    fn wrong(&self, address: Option<IpAddr>, challenge: &'static str) -> Problem {
        match self.failures.count(address, Instant::now()) {
            Ok(()) => unauthorized("does not know these credentials", challenge),
            Err(wait) => {
                let seconds = wait.as_secs() + 1;
                let detail = format!(
                    "There were too many wrong credentials from this address: wait {seconds} s, or \
                     send the right ones."
                );
                Problem::too_many_requests(detail)
                    .with_header(RETRY_AFTER, HeaderValue::from(seconds))
            }
        }
    }
}

fn unauthorized(what: &str, challenge: &'static str) -> Problem {
    Problem::unauthorized(format!(
        "This server {what}: send them in Authorization, as its WWW-Authenticate says."
    ))
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn is_preflight(head: &Head<'_>) -> bool {
    head.method == Method::OPTIONS
        && header(head, "origin").is_some()
        && header(head, "access-control-request-method").is_some()
}

fn preflight_reply() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
        .with_header(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"))
        .with_header(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS))
        .with_header(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS))
}

/// The first value of a header. One that is not UTF-8 is there, and equal to nothing.
fn header<'a>(head: &Head<'a>, name: &str) -> Option<&'a str> {
    let found = head.headers().find(|(sent, _)| sent.eq_ignore_ascii_case(name));
    found.map(|(_, value)| std::str::from_utf8(value).unwrap_or("\u{FFFD}"))
}
