//! A scanner that finds the end of a head while it arrives.

use crate::problem::Problem;
use memchr::memchr;

/// The state of the scan. Each byte is inspected once, however small the pieces are.
///
/// The scan also refuses what the parser behind it would accept or wait for: a line feed without
/// its carriage return, a carriage return elsewhere than at a line's end, and NUL. Two programs
/// that disagree on where a line ends can be made to disagree on where a request ends.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    /// The offset of the line that is arriving.
    line: usize,
    /// Whether a non-empty line has arrived; empty ones before it are allowed.
    started: bool,
}

impl HeadScan {
    /// Continues the scan in `bytes`, which are those of the last call and what has arrived since.
    /// Returns the length of the head with its empty line, once that has arrived.
    ///
    /// # Errors
    /// 400 for a line that does not end with CR LF, or that contains a CR or NUL.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Problem> {
        while let Some(length) = memchr(b'\n', &bytes[self.line..]) {
            let line = &bytes[self.line..self.line + length];
            self.line += length + 1;
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Problem::bad_request(
                    "A line of the request's head ends with a bare line feed: end it with CR LF.",
                ));
            };
            reject_stray_controls(line)?;
            if line.is_empty() && self.started {
                return Ok(Some(self.line));
            }
            self.started |= !line.is_empty();
        }
        Ok(None)
    }

    /// Returns whether anything but empty lines has arrived in `bytes`.
    pub(crate) fn is_started(&self, bytes: &[u8]) -> bool {
        self.started || bytes[self.line..].iter().any(|&byte| byte != b'\r')
    }
}

fn reject_stray_controls(line: &[u8]) -> Result<(), Problem> {
    if memchr::memchr2(b'\r', b'\0', line).is_some() {
        return Err(Problem::bad_request(
            "The request's head has a NUL or a bare carriage return in it: remove it.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Result<Option<usize>, u16>;

    /// Scans in pieces of `step` bytes. Returns the head's length.
    fn scan(bytes: &[u8], step: usize) -> Found {
        let mut scan = HeadScan::default();
        for end in (step..bytes.len() + step).step_by(step) {
            let piece = &bytes[..end.min(bytes.len())];
            if let Some(end) = scan.advance(piece).map_err(|problem| problem.status().as_u16())? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    #[test]
    fn the_end_is_found_however_it_arrives() {
        let cases: &[(&[u8], Found)] = &[
            (b"GET / HTTP/1.1\r\n\r\n", Ok(Some(18))),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest\n", Ok(Some(27))),
            (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some(22))),
            (b"GET / HTTP/1.1\r\n\r", Ok(None)),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", Ok(None)),
            (b"\r\n\r\n", Ok(None)),
            (b"", Ok(None)),
            (b"GET / HTTP/1.1\n\n", Err(400)),
            (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Err(400)),
            (b"\nGET / HTTP/1.1\r\n\r\n", Err(400)),
            (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", Err(400)),
            (b"GET / HTTP/1.1\r\r\n\r\n", Err(400)),
            (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", Err(400)),
        ];
        for (bytes, expected) in cases {
            for step in [1, 2, 3, 7, 1000] {
                let text = String::from_utf8_lossy(bytes);
                assert_eq!(scan(bytes, step), *expected, "{text:?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn empty_lines_alone_are_no_request() {
        let mut scan = HeadScan::default();
        assert!(scan.advance(b"\r\n\r\n\r").expect("a valid head").is_none());
        assert!(!scan.is_started(b"\r\n\r\n\r"));
        assert!(scan.is_started(b"\r\n\r\nG"));
    }
}
