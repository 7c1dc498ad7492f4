//! Lines as they were printed: entries joined and unescaped, with their numbers.

use super::entry::Stored;
use super::filter::Filter;
use super::long_line::Search;
use super::reader::for_each_entry;
use super::stamp::STAMP_BYTES;
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Maximum number of bytes of one line that are held in memory; a longer line is cut there.
pub const JOINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A range of one file that begins and ends at line boundaries.
#[derive(Clone, Debug)]
pub struct Span {
    pub file: Arc<File>,
    pub range: Range<u64>,
    /// Whether a run begins with it: that ends a line which the run before left unfinished.
    pub begins_run: bool,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number in the log, counted from 1.
    pub number: u64,
    /// The instant at which its end was read, as text.
    pub stamp: &'a str,
    /// The printed text.
    pub text: &'a str,
    /// False for the last one, if it is unfinished.
    pub is_ended: bool,
    /// If the line is longer than the text: whether the whole of it matches the filter.
    pub is_cut_and_wanted: Option<bool>,
    /// Its place among those that are shown.
    pub place: Place,
}

/// The place of a line among those that are shown around matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Whether it is shown only because a line near it matches.
    pub is_context: bool,
    /// Whether lines are left out between it and the one shown before it.
    pub follows_gap: bool,
}

/// Calls `each` with every line of the spans, in order, until that breaks. The first has the number
/// after `lines_before`. Memory is that of the longest line, at most 16 MiB; the rest of a longer
/// line is only searched for the filter.
pub fn for_each_line<F>(
    spans: &[Span],
    lines_before: u64,
    filter: &Filter,
    mut each: F,
) -> io::Result<()>
where
    F: FnMut(Line<'_>) -> io::Result<ControlFlow<()>>,
{
    let mut joined = Joined { number: lines_before + 1, ..Joined::default() };
    for span in spans {
        let mut flow = ControlFlow::Continue(());
        if span.begins_run && joined.is_begun {
            flow = each(joined.line(true))?;
            joined.begin_next();
        }
        if flow.is_break() {
            return Ok(());
        }
        for_each_entry(&span.file, span.range.clone(), |stored, _| {
            joined.add(stored, filter);
            if !stored.partial {
                flow = each(joined.line(true))?;
                joined.begin_next();
            }
            Ok(flow)
        })?;
        if flow.is_break() {
            return Ok(());
        }
    }
    if joined.is_begun {
        // This was the last line, whatever the caller returns.
        let _last = each(joined.line(false))?;
    }
    Ok(())
}

#[derive(Default)]
struct Joined {
    number: u64,
    stamp: String,
    text: String,
    so_far: JoinedText,
    is_begun: bool,
    /// Set if the text is only the beginning of the line.
    beyond: Option<Beyond>,
}

/// The state of a line beyond its text.
struct Beyond {
    /// `None` if every line passes.
    search: Option<Search>,
}

impl Joined {
    fn add(&mut self, stored: Stored<'_>, filter: &Filter) {
        self.is_begun = true;
        self.stamp.clear();
        self.stamp.push_str(std::str::from_utf8(stored.stamp).unwrap_or(""));
        debug_assert_eq!(self.stamp.len(), STAMP_BYTES);
        match self.so_far.cut(stored) {
            None => unescape(stored.text, &mut self.text),
            Some(piece) => {
                self.text.push_str(piece.kept());
                if !piece.beyond().is_empty() {
                    self.search_beyond(piece.beyond(), filter);
                }
            }
        }
    }

    fn search_beyond(&mut self, piece: &str, filter: &Filter) {
        let text = &self.text;
        let begin = || {
            let mut search = filter.search();
            if let Some(search) = &mut search {
                search.feed(text);
            }
            Beyond { search }
        };
        let beyond = self.beyond.get_or_insert_with(begin);
        if let Some(search) = &mut beyond.search {
            search.feed(piece);
        }
    }

    fn line(&mut self, is_ended: bool) -> Line<'_> {
        let beyond = self.beyond.take();
        let is_cut_and_wanted = beyond.map(|it| it.search.is_none_or(Search::finish));
        let (number, stamp, text) = (self.number, &*self.stamp, &*self.text);
        let place = Place::default();
        Line { number, stamp, text, is_ended, is_cut_and_wanted, place }
    }

    fn begin_next(&mut self) {
        self.number += 1;
        self.text.clear();
        self.so_far = JoinedText::default();
        self.is_begun = false;
    }
}

/// The length of a line in its pieces so far: more than 16 MiB is cut, wherever lines are joined.
#[derive(Debug, Default)]
pub struct JoinedText {
    bytes: usize,
}

impl JoinedText {
    /// Returns a piece's text, unescaped, and how much of it is kept; `None` for a line in one
    /// piece, which is far shorter.
    pub fn cut(&mut self, stored: Stored<'_>) -> Option<Piece> {
        if self.bytes == 0 && !stored.partial {
            return None;
        }
        let mut text = String::new();
        unescape(stored.text, &mut text);
        let end = text.floor_char_boundary(JOINED_BYTES_MAX.saturating_sub(self.bytes));
        self.bytes = if stored.partial { self.bytes + text.len() } else { 0 };
        Some(Piece { text, end })
    }
}

/// A piece of a line, of which only the beginning may be kept.
#[derive(Debug)]
pub struct Piece {
    text: String,
    end: usize,
}

impl Piece {
    /// Returns the part that is kept.
    pub fn kept(&self) -> &str {
        &self.text[..self.end]
    }

    /// Returns the part that is cut.
    pub fn beyond(&self) -> &str {
        &self.text[self.end..]
    }
}

/// Appends the unescaped text of an entry. It was checked when the entry was read, so that every
/// escape is one that the writer makes.
fn unescape(text: &[u8], to: &mut String) {
    let mut rest = std::str::from_utf8(text).unwrap_or_default();
    while let Some((plain, escape)) = rest.split_once('\\') {
        to.push_str(plain);
        let kind = escape.as_bytes().first().copied().unwrap_or_default();
        let (meaning, bytes) = match kind {
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'u' => (control(escape), 5),
            other => (char::from(other), 1),
        };
        to.push(meaning);
        rest = escape.get(bytes..).unwrap_or_default();
    }
    to.push_str(rest);
}

/// Decodes `u00XX`.
fn control(escape: &str) -> char {
    let code = escape.get(1..5).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unescape_inverts_escape(text in "\\PC*|[\\x00-\\x7f]{0,200}") {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut read = String::new();
            unescape(&quoted.as_bytes()[1..quoted.len() - 1], &mut read);
            prop_assert_eq!(read, text);
        }
    }
}
