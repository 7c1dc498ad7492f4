//! Where runs begin and end in a log that spans several.

use super::log_page::Source;
use serde_json::Value;
use std::collections::VecDeque;

/// The begin or the end of a run.
#[derive(Clone, Debug)]
pub struct RunMark {
    /// How many lines there are before it.
    pub lines_before: u64,
    /// Which run, by its id.
    pub run_id: String,
    /// Whether it is the end.
    pub is_end: bool,
    /// What is told of it.
    pub data: Value,
}

/// The marks that one client is still to be told.
#[derive(Debug, Default)]
pub struct RunMarks {
    /// In the order of the log.
    left: VecDeque<RunMark>,
    /// The last of those that were looked at: the run, and whether it was its end. Not when it
    /// was, because the clock may be set back.
    known: Option<(String, bool)>,
    /// How far the source was then.
    transition_count: u64,
}

impl RunMarks {
    /// Those of a source that have at least so many lines before them.
    pub fn behind(lines: u64, source: &dyn Source) -> Self {
        let mut marks = Self { transition_count: source.transition_count(), ..Self::default() };
        marks.add(source.run_marks());
        marks.pass_over(lines);
        marks
    }

    /// Adds those that are new since the last look.
    pub fn renew(&mut self, source: &dyn Source) {
        if self.has_news(source) {
            // Read first: what comes behind it is looked at the next time.
            self.transition_count = source.transition_count();
            self.add(source.run_marks());
        }
    }

    /// Whether there may be marks that were never looked at.
    pub fn has_news(&self, source: &dyn Source) -> bool {
        source.transition_count() != self.transition_count
    }

    fn add(&mut self, marks: Vec<RunMark>) {
        let known = self.known.take();
        let is_known = |mark: &RunMark| {
            known
                .as_ref()
                .is_some_and(|(run_id, is_end)| (&mark.run_id, &mark.is_end) == (run_id, is_end))
        };
        // Of a run that is forgotten by now: all that are left came behind it.
        let new = marks.iter().rposition(is_known).map_or(0, |last| last + 1);
        self.known = marks.last().map(|mark| (mark.run_id.clone(), mark.is_end)).or(known);
        self.left.extend(marks.into_iter().skip(new));
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
        let mark = |number: u64| RunMark {
            lines_before: number * 10,
            run_id: (number / 2).to_string(),
            is_end: number % 2 == 1,
            data: number.into(),
        };
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
