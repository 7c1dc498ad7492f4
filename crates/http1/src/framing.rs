//! Where a body ends: by its announced length, or by its chunks.

use crate::head::values;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use crate::problem::Problem;
use http::Version;
use httparse::Header;

/// How the head says where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After this many bytes; 0 where no body was announced.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

impl Framing {
    /// Reads Content-Length and Transfer-Encoding, and takes no two meanings.
    ///
    /// # Errors
    /// 400 for both of them, for more than one of either, for a length that is not digits or
    /// does not fit 64 bits, for any coding but `chunked`, and for any coding in HTTP/1.0.
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

/// Takes a body out of what arrives, in pieces of any size.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks are still to come.
    Chunked(Chunks),
}

/// A body's chunks cannot be told apart any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk(pub(crate) &'static str);

impl Decoder {
    /// At the beginning of a body.
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::default()),
        }
    }

    /// Whether the body has ended.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.place == Place::Done,
        }
    }

    /// How many bytes are certainly still to come; a chunked body says it chunk by chunk.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(chunks) => chunks.size,
        }
    }

    /// Moves the body's bytes from `input` to the end of `output`, and says how much of `input`
    /// is used up: all of it, unless the body has ended.
    ///
    /// # Errors
    /// When chunks are malformed; nothing after that can be trusted.
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
    place: Place,
    /// What is left of the present chunk.
    size: u64,
    /// How long the present size line, or all trailers, have become.
    line: usize,
}

/// What the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
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
        while used < input.len() && self.place != Place::Done {
            if self.place == Place::Data {
                used += take(&mut self.size, &input[used..], output);
                if self.size == 0 {
                    self.place = Place::DataReturn;
                }
            } else {
                self.place = self.next(input[used])?;
                used += 1;
            }
        }
        Ok(used)
    }

    fn next(&mut self, byte: u8) -> Result<Place, BadChunk> {
        match (self.place, byte) {
            (Place::Size | Place::MoreSize, digit) if digit.is_ascii_hexdigit() => {
                self.add_digit(digit)
            }
            (Place::MoreSize | Place::Extension, b'\r') => Ok(Place::SizeEnd),
            (Place::MoreSize | Place::Blank, b' ' | b'\t') => self.longer_line(Place::Blank),
            (Place::MoreSize | Place::Blank, b';') => self.longer_line(Place::Extension),
            (Place::Extension, byte) if is_text(byte) => self.longer_line(Place::Extension),
            (Place::SizeEnd, b'\n') => Ok(self.after_size_line()),
            (Place::DataReturn, b'\r') => Ok(Place::DataEnd),
            (Place::DataEnd, b'\n') => Ok(Place::Size),
            (Place::Trailer, b'\r') => Ok(Place::End),
            (Place::MoreTrailer, b'\r') => Ok(Place::TrailerEnd),
            (Place::Trailer | Place::MoreTrailer, byte) if is_text(byte) => self.longer_trailers(),
            (Place::TrailerEnd, b'\n') => Ok(Place::Trailer),
            (Place::End, b'\n') => Ok(Place::Done),
            (place, _) => Err(BadChunk(place.expected())),
        }
    }

    fn add_digit(&mut self, digit: u8) -> Result<Place, BadChunk> {
        let digit = u64::from((digit as char).to_digit(16).unwrap_or_default());
        let size = self.size.checked_mul(16).ok_or(BadChunk("a size below 2^64"))?;
        self.size = size + digit;
        self.longer_line(Place::MoreSize)
    }

    fn after_size_line(&mut self) -> Place {
        self.line = 0;
        if self.size == 0 { Place::Trailer } else { Place::Data }
    }

    fn longer_line(&mut self, place: Place) -> Result<Place, BadChunk> {
        self.line += 1;
        let fits = self.line <= CHUNK_LINE_BYTES_MAX;
        if fits { Ok(place) } else { Err(BadChunk("a shorter size line")) }
    }

    fn longer_trailers(&mut self) -> Result<Place, BadChunk> {
        self.line += 1;
        let fits = self.line <= TRAILER_BYTES_MAX;
        if fits { Ok(Place::MoreTrailer) } else { Err(BadChunk("shorter trailers")) }
    }
}

impl Place {
    /// What should have come here.
    fn expected(self) -> &'static str {
        match self {
            Self::Size => "a chunk's size in hexadecimal digits",
            Self::MoreSize | Self::Blank => "CR LF or a semicolon after a chunk's size",
            Self::Extension => "text in a chunk's extension",
            Self::SizeEnd | Self::TrailerEnd | Self::End => "LF after CR",
            Self::Data | Self::DataReturn | Self::DataEnd => "CR LF after a chunk's data",
            Self::Trailer | Self::MoreTrailer => "text in a trailer",
            Self::Done => "nothing more",
        }
    }
}

/// A byte that may be part of a line: a tab, a visible one, a blank, or beyond ASCII.
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
        let faults: [&[(&str, &str)]; 9] = [
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
        for fault in faults {
            assert_eq!(framing(v11, fault), None, "{fault:?}");
        }
        for value in ["", "identity", "chunked;q=1", "\"chunked\"", "chunked,"] {
            assert_eq!(framing(v11, &[("Transfer-Encoding", value)]), None, "{value:?}");
        }
    }

    /// The body, and what of `input` was left, when it comes in pieces of `step` bytes.
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
    fn chunks_are_put_together_however_they_arrive() {
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
    fn chunks_that_are_none_are_refused() {
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
    fn a_giant_chunk_is_announced_and_nothing_is_made_of_it() {
        let mut decoder = Decoder::new(Framing::Chunked);
        let mut body = Vec::new();
        assert_eq!(decoder.decode(b"ffffffffffffffff\r\nab", &mut body), Ok(20));
        assert_eq!((decoder.announced(), body.len()), (u64::MAX - 2, 2));
        assert!(body.capacity() < 100);
    }
}
