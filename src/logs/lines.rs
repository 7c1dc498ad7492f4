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

/// How much of one line is held in memory, in bytes; what is longer is cut there.
pub const JOINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A stretch of one file that begins and ends where lines do.
#[derive(Clone, Debug)]
pub struct Span {
    pub file: Arc<File>,
    pub range: Range<u64>,
    /// Whether a run begins with it: a line that the run before did not end is ended there.
    pub begins_run: bool,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which line of the log it is, counted from 1.
    pub number: u64,
    /// When its end was read, as text.
    pub stamp: &'a str,
    /// What was printed.
    pub text: &'a str,
    /// False for the last one, where the end of the line is not here yet.
    pub is_ended: bool,
    /// Where the line is longer than the text: whether the whole of it has what is looked for.
    pub is_cut_and_wanted: Option<bool>,
}

/// Calls `each` with every line of the spans, in order, until that says to break. The first has
/// the number after `lines_before`. Memory is that of the longest line, at most 16 MiB; what is
/// beyond that of a line is looked at for the filter alone.
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
        // The caller has all there is, whatever it says.
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
    /// Set where the text is the beginning of the line alone.
    beyond: Option<Beyond>,
}

/// What is known of a line beyond its text.
struct Beyond {
    /// `None` where every line is wanted.
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
        Line { number, stamp, text, is_ended, is_cut_and_wanted }
    }

    fn begin_next(&mut self) {
        self.number += 1;
        self.text.clear();
        self.so_far = JoinedText::default();
        self.is_begun = false;
    }
}

/// How much of a line there was in its pieces so far: what is over 16 MiB is cut, wherever lines
/// are put together again.
#[derive(Debug, Default)]
pub struct JoinedText {
    bytes: usize,
}

impl JoinedText {
    /// A piece's text, unescaped, and how much of it is left; `None` of a line in one piece, which
    /// is far shorter.
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

/// A piece of a line, of which maybe only the beginning is left.
#[derive(Debug)]
pub struct Piece {
    text: String,
    end: usize,
}

impl Piece {
    /// What is left of it.
    pub fn kept(&self) -> &str {
        &self.text[..self.end]
    }

    /// What is not.
    pub fn beyond(&self) -> &str {
        &self.text[self.end..]
    }
}

/// Appends what an entry's text means. It was checked when the entry was read, so that every
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

/// What `u00XX` means.
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
        fn what_was_escaped_is_read_as_it_was(text in "\\PC*|[\\x00-\\x7f]{0,200}") {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut read = String::new();
            unescape(&quoted.as_bytes()[1..quoted.len() - 1], &mut read);
            prop_assert_eq!(read, text);
        }
    }
}
