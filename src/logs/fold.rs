//! The beginning and the end of a content that is too large, and one line between that says so.

use std::collections::VecDeque;

/// The fewest bytes that a content can be cut to: the line between needs most of them.
pub const FOLD_BYTES_MIN: usize = 256;

/// Gathers lines, keeping at most so many bytes of them. Memory: twice the limit.
#[derive(Debug)]
pub struct Fold {
    bytes_max: usize,
    /// How many bytes of lines there may be on each side of the line between.
    half: usize,
    /// Every line, while they fit.
    all: Option<Vec<String>>,
    head: Side<Vec<String>>,
    tail: Side<VecDeque<String>>,
    /// The number of the first line that is not whole in the head.
    first_left_out: Option<u64>,
    lines: u64,
    /// The bytes of all lines, with a line end after each.
    bytes: usize,
}

/// The lines on one side.
#[derive(Debug, Default)]
struct Side<L> {
    lines: L,
    /// Their bytes, with a line end after each.
    bytes: usize,
    /// Whether the line next to the gap is not whole.
    is_cut: bool,
}

/// What is left out, for the line that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omission {
    /// The number of the last line before it.
    pub after: u64,
    /// How many lines are not here, or not whole.
    pub lines: u64,
    /// How many bytes are not here.
    pub bytes: usize,
}

impl Fold {
    /// Keeps at most `bytes_max` bytes, which are at least `FOLD_BYTES_MIN`, where the line
    /// between takes at most `note_bytes`.
    #[must_use]
    pub fn new(bytes_max: usize, note_bytes: usize) -> Self {
        // Two line ends stand beside the line between.
        let half = bytes_max.saturating_sub(note_bytes + 2) / 2;
        Self {
            bytes_max,
            half,
            all: Some(Vec::new()),
            head: Side::default(),
            tail: Side::default(),
            first_left_out: None,
            lines: 0,
            bytes: 0,
        }
    }

    /// Takes one more line.
    pub fn push(&mut self, number: u64, text: &str) {
        self.lines += 1;
        self.bytes += text.len() + 1;
        // The last line has no end of its own.
        if self.bytes > self.bytes_max + 1 {
            self.all = None;
        }
        if let Some(all) = &mut self.all {
            all.push(text.to_owned());
        }
        self.push_to_head(number, text);
        self.push_to_tail(text);
    }

    /// The content, with what `note` says between where something is left out, and that.
    pub fn finish(self, note: impl FnOnce(Omission) -> String) -> (String, Option<Omission>) {
        if let Some(all) = self.all {
            return (all.join("\n"), None);
        }
        let whole = |lines: usize, is_cut: bool| (lines - usize::from(is_cut)) as u64;
        let shown = whole(self.head.lines.len(), self.head.is_cut)
            + whole(self.tail.lines.len(), self.tail.is_cut);
        let omission = Omission {
            after: self.first_left_out.unwrap_or(1) - 1,
            lines: self.lines.saturating_sub(shown),
            bytes: self.bytes.saturating_sub(self.head.bytes + self.tail.bytes),
        };
        let mut lines = self.head.lines;
        lines.push(note(omission));
        lines.extend(self.tail.lines);
        (lines.join("\n"), Some(omission))
    }

    fn push_to_head(&mut self, number: u64, text: &str) {
        if self.first_left_out.is_some() {
            return;
        }
        if self.head.bytes + text.len() < self.half {
            self.head.bytes += text.len() + 1;
            self.head.lines.push(text.to_owned());
            return;
        }
        self.first_left_out = Some(number);
        // A first line that is too large by itself is shown by its beginning.
        if self.head.lines.is_empty() {
            let end = text.floor_char_boundary(self.half.saturating_sub(1));
            self.head.bytes += end + 1;
            self.head.lines.push(text[..end].to_owned());
            self.head.is_cut = true;
        }
    }

    fn push_to_tail(&mut self, text: &str) {
        let begin = text.ceil_char_boundary((text.len() + 1).saturating_sub(self.half));
        self.tail.bytes += text.len() - begin + 1;
        self.tail.lines.push_back(text[begin..].to_owned());
        while self.tail.bytes > self.half && self.tail.lines.len() > 1 {
            let dropped = self.tail.lines.pop_front().unwrap_or_default();
            self.tail.bytes -= dropped.len() + 1;
            self.tail.is_cut = false;
        }
        if self.tail.lines.len() == 1 {
            self.tail.is_cut = begin > 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOTE_BYTES: usize = 80;

    fn note(omission: Omission) -> String {
        format!("[... {} lines, {} bytes left out ...]", omission.lines, omission.bytes)
    }

    fn folded(lines: &[String], bytes_max: usize) -> (String, Option<Omission>) {
        let mut fold = Fold::new(bytes_max, NOTE_BYTES);
        for (index, line) in lines.iter().enumerate() {
            fold.push(index as u64 + 1, line);
        }
        fold.finish(note)
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let lines: Vec<String> = (1..=1000).map(|number| format!("line {number}")).collect();
        let (content, omission) = folded(&lines, 400);
        let omission = omission.unwrap();
        assert!(
            content.starts_with("line 1\nline 2\n") && content.ends_with("line 999\nline 1000")
        );
        let kept = content.lines().count() as u64 - 1;
        assert_eq!((omission.lines, kept + omission.lines), (1000 - kept, 1000));
        assert!(content.contains(&format!("line {}\n[...", omission.after)), "{content}");
    }

    #[test]
    fn a_line_that_is_too_large_by_itself_is_cut_inside() {
        let line = "é".repeat(1000);
        let (content, omission) = folded(std::slice::from_ref(&line), 300);
        assert_eq!(omission.map(|omission| (omission.after, omission.lines)), Some((0, 1)));
        assert!(content.starts_with("éé") && content.ends_with("éé") && content.len() <= 300);
    }

    proptest! {
        #[test]
        fn head_and_omission_and_tail_are_the_content(
            lines in proptest::collection::vec("[aé€\u{10348}]{0,60}|[a-z]{200,400}", 0..60),
            bytes_max in FOLD_BYTES_MIN..2000,
        ) {
            let all = lines.join("\n");
            let (content, omission) = folded(&lines, bytes_max);
            prop_assert!(content.len() <= bytes_max, "{} bytes", content.len());
            let Some(omission) = omission else {
                prop_assert_eq!(content, all);
                return Ok(());
            };
            prop_assert!(all.len() > bytes_max);
            let (head, tail) = content.split_once(&note(omission)).expect("the line between");
            prop_assert!(all.starts_with(head.trim_end_matches('\n')));
            prop_assert!(all.ends_with(tail.trim_start_matches('\n')));
            let whole_lines_before = all.lines().take(usize::try_from(omission.after).unwrap());
            let before: usize = whole_lines_before.map(|line| line.len() + 1).sum();
            prop_assert!(head.len() >= before);
            // Without the line between and its line ends, and with the line end that the last
            // line does not have: what is here and what is left out is all there is.
            let here = head.trim_end_matches('\n').len() + tail.trim_start_matches('\n').len();
            prop_assert!(here + omission.bytes <= all.len() + 1);
        }
    }
}
