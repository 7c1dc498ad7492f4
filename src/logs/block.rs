//! Encoding of what one read returned into the JSON lines of one write.

use super::entry::{END_OF_LINE, END_OF_PIECE, TEXT_AT, prefix};
use super::escape::{ESCAPE_BYTES_MAX, EscapeLine, LANES, escape_line};
use super::stamp::Stamp;
use memchr::{memchr_iter, memrchr};
use std::ops::Range;

/// Maximum number of bytes of entries to gather for one write: many empty lines make fifty times as
/// much of what was read.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Number of bytes that a block must own after its data, so that the escaping may read past the
/// end.
pub const BLOCK_MARGIN: usize = LANES;

/// The kind of the last piece of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastPiece {
    /// The end of a line: no more output will come.
    EndsLine,
    /// A piece of a line: more output may come.
    Continues,
}

/// The result of encoding a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Position in the block at which the next call begins; what is before it was encoded.
    pub next: usize,
    /// Number of lines that ended.
    pub lines: u64,
}

/// An encoder of blocks of bytes to entries, which reuses its output from block to block.
#[derive(Debug)]
pub struct Encoder {
    escape: EscapeLine,
    /// The bytes before the text of each entry of the block.
    prefix: [u8; TEXT_AT],
    piece_bytes_max: usize,
    output_bytes: usize,
    output: Vec<u8>,
    used: usize,
    /// A line that was not UTF-8, with replacement characters.
    repaired: Vec<u8>,
}

impl Encoder {
    /// Creates an encoder that splits lines longer than `piece_bytes_max` bytes into pieces, and
    /// returns little more than `OUTPUT_BYTES_MAX` at a time.
    pub fn new(piece_bytes_max: usize) -> Self {
        Self {
            escape: escape_line(),
            prefix: [0; TEXT_AT],
            piece_bytes_max,
            output_bytes: OUTPUT_BYTES_MAX,
            output: Vec::new(),
            used: 0,
            repaired: Vec::new(),
        }
    }

    /// Limits the output to little more than `bytes` at a time, and never less than a piece.
    pub fn set_output_bytes(&mut self, bytes: usize) {
        self.output_bytes = bytes;
    }

    /// Returns the entries of the last call.
    pub fn output(&self) -> &[u8] {
        &self.output[..self.used]
    }

    /// Encodes the whole lines of `block[range]`, and of a longer line than fits one piece as many
    /// pieces as are certain, until the output is full. Call again from `next` until that stays the
    /// same; the rest is then shorter than two bytes over a piece.
    ///
    /// The block must own `BLOCK_MARGIN` bytes after the range.
    pub fn encode(&mut self, block: &[u8], range: Range<usize>, stamp: &Stamp) -> Encoded {
        (self.used, self.prefix) = (0, prefix(stamp));
        let mut encoded = Encoded { next: range.start, lines: 0 };
        let data = &block[range.clone()];
        let ended = memrchr(b'\n', data).map_or(0, |last| last + 1);
        let is_text = simdutf8::basic::from_utf8(&data[..ended]).is_ok();
        for newline in memchr_iter(b'\n', &data[..ended]) {
            if self.used >= self.output_bytes {
                return encoded;
            }
            let newline = range.start + newline;
            let line = encoded.next..end_of_text(block, encoded.next, newline);
            self.line(block, line, is_text);
            encoded.next = newline + 1;
            encoded.lines += 1;
        }
        // One byte over is kept: if it is the `\r` of a line end, the line fits.
        while range.end - encoded.next > self.piece_bytes_max + 1 && self.used < self.output_bytes {
            encoded.next = self.first_piece(block, encoded.next..range.end);
        }
        encoded
    }

    /// Encodes the rest of a block, whose line did not end, as a line or as a piece of one.
    pub fn encode_rest(
        &mut self,
        block: &[u8],
        rest: Range<usize>,
        last: LastPiece,
        stamp: &Stamp,
    ) {
        (self.used, self.prefix) = (0, prefix(stamp));
        self.entry(block, rest, false, last);
    }

    fn line(&mut self, block: &[u8], mut line: Range<usize>, is_text: bool) {
        while line.len() > self.piece_bytes_max {
            line.start = self.first_piece(block, line.clone());
        }
        self.entry(block, line, is_text, LastPiece::EndsLine);
    }

    /// Encodes the first piece of a long line; returns where the next begins.
    fn first_piece(&mut self, block: &[u8], line: Range<usize>) -> usize {
        let end = line.start + piece_bytes(&block[line.clone()], self.piece_bytes_max);
        self.entry(block, line.start..end, false, LastPiece::Continues);
        end
    }

    /// Appends one entry. `is_text` states that the bytes are known to be UTF-8.
    fn entry(&mut self, block: &[u8], text: Range<usize>, is_text: bool, last: LastPiece) {
        if !is_text && simdutf8::basic::from_utf8(&block[text.clone()]).is_err() {
            let mut repaired = std::mem::take(&mut self.repaired);
            repaired.clear();
            repaired.extend_from_slice(String::from_utf8_lossy(&block[text]).as_bytes());
            let length = repaired.len();
            repaired.resize(length + BLOCK_MARGIN, 0);
            self.entry(&repaired, 0..length, true, last);
            self.repaired = repaired;
            return;
        }
        let needed = TEXT_AT + text.len() * ESCAPE_BYTES_MAX + LANES + END_OF_PIECE.len();
        if self.output.len() < self.used + needed {
            self.output.resize(self.used + needed + OUTPUT_BYTES_MAX / 4, 0);
        }
        let prefix = self.prefix;
        self.put(&prefix);
        self.used = (self.escape)(block, text, &mut self.output, self.used);
        match last {
            LastPiece::EndsLine => self.put(END_OF_LINE),
            LastPiece::Continues => self.put(END_OF_PIECE),
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.output[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }
}

/// Returns the end of the text of a line whose newline is at `newline`: a carriage return belongs
/// to the line end.
fn end_of_text(block: &[u8], start: usize, newline: usize) -> usize {
    if newline > start && block[newline - 1] == b'\r' { newline - 1 } else { newline }
}

/// Returns the length of a piece of at most `bytes_max` of a long line, which splits no character.
/// A character has at most three bytes after its first; more of them in a row are not one.
fn piece_bytes(line: &[u8], bytes_max: usize) -> usize {
    let is_inside = |at: usize| line[at] & 0b1100_0000 == 0b1000_0000;
    let nearest = (bytes_max.saturating_sub(3)..=bytes_max).rev().find(|at| !is_inside(*at));
    nearest.filter(|at| *at > 0).unwrap_or(bytes_max)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Stored;
    use super::*;
    use proptest::prelude::*;

    const STAMP: &Stamp = b"2026-01-02T03:04:05.678901Z";

    /// Feeds bytes in reads of the given sizes, as the writer does; returns the stored lines.
    fn stored(bytes: &[u8], reads: &[usize], piece_bytes_max: usize) -> (Vec<String>, u64) {
        let mut encoder = Encoder::new(piece_bytes_max);
        let (mut entries, mut counted) = (Vec::new(), 0);
        let (mut held, mut rest, mut sizes) = (Vec::new(), bytes, reads.iter().cycle());
        while !rest.is_empty() {
            let (read, later) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
            rest = later;
            held.extend_from_slice(read);
            let (mut from, end) = (0, held.len());
            held.resize(end + BLOCK_MARGIN, b'"');
            loop {
                let encoded = encoder.encode(&held, from..end, STAMP);
                entries.extend_from_slice(encoder.output());
                counted += encoded.lines;
                if encoded.next == from {
                    break;
                }
                from = encoded.next;
            }
            held.truncate(end);
            held.drain(..from);
            assert!(held.len() <= piece_bytes_max + 1);
        }
        if !held.is_empty() {
            let end = held.len();
            held.resize(end + BLOCK_MARGIN, b'"');
            encoder.encode_rest(&held, 0..end, LastPiece::EndsLine, STAMP);
            entries.extend_from_slice(encoder.output());
            counted += 1;
        }
        (joined(&entries), counted)
    }

    /// Returns the lines of a log, with pieces joined.
    fn joined(entries: &[u8]) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for entry in entries.split_inclusive(|byte| *byte == b'\n') {
            let stored = Stored::parse(&entry[..entry.len() - 1]).expect("an entry of ours");
            let text = format!("\"{}\"", std::str::from_utf8(stored.text).unwrap());
            line += &serde_json::from_str::<String>(&text).unwrap();
            if !stored.partial {
                lines.push(std::mem::take(&mut line));
            }
        }
        lines
    }

    /// Returns the lines that must be stored, computed the obvious way.
    fn expected(bytes: &[u8]) -> Vec<String> {
        let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().filter(|rest| !rest.is_empty());
        let ended = lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        ended.chain(rest).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    proptest! {
        #[test]
        fn every_byte_is_stored_for_any_read_sizes(
            bytes in proptest::collection::vec(
                prop_oneof![3 => Just(b'\n'), 2 => Just(b'\r'), 9 => any::<u8>(), 20 => b' '..b'~'],
                0..400,
            ),
            reads in proptest::collection::vec(1_usize..90, 1..8),
            piece_bytes_max in 16_usize..80,
        ) {
            let (lines, counted) = stored(&bytes, &reads, piece_bytes_max);
            prop_assert_eq!(counted, lines.len() as u64);
            prop_assert_eq!(lines, expected(&bytes));
        }

        #[test]
        fn characters_survive_read_and_piece_boundaries(
            text in "[aß€𝄞\n]{0,300}",
            reads in proptest::collection::vec(1_usize..9, 1..8),
        ) {
            let (lines, _) = stored(text.as_bytes(), &reads, 16);
            prop_assert_eq!(lines, expected(text.as_bytes()));
        }
    }

    #[test]
    fn line_as_long_as_a_piece_is_not_split() {
        let mut encoder = Encoder::new(16);
        let line = [&b"0123456789abcdef\r\n"[..], &[0; BLOCK_MARGIN]].concat();
        let encoded = encoder.encode(&line, 0..18, STAMP);
        assert_eq!(encoded, Encoded { next: 18, lines: 1 });
        assert!(!Stored::parse(encoder.output().trim_ascii_end()).unwrap().partial);
    }

    #[test]
    fn longest_escapes_and_empty_lines_fit_the_buffers() {
        let controls = vec![1_u8; 300_000];
        let (lines, _) = stored(&controls, &[262_144], 65_536);
        assert_eq!(lines, expected(&controls));
        let (lines, counted) = stored(&vec![b'\n'; 262_144], &[262_144], 65_536);
        assert_eq!((lines.len(), counted), (262_144, 262_144));
    }
}
