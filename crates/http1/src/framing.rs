//! The framing of request bodies: by length, or by chunks.

use crate::head::values;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use crate::problem::Problem;
use http::Version;
use httparse::Header;

/// The body framing announced by a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes; 0 if no body was announced.
    Length(u64),
    /// Until the last chunk.
    Chunked,
}

impl Framing {
    /// Reads Content-Length and Transfer-Encoding, and refuses ambiguous combinations.
    ///
    /// # Errors
    /// 400 for both of them, for more than one of either, for a length that is not digits or does
    /// not fit 64 bits, for any coding but `chunked`, and for any coding in HTTP/1.0.
    pub(crate) fn of(version: Version, headers: &[Header<'_>]) -> Result<Self, Problem> {
        let mut lengths = values(headers, "content-length");
        let mut codings = values(headers, "transfer-encoding");
        match (lengths.next(), codings.next()) {
            (None, None) => Ok(Self::Length(0)),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "The request has both a Content-Length and a Transfer-Encoding: send one.",
            )),
            (Some(_), None) if lengths.next().is_some() => {
                Err(Problem::bad_request("The request has more than one Content-Length: send one."))
            }
            (Some(length), None) => announced(length).map(Self::Length),
            (None, Some(coding)) => {
                let alone = codings.next().is_none() && version == Version::HTTP_11;
                if alone && coding.eq_ignore_ascii_case(b"chunked") {
                    return Ok(Self::Chunked);
                }
                Err(Problem::bad_request(
                    "The request's Transfer-Encoding is not exactly \"chunked\" in HTTP/1.1: \
                     send it so, or send a Content-Length.",
                ))
            }
        }
    }
}

fn announced(length: &[u8]) -> Result<u64, Problem> {
    let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok());
    number.filter(|_| digits).ok_or_else(|| {
        Problem::bad_request(
            "The Content-Length is not a decimal number of 64 bits: send the body's length.",
        )
    })
}

/// A decoder that extracts a body from pieces of any size.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// This many bytes are still to come.
    Length(u64),
    /// Chunks are still to come.
    Chunked(Chunks),
}

/// A malformed chunk, with what was expected in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk(pub(crate) &'static str);

impl Decoder {
    /// Creates a decoder at the start of a body.
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::default()),
        }
    }

    /// Returns whether the body has ended.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.state == ChunkState::Done,
        }
    }

    /// Returns how many bytes are certainly still to come; for a chunked body, those of the
    /// current chunk.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(chunks) => chunks.size,
        }
    }

    /// Moves the body's bytes from `input` to the end of `output`. Returns how much of `input` was
    /// consumed: all of it, unless the body has ended.
    ///
    /// # Errors
    /// If a chunk is malformed; nothing after that can be trusted.
    pub(crate) fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, BadChunk> {
        match self {
            Self::Length(left) => Ok(take(left, input, output)),
            Self::Chunked(chunks) => chunks.decode(input, output),
        }
    }
}

/// Moves at most `left` bytes.
fn take(left: &mut u64, input: &[u8], output: &mut Vec<u8>) -> usize {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    output.extend_from_slice(&input[..count]);
    *left -= count as u64;
    count
}

/// The state of a chunked body (RFC 9112, 7.1).
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    state: ChunkState,
    /// The rest of the current chunk, in bytes.
    size: u64,
    /// The length so far of the current size line, or of all trailers.
    line: usize,
}

/// The expected next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ChunkState {
    /// The first digit of a size.
    #[default]
    Size,
    /// Another digit, or the end of the size.
    MoreSize,
    /// A blank before an extension's semicolon.
    Blank,
    /// An extension, which is ignored.
    Extension,
    /// The line feed of a size line.
    SizeEnd,
    /// The chunk's data.
    Data,
    /// The carriage return after the data.
    DataReturn,
    /// The line feed after the data.
    DataEnd,
    /// The beginning of a trailer line, or of the empty line that ends the body.
    Trailer,
    /// The rest of a trailer line, which is ignored.
    MoreTrailer,
    /// The line feed of a trailer line.
    TrailerEnd,
    /// The last line feed.
    End,
    /// Nothing: the body has ended.
    Done,
}

impl Chunks {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, BadChunk> {
        let mut used = 0;
        while used < input.len() && self.state != ChunkState::Done {
            if self.state == ChunkState::Data {
                used += take(&mut self.size, &input[used..], output);
                if self.size == 0 {
                    self.state = ChunkState::DataReturn;
                }
            } else {
                self.state = self.next(input[used])?;
                used += 1;
            }
        }
        Ok(used)
    }

    fn next(&mut self, byte: u8) -> Result<ChunkState, BadChunk> {
        match (self.state, byte) {
            (ChunkState::Size | ChunkState::MoreSize, digit) if digit.is_ascii_hexdigit() => {
                self.add_digit(digit)
            }
            (ChunkState::MoreSize | ChunkState::Extension, b'\r') => Ok(ChunkState::SizeEnd),
            (ChunkState::MoreSize | ChunkState::Blank, b' ' | b'\t') => {
                self.longer_line(ChunkState::Blank)
            }
            (ChunkState::MoreSize | ChunkState::Blank, b';') => {
                self.longer_line(ChunkState::Extension)
            }
            (ChunkState::Extension, byte) if is_text(byte) => {
                self.longer_line(ChunkState::Extension)
            }
            (ChunkState::SizeEnd, b'\n') => Ok(self.after_size_line()),
            (ChunkState::DataReturn, b'\r') => Ok(ChunkState::DataEnd),
            (ChunkState::DataEnd, b'\n') => Ok(ChunkState::Size),
            (ChunkState::Trailer, b'\r') => Ok(ChunkState::End),
            (ChunkState::MoreTrailer, b'\r') => Ok(ChunkState::TrailerEnd),
            (ChunkState::Trailer | ChunkState::MoreTrailer, byte) if is_text(byte) => {
                self.longer_trailers()
            }
            (ChunkState::TrailerEnd, b'\n') => Ok(ChunkState::Trailer),
            (ChunkState::End, b'\n') => Ok(ChunkState::Done),
            (state, _) => Err(BadChunk(state.expected())),
        }
    }

    fn add_digit(&mut self, digit: u8) -> Result<ChunkState, BadChunk> {
        let digit = u64::from((digit as char).to_digit(16).unwrap_or_default());
        let size = self.size.checked_mul(16).ok_or(BadChunk("a size below 2^64"))?;
        self.size = size + digit;
        self.longer_line(ChunkState::MoreSize)
    }

    fn after_size_line(&mut self) -> ChunkState {
        self.line = 0;
        if self.size == 0 { ChunkState::Trailer } else { ChunkState::Data }
    }

    fn longer_line(&mut self, state: ChunkState) -> Result<ChunkState, BadChunk> {
        self.line += 1;
        let fits = self.line <= CHUNK_LINE_BYTES_MAX;
        if fits { Ok(state) } else { Err(BadChunk("a shorter size line")) }
    }

    fn longer_trailers(&mut self) -> Result<ChunkState, BadChunk> {
        self.line += 1;
        let fits = self.line <= TRAILER_BYTES_MAX;
        if fits { Ok(ChunkState::MoreTrailer) } else { Err(BadChunk("shorter trailers")) }
    }
}

impl ChunkState {
    /// Describes what was expected in this state.
    fn expected(self) -> &'static str {
        match self {
            Self::Size => "a chunk's size in hexadecimal digits",
            Self::MoreSize | Self::Blank => "CR LF or a semicolon after a chunk's size",
            Self::Extension => "text in a chunk's extension",
            Self::SizeEnd | Self::TrailerEnd | Self::End => "LF after CR",
            Self::Data | Self::DataReturn | Self::DataEnd => "CR LF after a chunk's data",
            Self::Trailer | Self::MoreTrailer => "text in a trailer",
            Self::Done => "the end of the body",
        }
    }
}

/// Returns whether a byte may be part of a line: a tab, a printable one, a space, or beyond ASCII.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(version: Version, lines: &[(&'static str, &'static str)]) -> Option<Framing> {
        let headers: Vec<_> =
            lines.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        match Framing::of(version, &headers) {
            Ok(framing) => Some(framing),
            Err(problem) => {
                assert_eq!(problem.status().as_u16(), 400);
                None
            }
        }
    }

    #[test]
    fn lengths_are_plain_numbers_of_64_bits() {
        let cases = [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999999999", None),
            ("", None),
            ("+3", None),
            ("-3", None),
            ("3,3", None),
            ("3, 3", None),
            ("3 3", None),
            ("0x3", None),
            ("3.0", None),
            ("abc", None),
            ("\u{663}", None),
        ];
        for (value, expected) in cases {
            let found = framing(Version::HTTP_11, &[("Content-Length", value)]);
            assert_eq!(found, expected.map(Framing::Length), "{value:?}");
        }
    }

    #[test]
    fn no_request_has_two_framings() {
        const LENGTH: (&str, &str) = ("content-length", "3");
        const CODING: (&str, &str) = ("TRANSFER-ENCODING", "Chunked");
        let v11 = Version::HTTP_11;
        assert_eq!(framing(v11, &[]), Some(Framing::Length(0)));
        assert_eq!(framing(v11, &[CODING]), Some(Framing::Chunked));
        assert_eq!(framing(Version::HTTP_10, &[CODING]), None);
        let invalid: [&[(&str, &str)]; 9] = [
            &[LENGTH, LENGTH],
            &[LENGTH, ("Content-Length", "4")],
            &[LENGTH, CODING],
            &[CODING, LENGTH],
            &[CODING, CODING],
            &[("Transfer-Encoding", "gzip, chunked")],
            &[("Transfer-Encoding", "chunked, chunked")],
            &[("Transfer-Encoding", "xchunked")],
            &[("Transfer-Encoding", "identity"), LENGTH],
        ];
        for lines in invalid {
            assert_eq!(framing(v11, lines), None, "{lines:?}");
        }
        for value in ["", "identity", "chunked;q=1", "\"chunked\"", "chunked,"] {
            assert_eq!(framing(v11, &[("Transfer-Encoding", value)]), None, "{value:?}");
        }
    }

    /// Decodes in pieces of `step` bytes. Returns the body, and how much of `input` was left.
    fn decode(input: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, BadChunk> {
        let mut decoder = Decoder::new(Framing::Chunked);
        let (mut body, mut used) = (Vec::new(), 0);
        for piece in input.chunks(step) {
            let count = decoder.decode(piece, &mut body)?;
            used += count;
            if decoder.is_done() {
                return Ok(Some((body, input.len() - used)));
            }
            assert_eq!(count, piece.len(), "only the end leaves bytes unused");
        }
        Ok(None)
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let cases: [(&[u8], &[u8], usize); 7] = [
            (b"0\r\n\r\n", b"", 0),
            (b"3\r\nabc\r\n0\r\n\r\nGET ", b"abc", 4),
            (b"3\r\nabc\r\n000A\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", 0),
            (b"3;ext=\"x;y\"\r\nabc\r\n0;last\r\n\r\n", b"abc", 0),
            (b"3 \t;ext\r\nabc\r\n0\r\n\r\n", b"abc", 0),
            (b"1\r\n\n\r\n0\r\nX-A: b\r\nX-B:\r\n\r\n", b"\n", 0),
            (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", 0),
        ];
        for (input, body, left) in cases {
            for step in 1..=input.len() {
                let expected = Ok(Some((body.to_vec(), left)));
                assert_eq!(decode(input, step), expected, "{} by {step}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        let long_line = [b"1;".to_vec(), vec![b'x'; CHUNK_LINE_BYTES_MAX]].concat();
        let long_trailer = [b"0\r\nX: ".to_vec(), vec![b'x'; TRAILER_BYTES_MAX]].concat();
        let many_zeros = vec![b'0'; CHUNK_LINE_BYTES_MAX + 1];
        let cases: [&[u8]; 23] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1 \r\n",
            b"1 x\r\n",
            b"1\n",
            b"1\rx",
            b";a\r\n",
            b"1;a\n",
            b"1;a\0\r\n",
            b"1;a\rb",
            b"10000000000000000\r\n",
            b"fffffffffffffffff\r\n",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\rb",
            b"0\r\n\n",
            b"0\r\nX: a\n",
            b"0\r\nX: \0",
            b"0\r\n\rx",
        ];
        for input in cases.into_iter().chain([&long_line[..], &long_trailer, &many_zeros]) {
            for step in [1, 2, input.len()] {
                assert!(decode(input, step).is_err(), "{} by {step}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn a_huge_announced_chunk_allocates_nothing() {
        let mut decoder = Decoder::new(Framing::Chunked);
        let mut body = Vec::new();
        assert_eq!(decoder.decode(b"ffffffffffffffff\r\nab", &mut body), Ok(20));
        assert_eq!((decoder.announced(), body.len()), (u64::MAX - 2, 2));
        assert!(body.capacity() < 100);
    }
}
