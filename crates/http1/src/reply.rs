//! What a handler gives back.

use crate::problem::Problem;
use crate::stream::StreamBody;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use std::fmt;
use std::io;

/// What writes a streamed body.
pub(crate) type Writer = Box<dyn FnOnce(&mut StreamBody<'_>) -> io::Result<()> + Send>;

/// An answer: a status, headers, and a body or what writes it.
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content: Content,
}

/// The body of an answer.
pub(crate) enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// What writes it, once the head is decided.
    Stream(Writer),
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(out, "{} bytes", bytes.len()),
            Self::Stream(_) => out.write_str("a stream"),
        }
    }
}

impl Reply {
    /// `value` as JSON with a line feed at its end, so that a terminal's prompt stays in place.
    ///
    /// A value without a JSON form (a map whose keys are no strings) becomes a 500.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(mut json) => {
                json.push(b'\n');
                Self::bytes(status, "application/json", json)
            }
            Err(error) => {
                log::error!("An answer has no JSON form: {error}");
                Problem::internal("The answer has no JSON form: report this, please.").into()
            }
        }
    }

    /// A body that is complete.
    #[must_use]
    pub fn bytes(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self::new(status, Some(content_type), Content::Bytes(body))
    }

    /// No body at all.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, None, Content::Bytes(Vec::new()))
    }

    /// A body that `write` writes, on the connection's thread, after the handler has returned.
    ///
    /// It is not called for HEAD. When it returns an error (its own, or one of the client's
    /// leaving) after something was sent, the connection is cut in a way that shows the answer
    /// to be incomplete; before that, the client gets a 500.
    pub fn stream(
        status: StatusCode,
        content_type: &'static str,
        write: impl FnOnce(&mut StreamBody<'_>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self::new(status, Some(content_type), Content::Stream(Box::new(write)))
    }

    /// The same answer with one header more.
    ///
    /// `Cache-Control` replaces `no-store`, and `Content-Security-Policy` the one that lets an
    /// answer do nothing. What the server alone decides
    /// (`Connection`, `Content-Length`, `Transfer-Encoding`, `Date`, `X-Request-Id`,
    /// `X-Content-Type-Options`, `Content-Type`) is ignored here.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The body, where it is complete.
    #[must_use]
    pub fn whole_body(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Stream(_) => None,
        }
    }

    /// The media type of the body, where it has one.
    #[must_use]
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    fn new(status: StatusCode, content_type: Option<&'static str>, content: Content) -> Self {
        debug_assert!(!status.is_informational(), "{status} is no answer");
        Self { status, content_type, headers: Vec::new(), content }
    }
}
