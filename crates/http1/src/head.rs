//! The parsed and checked head of a request.

use crate::framing::Framing;
use crate::limits::HEADERS_MAX;
use crate::problem::Problem;
use http::{Method, Version};
use httparse::{EMPTY_HEADER, Header, Status};

/// The replacement for a header value that is not UTF-8: present, and equal to nothing valid.
const UNREADABLE: &str = "\u{FFFD}";

/// The checked head of a request. It borrows the bytes it was parsed from.
#[derive(Debug)]
pub struct Head<'b> {
    /// The method.
    pub(crate) method: Method,
    /// The host and port that the client means: those of an absolute target if it sent one, else
    /// those of its `Host` (RFC 9112, 3.2.2). `None` for a client of HTTP/1.0 that sent neither.
    pub(crate) host: Option<&'b str>,
    /// The path as it was sent, without the query: `/runs/a%20b`, or `*`.
    pub(crate) path: &'b str,
    /// The query, without the `?`.
    pub(crate) query: Option<&'b str>,
    /// HTTP/1.0 or HTTP/1.1, nothing else.
    pub(crate) version: Version,
    /// How the end of the body is determined.
    pub(crate) framing: Framing,
    /// Whether the client wants to send another request on this connection.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    headers: Vec<Header<'b>>,
}

impl<'b> Head<'b> {
    /// Parses a head that is known to be complete (see [`crate::head_scan`]).
    ///
    /// # Errors
    /// 400 for whatever RFC 9112 forbids or two programs could read differently, 431 for more than
    /// 100 header lines, 505 for a version other than 1.0 and 1.1.
    pub(crate) fn parse(bytes: &'b [u8]) -> Result<Self, Problem> {
        let mut storage = [EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut storage);
        match parsed.parse(bytes) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err(malformed("it ends too early")),
            Err(error) => return Err(parse_error(error, bytes)),
        }
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(malformed("no request line"));
        };
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| malformed("invalid method"))?;
        let Target { authority, path, query } = split_target(&method, target)?;
        let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
        let headers = parsed.headers.to_vec();
        let host = host_of(version, &headers)?;
        reject_repeated(&headers)?;
        Ok(Self {
            host: authority.or(host),
            framing: Framing::of(version, &headers)?,
            keep_alive: keeps_alive(version, &headers),
            expects_continue: version == Version::HTTP_11 && expects_continue(&headers),
            method,
            path,
            query,
            version,
            headers,
        })
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the host and port that the client means: those of an absolute target, else those of
    /// `Host`. `None` for a client of HTTP/1.0 that sent neither.
    #[must_use]
    pub fn host(&self) -> Option<&'b str> {
        self.host
    }

    /// Returns the value of the first header called `name`, in any case, without surrounding
    /// whitespace. A value that is not UTF-8 becomes `"\u{FFFD}"`: present, and equal to nothing
    /// valid.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b str> {
        self.readable_headers().find(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Returns every header line in order, values as in [`Self::header`].
    pub(crate) fn readable_headers(&self) -> impl Iterator<Item = (&'b str, &'b str)> {
        self.headers().map(|(name, value)| (name, str::from_utf8(value).unwrap_or(UNREADABLE)))
    }

    /// Returns every header line in order: its name as it was sent, and its value's bytes.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }
}

/// Returns the values of the headers called `name`, in order.
pub(crate) fn values<'h, 'b>(
    headers: &'h [Header<'b>],
    name: &'static str,
) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|h| h.value)
}

fn malformed(what: &str) -> Problem {
    Problem::bad_request(format!("The request's head is malformed: {what}. See RFC 9112."))
}

fn parse_error(error: httparse::Error, bytes: &[u8]) -> Problem {
    match error {
        httparse::Error::TooManyHeaders => too_large("has more than 100 header lines"),
        httparse::Error::Version if names_other_version(bytes) => Problem::new(
            http::StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "bad_request",
            "This server supports HTTP/1.1 and HTTP/1.0: use one of them.",
        ),
        other => malformed(&other.to_string()),
    }
}

/// Returns a 431; `what` completes "The request's head …".
pub(crate) fn too_large(what: &str) -> Problem {
    Problem::new(
        http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "payload_too_large",
        format!("The request's head {what}: send fewer or shorter headers."),
    )
}

/// Returns whether the request line ends with a well-formed but unsupported version: `HTTP/2.0`.
fn names_other_version(bytes: &[u8]) -> bool {
    let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let Some(line) = lines.into_iter().find(|line| !line.is_empty()) else {
        return false;
    };
    let last = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let Some(number) = last.strip_prefix(b"HTTP/") else {
        return false;
    };
    match *number {
        [b'1', b'.', b'0' | b'1'] => false,
        [major] => major.is_ascii_digit(),
        [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// The parts of a request target.
struct Target<'b> {
    /// Host and port, if the target has them.
    authority: Option<&'b str>,
    path: &'b str,
    query: Option<&'b str>,
}

/// Splits a target in origin form (`/a?b`), absolute form (`http://host/a?b`) or, for OPTIONS,
/// `*`.
fn split_target<'b>(method: &Method, target: &'b str) -> Result<Target<'b>, Problem> {
    if target.contains('#') {
        return Err(malformed("the target has a fragment (#)"));
    }
    let (authority, rest) = match target.as_bytes() {
        [b'/', ..] => (None, target),
        b"*" if method == Method::OPTIONS => (None, target),
        _ => split_authority(target)
            .map(|(authority, rest)| (Some(authority), rest))
            .ok_or_else(|| malformed("the target is neither a path nor an http URL"))?,
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    Ok(Target { authority, path: if path.is_empty() { "/" } else { path }, query })
}

/// Returns `host` and `/a?b` of `http://host/a?b`; `None` for anything else.
fn split_authority(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let is_host = !authority.is_empty() && authority.bytes().all(may_be_in_host);
    is_host.then_some((authority, rest))
}

/// Returns the value of `Host`.
fn host_of<'b>(version: Version, headers: &[Header<'b>]) -> Result<Option<&'b str>, Problem> {
    let mut hosts = values(headers, "host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => Err(malformed("no Host header")),
        (_, Some(_)) => Err(malformed("more than one Host header")),
        (Some(host), None) if !host.iter().all(|&byte| may_be_in_host(byte)) => {
            Err(malformed("invalid character in Host"))
        }
        (host, None) => Ok(host.and_then(|host| std::str::from_utf8(host).ok())),
    }
}

/// Refuses a repeated header that identifies the client: a proxy may have read the other one.
fn reject_repeated(headers: &[Header<'_>]) -> Result<(), Problem> {
    for name in ["authorization", "origin", "sec-fetch-site", "sec-fetch-mode"] {
        if values(headers, name).nth(1).is_some() {
            return Err(malformed(&format!("more than one {name} header")));
        }
    }
    Ok(())
}

/// RFC 3986: `uri-host [ ":" port ]`.
fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(&byte)
}

fn keeps_alive(version: Version, headers: &[Header<'_>]) -> bool {
    let has_option = |option: &str| {
        let mut options =
            values(headers, "connection").flat_map(|value| value.split(|&byte| byte == b','));
        options.any(|sent| sent.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    !has_option("close") && (version == Version::HTTP_11 || has_option("keep-alive"))
}

fn expects_continue(headers: &[Header<'_>]) -> bool {
    values(headers, "expect").any(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status that `head` is refused with; 0 if it is accepted.
    fn refused(head: &[u8]) -> u16 {
        Head::parse(head).err().map_or(0, |problem| problem.status().as_u16())
    }

    /// Returns a valid request with one line in place of its headers.
    fn with(line: &str) -> Vec<u8> {
        format!("POST /a HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n").into_bytes()
    }

    #[test]
    fn a_valid_head_is_parsed() {
        let head =
            b"GET /runs/a%20b?x=1?y HTTP/1.1\r\nHost: [::1]:80\r\nX-A:\t b c \r\nX-B:\r\n\r\n";
        let head = Head::parse(head).expect("a good head");
        assert_eq!((head.path, head.query), ("/runs/a%20b", Some("x=1?y")));
        assert_eq!((head.method, head.version), (Method::GET, Version::HTTP_11));
        assert_eq!(head.framing, Framing::Length(0));
        assert!(head.keep_alive && !head.expects_continue);
        let expected = [("Host", &b"[::1]:80"[..]), ("X-A", b"b c"), ("X-B", b"")];
        assert_eq!(head.headers.iter().map(|h| (h.name, h.value)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn targets_are_paths_or_urls() {
        let cases = [
            ("GET", "/", Some(("/", None))),
            ("GET", "/a?", Some(("/a", Some("")))),
            ("GET", "//a/../b;c", Some(("//a/../b;c", None))),
            ("GET", "/ж", Some(("/ж", None))),
            ("GET", "http://other:80/a?b", Some(("/a", Some("b")))),
            ("GET", "HTTPS://other", Some(("/", None))),
            ("GET", "http://other?b", Some(("/", Some("b")))),
            ("OPTIONS", "*", Some(("*", None))),
            ("GET", "*", None),
            ("GET", "http:///a", None),
            ("GET", "http://user@other/a", None),
            ("GET", "ftp://other/a", None),
            ("GET", "a/b", None),
            ("GET", "/a#b", None),
            ("CONNECT", "other:443", None),
        ];
        for (method, target, expected) in cases {
            let bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = Head::parse(bytes.as_bytes());
            let found = head.ok().map(|head| (head.path.to_owned(), head.query.map(str::to_owned)));
            let expected =
                expected.map(|(p, q): (&str, Option<&str>)| (p.to_owned(), q.map(str::to_owned)));
            assert_eq!(found, expected, "{method} {target}");
        }
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        for (target, host) in [("http://Other:80/a", "Other:80"), ("/a", "a")] {
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = Head::parse(bytes.as_bytes()).expect("a good head");
            assert_eq!(head.host, Some(host), "{target}");
        }
    }

    #[test]
    fn invalid_request_lines_are_refused() {
        let cases: &[(&[u8], u16)] = &[
            (b"GET  / HTTP/1.1", 400),
            (b"GET /  HTTP/1.1", 400),
            (b"GET / HTTP/1.1 ", 400),
            (b" GET / HTTP/1.1", 400),
            (b"GET /a b HTTP/1.1", 400),
            (b"GET\t/ HTTP/1.1", 400),
            (b"GET /\x7f HTTP/1.1", 400),
            (b"GET /\xff HTTP/1.1", 400),
            (b"G(T / HTTP/1.1", 400),
            (b"GET /", 400),
            (b"GET", 400),
            (b"GET / http/1.1", 400),
            (b"GET / HTTP/1.10", 400),
            (b"GET / HTTP/x.1", 400),
            (b"GET / HTTPS/1.1", 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
            (b"PRI * HTTP/2.0", 505),
            (b"GET / HTTP/2", 505),
            (b"GET / HTTP/0.9", 505),
            (b"GET / HTTP/1.2", 505),
            (b"GET / HTTP/3.0", 505),
            (b"WEIRD-but+token / HTTP/1.1", 0),
        ];
        for (line, status) in cases {
            let head = [line, &b"\r\nHost: a\r\n\r\n"[..]].concat();
            assert_eq!(refused(&head), *status, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn ambiguous_headers_are_refused() {
        let cases = [
            ("X-A: b", 0),
            ("X-A:b", 0),
            ("X-A : b", 400),
            ("X-A\t: b", 400),
            (" X-A: b", 400),
            ("X-A: b\r\n folded", 400),
            ("X-A: b\r\n\tfolded", 400),
            ("X-A", 400),
            (": b", 400),
            ("X A: b", 400),
            ("X-A\u{e4}: b", 400),
            ("X-A: \u{1}", 400),
            ("X-A: \u{7f}", 400),
        ];
        for (line, status) in cases {
            assert_eq!(refused(&with(line)), status, "{line:?}");
        }
    }

    #[test]
    fn exactly_one_valid_host_is_required() {
        let cases = [
            ("HTTP/1.1", "", 400),
            ("HTTP/1.0", "", 0),
            ("HTTP/1.1", "Host:\r\n", 0),
            ("HTTP/1.1", "hOST: a.b:80\r\n", 0),
            ("HTTP/1.1", "Host: a\r\nHost: a\r\n", 400),
            ("HTTP/1.0", "Host: a\r\nHost: b\r\n", 400),
            ("HTTP/1.1", "Host: a, b\r\n", 400),
            ("HTTP/1.1", "Host: a/b\r\n", 400),
            ("HTTP/1.1", "Host: a@b\r\n", 400),
            ("HTTP/1.1", "Host: \u{e4}\r\n", 400),
        ];
        for (version, hosts, status) in cases {
            let head = format!("GET / {version}\r\n{hosts}\r\n");
            assert_eq!(refused(head.as_bytes()), status, "{head:?}");
        }
    }

    #[test]
    fn headers_that_identify_the_client_are_unique() {
        assert_eq!(refused(&with("Origin: http://a\r\nORIGIN: http://b")), 400);
        assert_eq!(refused(&with("Authorization: Bearer a\r\nAuthorization: Bearer a")), 400);
        assert_eq!(refused(&with("Accept: a\r\nAccept: b")), 0);
    }

    #[test]
    fn at_most_a_hundred_header_lines_are_accepted() {
        let lines = |count: usize| vec!["X-A: b"; count].join("\r\n");
        assert_eq!(refused(&with(&lines(99))), 0);
        assert_eq!(refused(&with(&lines(100))), 431);
    }

    #[test]
    fn keep_alive_depends_on_version_and_options() {
        let cases = [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: x , Close\r\n", false),
            ("HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false),
            ("HTTP/1.1", "Connection: keep-alive, close\r\n", false),
            ("HTTP/1.1", "Connection: closed\r\n", true),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ];
        for (version, options, stays) in cases {
            let head = format!("GET / {version}\r\nHost: a\r\n{options}\r\n");
            let head = Head::parse(head.as_bytes()).expect("a good head");
            assert_eq!(head.keep_alive, stays, "{version} {options:?}");
        }
    }

    #[test]
    fn only_http_1_1_clients_may_expect_continue() {
        for (version, expects) in [("HTTP/1.1", true), ("HTTP/1.0", false)] {
            let head = format!("POST / {version}\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n");
            let head = Head::parse(head.as_bytes()).expect("a good head");
            assert_eq!(head.expects_continue, expects, "{version}");
        }
    }
}
