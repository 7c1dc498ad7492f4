//! The lines around those that match, as `grep -C` shows them.

use super::lines::{Line, Place};
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;

/// Maximum number of lines on each side of a match.
pub const CONTEXT_LINES_MAX: u64 = 100;

/// Maximum length of a line that is shown as context, in bytes: those before a match are held.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// The state of a search that shows the lines around each match. Memory: at most
/// `CONTEXT_LINES_MAX` lines of `HELD_BYTES_MAX` bytes.
pub struct Context {
    /// Number of lines on each side of a match.
    lines: usize,
    /// Lines up to this number are searched, not shown: a match among them has lines after it.
    hidden_to: u64,
    /// The last lines that were not shown, for a match that may follow.
    held: VecDeque<HeldLine>,
    /// Number of lines that are still to be shown after the last match.
    trailing: usize,
    /// Number of the last line that was shown; `None` if the next one is the first.
    shown: Option<u64>,
}

struct HeldLine {
    number: u64,
    stamp: String,
    text: String,
    is_ended: bool,
    is_cut: bool,
}

impl Context {
    /// Begins a search that shows `lines` lines on each side of a match, of those whose number is
    /// greater than `hidden_to`.
    pub fn new(lines: u64, hidden_to: u64) -> Self {
        let lines = usize::try_from(lines.min(CONTEXT_LINES_MAX)).unwrap_or(0);
        Self { lines, hidden_to, held: VecDeque::new(), trailing: 0, shown: None }
    }

    /// Takes the next line, with what the filter leaves of it, and calls `each` with the lines that
    /// are to be shown now.
    pub fn take<F>(
        &mut self,
        line: Line<'_>,
        text: &str,
        is_match: bool,
        each: &mut F,
    ) -> io::Result<ControlFlow<()>>
    where
        F: FnMut(Line<'_>, &str) -> io::Result<ControlFlow<()>>,
    {
        let is_trailing = self.trailing > 0;
        self.trailing = if is_match { self.lines } else { self.trailing.saturating_sub(1) };
        if line.number <= self.hidden_to {
            return Ok(ControlFlow::Continue(()));
        }
        if is_match {
            while let Some(held) = self.held.pop_front() {
                if self.show(held.line(), &held.text, true, each)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return self.show(line, text, false, each);
        }
        let is_cut = text.len() > HELD_BYTES_MAX || line.is_cut_and_wanted.is_some();
        let text = &text[..text.floor_char_boundary(HELD_BYTES_MAX)];
        if is_trailing {
            let line = Line { is_cut_and_wanted: is_cut.then_some(true), ..line };
            return self.show(line, text, true, each);
        }
        self.hold(line, text, is_cut);
        Ok(ControlFlow::Continue(()))
    }

    fn show<F>(
        &mut self,
        line: Line<'_>,
        text: &str,
        is_context: bool,
        each: &mut F,
    ) -> io::Result<ControlFlow<()>>
    where
        F: FnMut(Line<'_>, &str) -> io::Result<ControlFlow<()>>,
    {
        let follows_gap = self.shown.is_some_and(|shown| shown + 1 < line.number);
        self.shown = Some(line.number);
        each(Line { place: Place { is_context, follows_gap }, ..line }, text)
    }

    /// Holds a line in the place of the oldest one, whose buffers it takes.
    fn hold(&mut self, line: Line<'_>, text: &str, is_cut: bool) {
        let oldest = if self.held.len() < self.lines { None } else { self.held.pop_front() };
        let (mut stamp, mut held) = oldest.map(|it| (it.stamp, it.text)).unwrap_or_default();
        stamp.replace_range(.., line.stamp);
        held.replace_range(.., text);
        let (number, is_ended) = (line.number, line.is_ended);
        self.held.push_back(HeldLine { number, stamp, text: held, is_ended, is_cut });
    }
}

impl HeldLine {
    fn line(&self) -> Line<'_> {
        Line {
            number: self.number,
            stamp: &self.stamp,
            text: &self.text,
            is_ended: self.is_ended,
            is_cut_and_wanted: self.is_cut.then_some(true),
            place: Place::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(number: u64, text: &str) -> Line<'_> {
        let place = Place::default();
        Line { number, stamp: "", text, is_ended: true, is_cut_and_wanted: None, place }
    }

    /// Returns the numbers of the lines that are shown, those of context negative, and 0 for a gap.
    fn shown(matches: &[bool], lines: u64, hidden_to: u64) -> Vec<i64> {
        let (mut context, mut shown) = (Context::new(lines, hidden_to), Vec::new());
        for (number, is_match) in (1..).zip(matches) {
            let mut each = |line: Line<'_>, _: &str| {
                if line.place.follows_gap {
                    shown.push(0);
                }
                let number = i64::try_from(line.number).unwrap();
                shown.push(if line.place.is_context { -number } else { number });
                Ok(ControlFlow::Continue(()))
            };
            assert!(
                context.take(line(number, ""), "", *is_match, &mut each).unwrap().is_continue()
            );
        }
        shown
    }

    #[test]
    fn groups_are_separated_and_overlaps_joined() {
        let matches = |numbers: &[usize]| -> Vec<bool> {
            (1..=12).map(|number| numbers.contains(&number)).collect()
        };
        assert_eq!(shown(&matches(&[2, 9]), 1, 0), [-1, 2, -3, 0, -8, 9, -10]);
        assert_eq!(shown(&matches(&[2, 5]), 1, 0), [-1, 2, -3, -4, 5, -6]);
        assert_eq!(shown(&matches(&[2, 4]), 2, 0), [-1, 2, -3, 4, -5, -6]);
        assert_eq!(shown(&matches(&[2, 12]), 2, 2), [-3, -4, 0, -10, -11, 12]);
        assert_eq!(shown(&matches(&[5]), 3, 3), [-4, 5, -6, -7, -8]);
    }

    #[test]
    fn long_context_lines_are_cut() {
        let (mut context, long) = (Context::new(1, 0), "é".repeat(HELD_BYTES_MAX));
        let mut seen = Vec::new();
        for (number, is_match) in [(1, false), (2, true), (3, false)] {
            let mut each = |line: Line<'_>, text: &str| {
                seen.push((text.len(), line.is_cut_and_wanted));
                Ok(ControlFlow::Continue(()))
            };
            let _flow = context.take(line(number, &long), &long, is_match, &mut each).unwrap();
        }
        let cut = (HELD_BYTES_MAX, Some(true));
        assert_eq!(seen, [cut, (long.len(), None), cut]);
    }

    proptest! {
        #[test]
        fn lines_near_a_match_are_shown(
            matches in proptest::collection::vec(prop::bool::weighted(0.2), 0..60),
            lines in 1_u64..6,
            hidden_to in 0_u64..20,
        ) {
            let near = |number: u64| {
                (1..).zip(&matches).any(|(other, is_match)| {
                    *is_match && number.abs_diff(other) <= lines
                })
            };
            let all = 1..=matches.len() as u64;
            let expected: Vec<u64> = all.filter(|it| *it > hidden_to && near(*it)).collect();
            let shown = shown(&matches, lines, hidden_to);
            let numbers = shown.iter().filter(|it| **it != 0).map(|it| it.unsigned_abs());
            prop_assert_eq!(numbers.collect::<Vec<_>>(), expected);
        }
    }
}
