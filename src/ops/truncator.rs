//! Content that is truncated in the middle.

use super::line_form::GAP;
use super::log_query::ContinuationHint;
use crate::logs::{Fold, Line, Omission, Page, PageCounts, Place};
use std::io;

/// The longest line between head and tail, without its hint, in bytes.
const NOTE_BYTES: usize = "[...  lines,  bytes left out:  ...]".len() + 2 * 20;

/// A buffer that truncates content in the middle, with a line that says how to request the rest.
pub struct Truncator<'a> {
    fold: Fold,
    hint: &'a ContinuationHint,
    names_hint: bool,
}

impl<'a> Truncator<'a> {
    /// Creates a truncator to `bytes_max` bytes.
    pub fn new(bytes_max: usize, hint: &'a ContinuationHint) -> Self {
        // A hint that would take most of the space is omitted.
        let hint_bytes = hint.bytes_max();
        let names_hint = NOTE_BYTES + hint_bytes <= bytes_max / 2;
        let note_bytes = NOTE_BYTES + if names_hint { hint_bytes } else { 0 };
        Self { fold: Fold::new(bytes_max, note_bytes), hint, names_hint }
    }

    /// Takes the lines of a page, each formatted by `shown`. Reads only the head and the tail of a
    /// page that is far too long.
    ///
    /// # Errors
    /// Errors of the log.
    pub fn take(
        &mut self,
        page: &Page,
        shown: impl Fn(&Line<'_>, &str) -> String,
    ) -> io::Result<PageCounts> {
        let side = self.fold.side_lines_max();
        let mut push = |line: Line<'_>, text: &str| {
            self.push(line.number, line.place, &shown(&line, text));
            Ok(())
        };
        let between = page.lines_known().and_then(|lines| lines.checked_sub(2 * side));
        let Some(between) = between.filter(|lines| *lines > 0) else {
            return page.for_each(push);
        };
        let head = page.first(side).for_each(&mut push)?;
        self.fold.skip(head.next + 1, between);
        let mut push = |line: Line<'_>, text: &str| {
            self.push(line.number, line.place, &shown(&line, text));
            Ok(())
        };
        let tail = page.last(side)?.for_each(&mut push)?;
        let lines_returned = head.lines_returned + between + tail.lines_returned;
        Ok(PageCounts { lines_returned, first: head.first, ..tail })
    }

    /// Takes one more line.
    pub fn push(&mut self, number: u64, place: Place, text: &str) {
        if place.follows_gap {
            self.fold.push_after(number, GAP, text);
        } else {
            self.fold.push(number, text);
        }
    }

    /// Returns the truncated content, and how many lines were left out. Adjusts the counts.
    pub fn finish(self, counts: &mut PageCounts) -> (String, u64) {
        let (content, omission) = self.fold.finish(|Omission { after, lines, bytes, .. }| {
            let hint = self.hint.text(after, lines);
            let hint = if self.names_hint { format!(": {hint}") } else { String::new() };
            let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
            format!("[... {lines} lines{bytes} left out{hint} ...]")
        });
        let Some(omission) = omission else { return (content, 0) };
        counts.lines_returned = omission.shown;
        (content, omission.lines)
    }
}
