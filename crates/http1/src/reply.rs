//! The response that a handler returns.

use crate::problem::Problem;
use crate::stream::StreamBody;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use std::fmt;
use std::io;

/// A function that writes a streamed body.
pub(crate) type Writer = Box<dyn FnOnce(&mut StreamBody<'_>) -> io::Result<()> + Send>;

/// A response: a status, headers, and a body or a function that writes it.
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content: Content,
}

/// The body of a response.
pub(crate) enum Content {
    /// A complete body.
    Bytes(Vec<u8>),
    /// A function that writes it after the head was decided.
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
    /// Creates a JSON response. A line feed at its end keeps a terminal's prompt in place.
    ///
    /// A value that JSON cannot represent (a map whose keys are not strings) becomes a 500.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(mut json) => {
                json.push(b'\n');
                Self::bytes(status, "application/json", json)
            }
            Err(error) => {
                log::error!("cannot serialize a response as JSON: {error}");
                Problem::internal("The response cannot be represented as JSON: please report this.")
                    .into()
            }
        }
    }

    /// Creates a response with a complete body.
    #[must_use]
    pub fn bytes(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self::new(status, Some(content_type), Content::Bytes(body))
    }

    /// Creates a response without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, None, Content::Bytes(Vec::new()))
    }

    /// Creates a response whose body `write` writes, on the connection's thread, after the handler
    /// has returned.
    ///
    /// `write` is not called for HEAD. If it returns an error (its own, or because the client is
    /// gone) after something was sent, the connection is closed in a way that shows the response
    /// to be incomplete; before that, the client gets a 500.
    pub fn stream(
        status: StatusCode,
        content_type: &'static str,
        write: impl FnOnce(&mut StreamBody<'_>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self::new(status, Some(content_type), Content::Stream(Box::new(write)))
    }

    /// Adds a header.
    ///
    /// `Cache-Control` replaces the default `no-store`, and `Content-Security-Policy` the default
    /// that forbids everything. Headers that only the server sets (`Connection`, `Content-Length`,
    /// `Transfer-Encoding`, `Date`, `X-Request-Id`, `X-Content-Type-Options`, `Content-Type`) are
    /// ignored.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the body if it is complete.
    #[must_use]
    pub fn whole_body(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Stream(_) => None,
        }
    }

    /// Returns the media type of the body, if there is one.
    #[must_use]
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    fn new(status: StatusCode, content_type: Option<&'static str>, content: Content) -> Self {
        debug_assert!(!status.is_informational(), "{status} is not a final status");
        Self { status, content_type, headers: Vec::new(), content }
    }
}
