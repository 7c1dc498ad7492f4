//! Form of lines in the content of an answer: their numbers, and the gaps between them.

use crate::logs::{Line, PageCounts, Place};
use std::borrow::Cow;

/// The line between lines that do not follow each other, as grep writes it.
pub const GAP: &str = "--";

/// Whether lines begin with their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineNumbers {
    /// They do not.
    #[default]
    Hidden,
    /// They begin with `N:`, or `N-` if they are context.
    Shown,
}

impl LineNumbers {
    /// Returns a line, with its number before it if that is shown.
    #[must_use]
    pub fn line<'a>(self, line: &Line<'_>, text: &'a str) -> Cow<'a, str> {
        self.numbered(line.number, line.place, text)
    }

    /// Returns the unfinished line, likewise.
    #[must_use]
    pub fn unfinished(self, counts: &PageCounts) -> Cow<'_, str> {
        self.numbered(counts.next + 1, counts.unfinished_place, &counts.unfinished)
    }

    fn numbered(self, number: u64, place: Place, text: &str) -> Cow<'_, str> {
        match self {
            Self::Hidden => Cow::Borrowed(text),
            Self::Shown if place.is_context => Cow::Owned(format!("{number}-{text}")),
            Self::Shown => Cow::Owned(format!("{number}:{text}")),
        }
    }
}
