//! Where runs begin and end in a log that spans several.

use super::logs::Source;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::VecDeque;

/// The begin or the end of a run.
#[derive(Clone, Debug)]
pub struct RunMark {
    /// How many lines there are before it.
    pub lines_before: u64,
    /// When it was.
    pub at: DateTime<Utc>,
    /// What is told of it.
    pub data: Value,
}

/// The marks that one client is still to be told.
#[derive(Debug, Default)]
pub struct RunMarks {
    /// In the order of the log.
    left: VecDeque<RunMark>,
    /// When the last of those was that were looked at.
    known: Option<DateTime<Utc>>,
    /// How far the source was then.
    turns: u64,
}

impl RunMarks {
    /// Those of a source that have at least so many lines before them.
    pub fn behind(lines: u64, source: &dyn Source) -> Self {
        let mut marks = Self { turns: source.turns(), ..Self::default() };
        marks.add(source.run_marks());
        marks.pass_over(lines);
        marks
    }

    /// Adds those that are new since the last look.
    pub fn renew(&mut self, source: &dyn Source) {
        if self.has_news(source) {
            // Read first: what comes behind it is looked at the next time.
            self.turns = source.turns();
            self.add(source.run_marks());
        }
    }

    /// Whether there may be marks that were never looked at.
    pub fn has_news(&self, source: &dyn Source) -> bool {
        source.turns() != self.turns
    }

    fn add(&mut self, marks: Vec<RunMark>) {
        let known = self.known;
        self.known = marks.last().map(|mark| mark.at).or(known);
        self.left.extend(marks.into_iter().filter(|mark| Some(mark.at) > known));
    }

    fn pass_over(&mut self, lines: u64) {
        self.left.retain(|mark| mark.lines_before >= lines);
    }

    /// The next one before a line, which is told by that.
    pub fn next_before(&mut self, line: u64) -> Option<RunMark> {
        self.left.pop_front_if(|mark| mark.lines_before < line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(from: u64, to: u64) -> Vec<RunMark> {
        let at =
            |number: u64| DateTime::UNIX_EPOCH + chrono::Duration::seconds(number.cast_signed());
        let mark =
            |number| RunMark { lines_before: number * 10, at: at(number), data: number.into() };
        (from..=to).map(mark).collect()
    }

    #[test]
    fn each_mark_is_told_once_before_the_line_that_follows_it() {
        let mut told = RunMarks::default();
        told.add(marks(1, 3));
        told.pass_over(20);
        assert!(told.next_before(20).is_none());
        assert_eq!(told.next_before(21).unwrap().data, 2);
        assert!(told.next_before(30).is_none());
        // Older ones may be gone, and newer ones have come.
        told.add(marks(3, 4));
        let rest: Vec<_> = std::iter::from_fn(|| told.next_before(u64::MAX)).collect();
        assert_eq!(rest.iter().map(|mark| &mark.data).collect::<Vec<_>>(), [3, 4]);
    }
}
