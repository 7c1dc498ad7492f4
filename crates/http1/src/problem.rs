//! Error responses: `application/problem+json` (RFC 9457).

use crate::reply::Reply;
use http::header::ALLOW;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

/// An error, as a client reads it.
///
/// `detail` is one sentence that says what was wrong and what to do.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The JSON body, in the order of its fields.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

impl Problem {
    /// Creates a problem with a status that handlers do not need.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), headers: Vec::new() }
    }

    /// 400: the request is malformed or asks for something impossible.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// 401: credentials are missing or wrong. The caller adds `WWW-Authenticate`.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 403: no credentials would help.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: it does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 405: the path exists, but not with this method. `allowed` lists its methods.
    pub fn method_not_allowed(allowed: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        match HeaderValue::from_str(allowed) {
            Ok(value) => problem.with_header(ALLOW, value),
            // Method names are tokens, so this is never reached; the response is valid without it.
            Err(_) => problem,
        }
    }

    /// 408: the client did not send in time what it announced.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
    }

    /// 409: it conflicts with the current state.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 410: it no longer exists.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "gone", detail)
    }

    /// 413: the body is larger than the route accepts.
    pub fn payload_too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
    }

    /// 429: too many requests.
    pub fn too_many_requests(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
    }

    /// 500: the server failed; the client did nothing wrong.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503: currently unavailable. The caller adds `Retry-After` if it knows when.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// 507: the disk is full.
    pub fn insufficient_storage(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage", detail)
    }

    /// Adds a header (`Retry-After`, `WWW-Authenticate`).
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the stable code that programs branch on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Returns what was wrong and what to do, in one sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let body = Body {
            r#type: "about:blank",
            title: problem.status.canonical_reason().unwrap_or("Error"),
            status: problem.status.as_u16(),
            detail: &problem.detail,
            code: problem.code,
        };
        // A struct of strings and a number can always be represented as JSON.
        let mut json = serde_json::to_vec(&body).unwrap_or_default();
        json.push(b'\n');
        let reply = Reply::bytes(problem.status, "application/problem+json", json);
        problem
            .headers
            .into_iter()
            .fold(reply, |reply, (name, value)| reply.with_header(name, value))
    }
}
