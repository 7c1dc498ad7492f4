//! Truncation of text that is too large: its beginning, its end, and one line between that says so.

use std::collections::VecDeque;

/// The smallest size to which a text can be cut, in bytes: the line between needs most of it.
pub const FOLD_BYTES_MIN: usize = 256;

/// A collector of lines that keeps at most a number of bytes. Memory: twice the limit.
#[derive(Debug)]
pub struct Fold {
    bytes_max: usize,
    /// Maximum number of bytes on each side of the line between.
    half: usize,
    /// All lines while they fit, then the head, each with a line end.
    begin: String,
    head: Side,
    /// The last lines, each with a line end. Those before `tail_from` are dropped already.
    end: String,
    tail_from: usize,
    tail: Side,
    /// The separators in the tail: which line each is before, counted from 1, and its bytes.
    separators: VecDeque<(u64, usize)>,
    /// Number of the first line that is not whole in the head.
    first_left_out: Option<u64>,
    lines: u64,
    /// Bytes of all lines, with a line end after each.
    bytes: usize,
    /// Whether lines were skipped whose bytes are unknown.
    has_gap: bool,
}

/// The lines on one side.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    lines: u64,
    /// Their bytes, with a line end after each.
    bytes: usize,
    /// Whether the line next to the gap is not whole.
    is_cut: bool,
}

/// What is left out, for the line that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omission {
    /// Number of the last line before it.
    pub after: u64,
    /// Number of lines that are missing, or not whole.
    pub lines: u64,
    /// Number of bytes that are missing, if they were counted.
    pub bytes: Option<usize>,
    /// Number of lines that are shown, in part or whole.
    pub shown: u64,
}

impl Fold {
    /// Creates a collector that keeps at most `bytes_max` bytes, which are at least
    /// `FOLD_BYTES_MIN`, with a line between of at most `note_bytes`.
    #[must_use]
    pub fn new(bytes_max: usize, note_bytes: usize) -> Self {
        // Two line ends stand beside the line between.
        let half = bytes_max.saturating_sub(note_bytes + 2) / 2;
        Self {
            bytes_max,
            half,
            begin: String::new(),
            head: Side::default(),
            end: String::new(),
            tail_from: 0,
            tail: Side::default(),
            separators: VecDeque::new(),
            first_left_out: None,
            lines: 0,
            bytes: 0,
            has_gap: false,
        }
    }

    /// Returns the maximum number of lines that one side can hold.
    #[must_use]
    pub fn side_lines_max(&self) -> u64 {
        u64::try_from(self.half).unwrap_or(u64::MAX)
    }

    /// Skips this many lines, from `number` on, without having seen them. Those before are at least
    /// as many as one side can hold, and so are those after.
    pub fn skip(&mut self, number: u64, lines: u64) {
        let fitted = self.fits();
        self.has_gap = true;
        self.lines += lines;
        self.first_left_out.get_or_insert(number);
        if fitted {
            self.keep_head("");
        }
        self.clear_tail();
    }

    /// Adds a line.
    pub fn push(&mut self, number: u64, text: &str) {
        self.add(number, "", text);
    }

    /// Adds a line with a separator before it, on a line of its own that does not count.
    pub fn push_after(&mut self, number: u64, separator: &str, text: &str) {
        self.add(number, &format!("{separator}\n"), text);
    }

    fn add(&mut self, number: u64, separator: &str, text: &str) {
        let fitted = self.fits();
        self.lines += 1;
        self.bytes += separator.len() + text.len() + 1;
        self.push_to_head(number, separator, text);
        if self.fits() {
            self.begin.push_str(separator);
            self.begin.push_str(text);
            self.begin.push('\n');
        } else if fitted {
            self.keep_head(text);
        }
        self.push_to_tail(separator, text);
    }

    /// Returns the text, with the line of `note` in place of what is left out, and the omission.
    pub fn finish(mut self, note: impl FnOnce(Omission) -> String) -> (String, Option<Omission>) {
        if self.fits() {
            // The last line has no line end.
            self.begin.pop();
            return (self.begin, None);
        }
        let whole = |side: Side| side.lines - u64::from(side.is_cut);
        let omission = Omission {
            after: self.first_left_out.unwrap_or(1) - 1,
            lines: self.lines.saturating_sub(whole(self.head) + whole(self.tail)),
            bytes: (!self.has_gap)
                .then(|| self.bytes.saturating_sub(self.head.bytes + self.tail.bytes)),
            // A line of which both ends are shown counts once.
            shown: self.lines.min(self.head.lines + self.tail.lines),
        };
        let end = &self.end[self.tail_from..];
        let end = end.strip_suffix('\n').unwrap_or(end);
        (format!("{}{}\n{end}", self.begin, note(omission)), Some(omission))
    }

    /// Whether all lines fit. The last one has no line end.
    fn fits(&self) -> bool {
        self.bytes <= self.bytes_max + 1 && !self.has_gap
    }

    fn push_to_head(&mut self, number: u64, separator: &str, text: &str) {
        if self.first_left_out.is_some() {
            return;
        }
        if self.head.bytes + separator.len() + text.len() < self.half {
            self.head.bytes += separator.len() + text.len() + 1;
            self.head.lines += 1;
            return;
        }
        self.first_left_out = Some(number);
        // A first line that is too large by itself is shown by its beginning.
        if self.head.lines == 0 {
            let end = text.floor_char_boundary(self.half.saturating_sub(1));
            self.head = Side { lines: 1, bytes: end + 1, is_cut: true };
        }
    }

    /// Reduces `begin` to the head, when not all lines fit any more; `text` is the line that is not
    /// in it yet.
    fn keep_head(&mut self, text: &str) {
        if self.begin.is_empty() {
            self.begin.push_str(text);
        }
        if self.head.is_cut {
            self.begin.truncate(self.head.bytes - 1);
            self.begin.push('\n');
        } else {
            self.begin.truncate(self.head.bytes);
        }
        self.begin.shrink_to_fit();
    }

    fn push_to_tail(&mut self, separator: &str, text: &str) {
        let begin = text.ceil_char_boundary((text.len() + 1).saturating_sub(self.half));
        if begin > 0 {
            self.clear_tail();
            self.tail.is_cut = true;
        } else if !separator.is_empty() {
            self.separators.push_back((self.lines, separator.len()));
            self.end.push_str(separator);
            self.tail.bytes += separator.len();
        }
        self.end.push_str(&text[begin..]);
        self.end.push('\n');
        self.tail.bytes += text.len() - begin + 1;
        self.tail.lines += 1;
        while self.tail.bytes > self.half && self.drop_from_tail() {}
        if self.tail_from > self.half {
            self.end.drain(..self.tail_from);
            self.tail_from = 0;
        }
    }

    /// Drops the separator at the beginning of the tail, or the first line if there is none.
    /// Returns false if there is only one line left.
    fn drop_from_tail(&mut self) -> bool {
        let first = self.lines + 1 - self.tail.lines;
        let separator = self.separators.pop_front_if(|(line, _)| *line == first);
        let dropped = match separator {
            Some((_, bytes)) => bytes,
            None if self.tail.lines > 1 => {
                self.tail.lines -= 1;
                self.tail.is_cut = false;
                self.end[self.tail_from..].find('\n').map_or(0, |newline| newline + 1)
            }
            None => return false,
        };
        self.tail_from += dropped;
        self.tail.bytes -= dropped;
        true
    }

    fn clear_tail(&mut self) {
        self.end.clear();
        self.separators.clear();
        (self.tail_from, self.tail) = (0, Side::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOTE_BYTES: usize = 80;

    fn note(omission: Omission) -> String {
        let bytes = omission.bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        format!("[... {} lines{bytes} left out ...]", omission.lines)
    }

    fn folded(lines: &[String], bytes_max: usize) -> (String, Option<Omission>) {
        let mut fold = Fold::new(bytes_max, NOTE_BYTES);
        for (index, line) in lines.iter().enumerate() {
            fold.push(index as u64 + 1, line);
        }
        fold.finish(note)
    }

    #[test]
    fn beginning_and_end_are_kept() {
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
    fn oversized_line_is_cut_inside() {
        let line = "é".repeat(1000);
        let (content, omission) = folded(std::slice::from_ref(&line), 300);
        assert_eq!(omission.map(|omission| (omission.after, omission.lines)), Some((0, 1)));
        assert!(content.starts_with("éé") && content.ends_with("éé") && content.len() <= 300);
    }

    proptest! {
        #[test]
        fn head_omission_and_tail_add_up(
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
            // Without the line between and its line ends, and with the line end that the last line
            // does not have: what is shown and what is left out is all there is.
            let here = head.trim_end_matches('\n').len() + tail.trim_start_matches('\n').len();
            prop_assert!(here + omission.bytes.expect("they were seen") <= all.len() + 1);
        }

        #[test]
        fn separators_are_kept_whole_and_not_counted(
            lines in proptest::collection::vec((any::<bool>(), "[aé]{0,20}|[a-z]{200,400}"), 1..90),
            bytes_max in FOLD_BYTES_MIN..1500,
        ) {
            let mut fold = Fold::new(bytes_max, NOTE_BYTES);
            let mut all = String::new();
            for ((is_apart, text), number) in lines.iter().zip(1..) {
                if *is_apart && number > 1 {
                    fold.push_after(number, "--", text);
                    all += "--\n";
                } else {
                    fold.push(number, text);
                }
                all += text;
                all.push('\n');
            }
            let (content, omission) = fold.finish(note);
            prop_assert!(content.len() <= bytes_max, "{} bytes", content.len());
            let Some(omission) = omission else {
                prop_assert_eq!(content.trim_end(), all.trim_end());
                return Ok(());
            };
            let (head, tail) = content.split_once(&note(omission)).expect("the line between");
            prop_assert!(all.starts_with(head.trim_end_matches('\n')));
            prop_assert!(all.trim_end().ends_with(tail.trim()));
            let shown = head.lines().chain(tail.split('\n').skip(1));
            let shown = shown.filter(|line| *line != "--").count() as u64;
            let is_cut = omission.lines + shown > lines.len() as u64;
            prop_assert!(shown == omission.shown || is_cut, "{} {:?}", shown, omission);
            prop_assert!(omission.lines + omission.shown >= lines.len() as u64);
        }

        #[test]
        fn skipped_lines_count_like_seen_ones(
            lines in proptest::collection::vec("[a-zé]{0,9}", 1000..2000),
            bytes_max in FOLD_BYTES_MIN..800,
        ) {
            let (content, omission) = folded(&lines, bytes_max);
            let mut fold = Fold::new(bytes_max, NOTE_BYTES);
            let side = usize::try_from(fold.side_lines_max()).unwrap();
            let numbered = || lines.iter().zip(1_u64..);
            numbered().take(side).for_each(|(line, number)| fold.push(number, line));
            fold.skip(side as u64 + 1, (lines.len() - 2 * side) as u64);
            numbered().skip(lines.len() - side).for_each(|(line, number)| fold.push(number, line));
            let (skipped, gap) = fold.finish(note);
            let lines_of = |text: &str| -> Vec<String> {
                text.lines().filter(|line| !line.starts_with("[...")).map(str::to_owned).collect()
            };
            prop_assert_eq!(lines_of(&skipped), lines_of(&content));
            let counts = |omission: Omission| (omission.after, omission.lines, omission.shown);
            prop_assert_eq!(gap.map(counts), omission.map(counts));
        }
    }
}
