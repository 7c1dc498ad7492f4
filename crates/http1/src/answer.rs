//! The head of a response, as bytes.

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, DATE,
    TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// The content security policy of a response without its own: no content, no frames.
const POLICY: &[u8] = b"frame-ancestors 'none'; default-src 'none'";

/// A response without its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseHead<'a> {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body's type, if there is a body.
    pub(crate) content_type: Option<&'static str>,
    /// The headers added by the handler.
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// The request's id.
    pub(crate) id: &'a str,
    /// The current time, see [`Clock`].
    pub(crate) date: &'a str,
    /// What happens to the connection afterwards.
    pub(crate) persistence: Persistence,
}

/// The fate of the connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Keep it, the default of HTTP/1.1.
    Keep,
    /// Keep it, and say so in a header for an HTTP/1.0 client.
    KeepAliveHeader,
    /// Close it.
    Close,
}

/// How the end of the body is determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// By its length.
    Length(usize),
    /// By its last chunk.
    Chunked,
    /// By the connection's end.
    UntilClose,
}

impl ResponseHead<'_> {
    /// Appends the whole head, with its empty line, to `out`.
    pub(crate) fn write(&self, framing: BodyFraming, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
        if let Some(content_type) = self.content_type {
            line(out, "Content-Type", content_type.as_bytes());
        }
        self.write_framing(framing, out);
        line(out, "Date", self.date.as_bytes());
        line(out, "X-Request-Id", self.id.as_bytes());
        line(out, "X-Content-Type-Options", b"nosniff");
        self.write_extra(out);
        match self.persistence {
            Persistence::Keep => {}
            Persistence::KeepAliveHeader => line(out, "Connection", b"keep-alive"),
            Persistence::Close => line(out, "Connection", b"close"),
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_framing(&self, framing: BodyFraming, out: &mut Vec<u8>) {
        match framing {
            // RFC 9110: these two never have a body, and so no length either.
            _ if !has_body(self.status) => {}
            // Writing into a vector cannot fail.
            BodyFraming::Length(bytes) => drop(write!(out, "Content-Length: {bytes}\r\n")),
            BodyFraming::Chunked => line(out, "Transfer-Encoding", b"chunked"),
            BodyFraming::UntilClose => {}
        }
    }

    fn write_extra(&self, out: &mut Vec<u8>) {
        let has = |wanted: HeaderName| self.headers.iter().any(|(name, _)| *name == wanted);
        if !has(CACHE_CONTROL) {
            line(out, "Cache-Control", b"no-store");
        }
        if !has(CONTENT_SECURITY_POLICY) {
            line(out, "Content-Security-Policy", POLICY);
        }
        for (name, value) in self.headers {
            if !is_reserved(name) {
                line(out, name.as_str(), value.as_bytes());
            }
        }
    }
}

/// Returns whether a response with this status has a body, even an empty one.
pub(crate) fn has_body(status: StatusCode) -> bool {
    status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Returns whether only the server may set this header.
fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [HeaderName; 6] =
        [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS];
    RESERVED.contains(name) || name == "x-request-id"
}

/// The `Date` header's text, formatted once per second.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// Returns the current time in HTTP's format.
    pub(crate) fn now(&mut self) -> &str {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(
        status: StatusCode,
        headers: &[(HeaderName, HeaderValue)],
        framing: BodyFraming,
    ) -> String {
        let head = ResponseHead {
            status,
            content_type: Some("text/plain"),
            headers,
            id: "abc-1",
            date: "Thu, 01 Jan 1970 00:00:00 GMT",
            persistence: Persistence::Keep,
        };
        let mut out = Vec::new();
        head.write(framing, &mut out);
        String::from_utf8(out).expect("a head is ASCII")
    }

    #[test]
    fn a_plain_head_is_complete() {
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
            Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Request-Id: abc-1\r\n\
            X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\
            Content-Security-Policy: frame-ancestors 'none'; default-src 'none'\r\n\r\n";
        assert_eq!(head(StatusCode::OK, &[], BodyFraming::Length(5)), expected);
    }

    #[test]
    fn a_handler_cannot_break_the_framing() {
        let headers = [
            (CONTENT_LENGTH, HeaderValue::from_static("99")),
            (TRANSFER_ENCODING, HeaderValue::from_static("gzip")),
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (CACHE_CONTROL, HeaderValue::from_static("max-age=60")),
        ];
        let head = head(StatusCode::OK, &headers, BodyFraming::Chunked);
        assert_eq!(head.matches("Transfer-Encoding: chunked\r\n").count(), 1);
        assert!(!head.contains("99") && !head.contains("gzip") && !head.contains("upgrade"));
        assert!(head.contains("cache-control: max-age=60\r\n") && !head.contains("no-store"));
    }

    #[test]
    fn a_page_has_a_policy_of_its_own() {
        let own = (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"));
        let head = head(StatusCode::OK, &[own], BodyFraming::Length(5));
        assert!(head.contains("content-security-policy: default-src 'self'\r\n"), "{head}");
        assert!(!head.contains("default-src 'none'"), "{head}");
    }

    #[test]
    fn a_status_without_a_body_has_no_length() {
        let head = head(StatusCode::NO_CONTENT, &[], BodyFraming::Length(0));
        assert!(!head.contains("Content-Length"), "{head}");
    }

    #[test]
    fn the_clock_shows_the_current_time() {
        let mut clock = Clock::default();
        let now = httpdate::parse_http_date(clock.now()).expect("a date");
        assert!(SystemTime::now().duration_since(now).expect("not ahead").as_secs() < 5);
    }
}
