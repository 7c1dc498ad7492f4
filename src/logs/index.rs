//! Index of a log: marks at intervals, so that a line is found without reading all before it.

/// The least number of bytes between two marks: the size of one read.
const MARK_BYTES: u64 = 64 * 1024;

/// A position in a file at which a line begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Number of lines that ended before it, in this file.
    pub lines: u64,
    /// Position in bytes.
    pub at: u64,
}

/// The marks of one file, in order. The first is the file's beginning. 16 bytes for each 64 KiB: a
/// log of 1 GiB has 256 KiB of them.
#[derive(Clone, Debug)]
pub struct Index(Vec<Mark>);

impl Index {
    /// Creates the index of an empty file.
    pub fn new() -> Self {
        Self(vec![Mark::default()])
    }

    /// Adds a position at which a line begins, if it is far enough from the last mark.
    pub fn note(&mut self, mark: Mark) {
        let last = self.0.last().copied().unwrap_or_default();
        if mark.at < last.at {
            // Somebody else truncated the file: the marks are of what is gone.
            *self = Self::new();
        } else if mark.at - last.at >= MARK_BYTES {
            self.0.push(mark);
        }
    }

    /// Returns the last mark with at most this many lines before it.
    pub fn before_line(&self, lines: u64) -> Mark {
        let behind = self.0.partition_point(|mark| mark.lines <= lines);
        self.0.get(behind.wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// Returns the last mark at or before a position.
    pub fn before_position(&self, at: u64) -> Mark {
        let behind = self.0.partition_point(|mark| mark.at <= at);
        self.0.get(behind.wrapping_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_mark_before_a_line_or_position_is_found() {
        let mut index = Index::new();
        for number in 1..=10 {
            index.note(Mark { lines: number * 100, at: number * MARK_BYTES });
            index.note(Mark { lines: number * 100 + 1, at: number * MARK_BYTES + 5 });
        }
        assert_eq!(index.before_line(99), Mark::default());
        assert_eq!(index.before_line(100).at, MARK_BYTES);
        assert_eq!(index.before_line(250).lines, 200);
        assert_eq!(index.before_line(u64::MAX).lines, 1000);
        assert_eq!(index.before_position(MARK_BYTES - 1), Mark::default());
        assert_eq!(index.before_position(3 * MARK_BYTES).lines, 300);
    }

    #[test]
    fn truncated_file_is_indexed_again() {
        let mut index = Index::new();
        index.note(Mark { lines: 100, at: MARK_BYTES });
        index.note(Mark { lines: 101, at: 70 });
        assert_eq!(index.before_line(1000), Mark::default());
    }
}
