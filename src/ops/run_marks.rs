//! Starts and ends of runs in a log that spans several.

use super::source::{RunMark, Source};
use std::collections::VecDeque;

/// The marks that are still to be sent to one client.
#[derive(Debug, Default)]
pub struct RunMarks {
    /// In the order of the log.
    left: VecDeque<RunMark>,
    /// The last mark read: the run, and whether it was its end. Not its time, because the clock may
    /// be set back.
    known: Option<(String, bool)>,
    /// The source's transition count at that time.
    transition_count: u64,
}

impl RunMarks {
    /// Reads the marks of a source that have at least `lines` lines before them.
    pub fn behind(lines: u64, source: &dyn Source) -> Self {
        let mut marks = Self { transition_count: source.transition_count(), ..Self::default() };
        marks.add(source.run_marks());
        marks.pass_over(lines);
        marks
    }

    /// Adds marks that are new since the last read.
    pub fn renew(&mut self, source: &dyn Source) {
        if self.has_news(source) {
            // Read first: a later mark is read the next time.
            self.transition_count = source.transition_count();
            self.add(source.run_marks());
        }
    }

    /// Returns whether there may be unread marks.
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
        // The known mark may belong to a run that was removed: all that are left are newer.
        let new = marks.iter().rposition(is_known).map_or(0, |last| last + 1);
        self.known = marks.last().map(|mark| (mark.run_id.clone(), mark.is_end)).or(known);
        self.left.extend(marks.into_iter().skip(new));
    }

    fn pass_over(&mut self, lines: u64) {
        self.left.retain(|mark| mark.lines_before >= lines);
    }

    /// Takes the next mark before a line.
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
    fn each_mark_is_sent_once_before_the_next_line() {
        let mut pending = RunMarks::default();
        pending.add(marks(1, 3));
        pending.pass_over(20);
        assert!(pending.next_before(20).is_none());
        assert_eq!(pending.next_before(21).unwrap().data, 2);
        assert!(pending.next_before(30).is_none());
        // Older marks may be gone, and newer ones were added.
        pending.add(marks(3, 4));
        let rest: Vec<_> = std::iter::from_fn(|| pending.next_before(u64::MAX)).collect();
        assert_eq!(rest.iter().map(|mark| &mark.data).collect::<Vec<_>>(), [3, 4]);
    }
}
