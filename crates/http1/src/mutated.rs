//! A test of the pure parsers with mutated requests: they must refuse or parse any input.

use crate::framing::{Decoder, Framing};
use crate::head::Head;
use crate::head_scan::HeadScan;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Router;
use http::Version;

/// Requests of all shapes, valid and invalid.
const SEEDS: [&str; 8] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /runs/a%20b/logs?lines=5&grep=%D0%B6+x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
     User-Agent: curl/8\r\nAccept: */*\r\nCookie: a=b; c=\"d\"\r\n\r\n",
    "POST /start HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\
     Connection: keep-alive, x\r\n\r\n{\"command\":\"ls\"}",
    "POST /stdin HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
     5;a=\"b\"\r\nhello\r\n00B\r\n world\r\n1234\r\n0\r\nX-Trailer: a\r\n\r\n",
    "HEAD http://example.com:80/status/?wait=5 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\n\r\nPUT /a HTTP/1.1\r\nHost: a\r\nX-A:\r\nX-B: \t\r\n\r\n",
];

/// The pieces that a mutation inserts, besides any byte.
const PIECES: [&str; 16] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    "%",
    "%00",
    "/",
    "chunked",
    "\u{ff}",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "18446744073709551616",
];

/// A deterministic random number generator (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }

    fn mutated(&mut self) -> Vec<u8> {
        let mut bytes = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let until = (at + self.below(6)).min(bytes.len());
            let piece = PIECES[self.below(PIECES.len())].as_bytes();
            match self.below(5) {
                0 => drop(bytes.splice(at..at, piece.iter().copied())),
                1 => drop(bytes.splice(at..until, piece.iter().copied())),
                2 => drop(bytes.drain(at..until)),
                3 => bytes.extend_from_within(at..until),
                _ => {
                    let byte = u8::try_from(self.below(256)).unwrap_or(0);
                    bytes.splice(at..until, [byte]);
                }
            }
        }
        bytes
    }
}

/// The result of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scanned {
    /// A complete head of this many bytes.
    Head(usize),
    Partial,
    Refused,
}

/// Scans in pieces of `step` bytes.
fn scan(bytes: &[u8], step: usize) -> Scanned {
    let mut scan = HeadScan::default();
    let mut seen = 0;
    while seen < bytes.len() {
        seen = (seen + step).min(bytes.len());
        match scan.advance(&bytes[..seen]) {
            Ok(None) => {}
            Ok(Some(length)) => return Scanned::Head(length),
            Err(_) => return Scanned::Refused,
        }
    }
    Scanned::Partial
}

/// Decodes in pieces of `step` bytes. Returns the body, the bytes consumed and whether it is
/// complete; `None` on an error.
fn decode(framing: Framing, bytes: &[u8], step: usize) -> Option<(Vec<u8>, usize, bool)> {
    let mut decoder = Decoder::new(framing);
    let (mut body, mut used) = (Vec::new(), 0);
    for piece in bytes.chunks(step) {
        used += decoder.decode(piece, &mut body).ok()?;
    }
    Some((body, used, decoder.is_done()))
}

#[test]
fn mutated_requests_parse_alike_in_any_pieces() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let router = Router::new().get("/runs/{run_id}/logs", |_| Err(unreached()));
    let mut understood = 0;
    for _ in 0..30_000 {
        let bytes = numbers.mutated();
        let found = scan(&bytes, bytes.len());
        let step = 1 + numbers.below(9);
        assert_eq!(found, scan(&bytes, step), "{}", bytes.escape_ascii());
        let Scanned::Head(length) = found else { continue };
        let Ok(head) = Head::parse(&bytes[..length]) else { continue };
        understood += 1;
        check(&head, &bytes);
        let _ = router.find(&head.method, head.path);
        let _ = Query::parse(head.query).map(Query::finish);
        let rest = &bytes[length..];
        let whole = decode(head.framing, rest, rest.len().max(1));
        assert_eq!(whole, decode(head.framing, rest, step), "{}", bytes.escape_ascii());
    }
    assert!((3_000..27_000).contains(&understood), "{understood} were understood");
}

fn unreached() -> Problem {
    Problem::internal("This handler is never called: check the router.")
}

/// Checks what must hold for every head that was accepted.
fn check(head: &Head<'_>, bytes: &[u8]) {
    let shown = bytes.escape_ascii();
    assert!(head.path.starts_with('/') || head.path == "*", "{shown}");
    assert!(!head.path.contains(['?', '#', ' ']), "{shown}");
    let is = |name: &str| {
        let name = name.to_owned();
        move |(sent, _): &(&str, &[u8])| sent.eq_ignore_ascii_case(&name)
    };
    let hosts = head.headers().filter(is("host")).count();
    assert!(hosts == 1 || (hosts == 0 && head.version == Version::HTTP_10), "{shown}");
    let lengths = head.headers().filter(is("content-length")).count();
    let codings = head.headers().filter(is("transfer-encoding")).count();
    assert!(lengths + codings <= 1, "{shown}");
    assert_eq!(head.framing == Framing::Chunked, codings == 1, "{shown}");
    for (name, value) in head.headers() {
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'), "{shown}");
        assert!(
            !value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f),
            "{shown}"
        );
    }
}
