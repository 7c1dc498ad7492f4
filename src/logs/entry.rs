//! Format of one stored line: `{"timestamp":"…Z","line":"…"}`, or a piece of a long one.

use super::stamp::{STAMP_BYTES, Stamp, is_stamp};
use memchr::memchr2;
use std::io::{self, Write};

/// Bytes before the stamp.
pub const BEFORE_STAMP: &[u8] = b"{\"timestamp\":\"";
/// Bytes between the stamp and the text.
pub const BEFORE_TEXT: &[u8] = b"\",\"line\":\"";
/// End of a line, or of the last piece of one.
pub const END_OF_LINE: &[u8] = b"\"}\n";
/// End of every other piece.
pub const END_OF_PIECE: &[u8] = b"\",\"partial\":true}\n";

/// Offset of the text of an entry.
pub const TEXT_AT: usize = BEFORE_STAMP.len() + STAMP_BYTES + BEFORE_TEXT.len();

/// Returns the bytes before the text of an entry of this instant.
pub fn prefix(stamp: &Stamp) -> [u8; TEXT_AT] {
    let mut prefix = [0; TEXT_AT];
    let (before, rest) = prefix.split_at_mut(BEFORE_STAMP.len());
    let (at, after) = rest.split_at_mut(STAMP_BYTES);
    before.copy_from_slice(BEFORE_STAMP);
    at.copy_from_slice(stamp);
    after.copy_from_slice(BEFORE_TEXT);
    prefix
}

/// Largest value for the length of a line that is stored in one piece, in bytes.
pub const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// Length of the longest entry, in bytes: a piece of control characters, each escaped in six, and
/// the rest. Anything longer between two line ends is not an entry of ours.
pub const ENTRY_BYTES_MAX: usize =
    PIECE_BYTES_MAX * super::escape::ESCAPE_BYTES_MAX + TEXT_AT + END_OF_PIECE.len();

/// An entry as stored on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The instant at which it was read from the command, as text.
    pub stamp: &'a [u8],
    /// The text, escaped as in a JSON string.
    pub text: &'a [u8],
    /// Whether the line continues in the next entry.
    pub partial: bool,
}

impl<'a> Stored<'a> {
    /// Parses an entry (without its line end). `None` for anything but exactly what the writer
    /// writes: an entry torn by a crash, or bytes that somebody else put there.
    pub fn parse(entry: &'a [u8]) -> Option<Self> {
        let stamp = entry.strip_prefix(BEFORE_STAMP)?.get(..STAMP_BYTES)?;
        let rest = entry.get(TEXT_AT - BEFORE_TEXT.len()..)?.strip_prefix(BEFORE_TEXT)?;
        let piece = rest.strip_suffix(END_OF_PIECE.trim_ascii_end());
        let text = piece.or_else(|| rest.strip_suffix(END_OF_LINE.trim_ascii_end()))?;
        let whole = is_stamp(stamp) && is_escaped_text(text);
        whole.then_some(Self { stamp, text, partial: piece.is_some() })
    }
}

impl Stored<'_> {
    /// Writes the entry as stored, with the number of its line first, and its line end.
    pub fn write_entry(&self, number: u64, to: &mut impl Write) -> io::Result<()> {
        let end = if self.partial { END_OF_PIECE } else { END_OF_LINE };
        write!(to, "{{\"n\":{number},")?;
        for bytes in [&BEFORE_STAMP[1..], self.stamp, BEFORE_TEXT, self.text, end] {
            to.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Whether this may stand between the quotes of a JSON string, as the writer escapes it.
fn is_escaped_text(text: &[u8]) -> bool {
    // No branch for each byte, so that the compiler vectorizes it.
    let lowest = text.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte));
    if lowest < 0x20 || simdutf8::basic::from_utf8(text).is_err() {
        return false;
    }
    let mut rest = text;
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let escape_bytes = match rest[at..] {
            [b'\\', b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', b'0', b'0', b'0' | b'1', low, ..] if low.is_ascii_hexdigit() => 6,
            _ => return false,
        };
        rest = &rest[at + escape_bytes..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"timestamp":"2026-01-02T03:04:05.678901Z","line":"a \"b\" \u0000"}"#;

    #[test]
    fn entries_are_parsed_without_unescaping() {
        let stored = Stored::parse(LINE).unwrap();
        assert_eq!(stored.text, br#"a \"b\" \u0000"#);
        assert_eq!(stored.stamp, b"2026-01-02T03:04:05.678901Z");
        assert!(!stored.partial);
    }

    #[test]
    fn pieces_are_marked_as_partial() {
        let piece = br#"{"timestamp":"2026-01-02T03:04:05.678901Z","line":"a","partial":true}"#;
        assert!(Stored::parse(piece).unwrap().partial);
    }

    #[test]
    fn cut_entries_are_rejected() {
        for length in 0..LINE.len() {
            assert_eq!(Stored::parse(&LINE[..length]), None, "cut to {length} bytes");
        }
    }

    #[test]
    fn invalid_json_strings_are_rejected() {
        for text in [r#"a"b"#, r"a\", r"\x", r"\u0100", "\u{1}", "a\tb"] {
            let entry = format!(r#"{{"timestamp":"2026-01-02T03:04:05.678901Z","line":"{text}"}}"#);
            assert_eq!(Stored::parse(entry.as_bytes()), None, "{entry}");
        }
        let not_utf8 = [b"{\"timestamp\":\"2026-01-02T03:04:05.678901Z\",\"line\":\"\xff\"}"];
        assert_eq!(Stored::parse(not_utf8[0]), None);
    }
}
