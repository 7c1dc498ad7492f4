//! A request's head, from bytes to what can be relied on.

use http::{Method, Version};
use httparse::{EMPTY_HEADER, Header, Status};

use super::framing::Framing;
use super::limits::HEADERS_MAX;
use super::problem::Problem;

/// The head of one request, checked. It borrows the bytes it was read from.
#[derive(Debug)]
pub(super) struct Head<'b> {
    /// The method.
    pub(super) method: Method,
    /// The path as it was sent, without the query: `/runs/a%20b`, or `*`.
    pub(super) path: &'b str,
    /// What is behind the `?`.
    pub(super) query: Option<&'b str>,
    /// HTTP/1.0 or HTTP/1.1, nothing else.
    pub(super) version: Version,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// Whether the client wants to send another request on this connection.
    pub(super) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
    headers: Vec<Header<'b>>,
}

impl<'b> Head<'b> {
    /// Reads a head that is known to be whole (see [`super::head_scan`]).
    ///
    /// # Errors
    /// 400 for whatever RFC 9112 forbids or two programs could read differently, 431 for more
    /// than 100 header lines, 505 for another version than 1.0 and 1.1.
    pub(super) fn parse(bytes: &'b [u8]) -> Result<Self, Problem> {
        let mut storage = [EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut storage);
        match parsed.parse(bytes) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err(malformed("It ends too early")),
            Err(error) => return Err(refusal(error, bytes)),
        }
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(malformed("It has no request line"));
        };
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| malformed("Its method is no method"))?;
        let (path, query) = split_target(&method, target)?;
        let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
        let headers = parsed.headers.to_vec();
        check_host(version, &headers)?;
        Ok(Self {
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

    /// Every header line, in order: its name as it was sent, and its value's bytes.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }
}

/// The values of the headers called `name`, in order.
pub(super) fn values<'h, 'b>(
    headers: &'h [Header<'b>],
    name: &'static str,
) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|h| h.value)
}

fn malformed(what: &str) -> Problem {
    Problem::bad_request(format!("The request's head is malformed: {what}. See RFC 9112."))
}

fn refusal(error: httparse::Error, bytes: &[u8]) -> Problem {
    match error {
        httparse::Error::TooManyHeaders => too_large("has more than 100 header lines"),
        httparse::Error::Version if names_other_version(bytes) => Problem::new(
            http::StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "bad_request",
            "This server speaks HTTP/1.1 and HTTP/1.0: use one of them.",
        ),
        other => malformed(&format!("It has an {other}")),
    }
}

/// 431: `what` says what about the head is too large.
pub(super) fn too_large(what: &str) -> Problem {
    Problem::new(
        http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "payload_too_large",
        format!("The request's head {what}: send fewer or shorter headers."),
    )
}

/// Whether the request line ends with a well-formed version that is not ours: `HTTP/2.0`.
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
        [major] | [major, b'.'] => major.is_ascii_digit(),
        [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// The path and the query of a request's target, in origin form (`/a?b`), absolute form
/// (`http://host/a?b`, of which the authority counts for nothing here) or, for OPTIONS, `*`.
fn split_target<'b>(
    method: &Method,
    target: &'b str,
) -> Result<(&'b str, Option<&'b str>), Problem> {
    if target.contains('#') {
        return Err(malformed("Its target has a fragment (#)"));
    }
    let target = match target.as_bytes() {
        [b'/', ..] => target,
        b"*" if method == Method::OPTIONS => target,
        _ => without_authority(target)
            .ok_or_else(|| malformed("Its target is neither a path nor an http URL"))?,
    };
    Ok(match target.split_once('?') {
        Some(("", query)) => ("/", Some(query)),
        Some((path, query)) => (path, Some(query)),
        None if target.is_empty() => ("/", None),
        None => (target, None),
    })
}

/// `/a?b` of `http://host/a?b`; `None` for anything else.
fn without_authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    (authority > 0).then(|| &rest[authority..])
}

fn check_host(version: Version, headers: &[Header<'_>]) -> Result<(), Problem> {
    let mut hosts = values(headers, "host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => Err(malformed("It has no Host")),
        (_, Some(_)) => Err(malformed("It has more than one Host")),
        (Some(host), None) if !host.iter().all(|&byte| may_be_in_host(byte)) => {
            Err(malformed("Its Host has a character that no host has"))
        }
        _ => Ok(()),
    }
}

/// RFC 3986: `uri-host [ ":" port ]`.
fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(&byte)
}

fn keeps_alive(version: Version, headers: &[Header<'_>]) -> bool {
    let says = |option: &str| {
        let mut options =
            values(headers, "connection").flat_map(|value| value.split(|&byte| byte == b','));
        options.any(|said| said.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    !says("close") && (version == Version::HTTP_11 || says("keep-alive"))
}

fn expects_continue(headers: &[Header<'_>]) -> bool {
    values(headers, "expect").any(|value| value.eq_ignore_ascii_case(b"100-continue"))
}
