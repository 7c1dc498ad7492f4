//! Where a body ends: by its announced length, or by its chunks.

use http::Version;
use httparse::Header;

use super::head::values;
use super::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use super::problem::Problem;

/// How the head says where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
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
    pub(super) fn of(version: Version, headers: &[Header<'_>]) -> Result<Self, Problem> {
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
pub(super) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks are still to come.
    Chunked(Chunks),
}

/// A body's chunks cannot be told apart any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadChunk(pub(super) &'static str);

impl Decoder {
    /// At the beginning of a body.
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::default()),
        }
    }

    /// Whether the body has ended.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.place == Place::Done,
        }
    }

    /// How many bytes are certainly still to come; a chunked body says it chunk by chunk.
    pub(super) fn announced(&self) -> u64 {
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
    pub(super) fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, BadChunk> {
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
pub(super) struct Chunks {
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
