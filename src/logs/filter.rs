//! Filtering of lines by an expression, and stripping of escape sequences and redrawing.

use super::error::Result;
use super::grep::{Grep, IsAbandoned};
use super::lines::Line;
use super::long_line::Search;
use std::borrow::Cow;
use std::io;
use vte::{Params, Parser, Perform};

/// Maximum number of cells that one line may blank repeatedly, in all: thousands of redraws of a
/// wide line.
const BLANKED_MAX: usize = 4 * 1024 * 1024;

/// Maximum width of a redrawn line, in characters, by moving the cursor past its end.
const COLUMNS_MAX: usize = 4096;

/// The filter that lines pass before they are counted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    grep: Option<Grep>,
    strips_ansi: bool,
    context: u64,
}

impl Filter {
    /// Creates a filter that keeps lines which match `grep` (all, if it is `None`). Escape
    /// sequences are stripped first if `strips_ansi`. `is_abandoned` returns whether nobody waits
    /// for the result.
    ///
    /// # Errors
    /// `Input` if the expression is invalid or too large.
    pub fn new(
        grep: Option<&str>,
        strips_ansi: bool,
        is_abandoned: Option<IsAbandoned>,
    ) -> Result<Self> {
        let grep = grep.map(|grep| Grep::new("grep", grep, is_abandoned)).transpose()?;
        Ok(Self { grep, strips_ansi, context: 0 })
    }

    /// Lets this many lines pass on each side of a line that matches.
    #[must_use]
    pub fn with_context(self, context: u64) -> Self {
        Self { context, ..self }
    }

    /// Returns the number of lines that pass on each side of one that matches.
    #[must_use]
    pub fn context(&self) -> u64 {
        if self.passes_all() { 0 } else { self.context }
    }

    /// Creates a filter that keeps lines which match an expression, without their escape sequences.
    /// `name` is that of the parameter.
    ///
    /// # Errors
    /// `Input` if the expression is invalid or too large.
    pub fn matching(name: &str, expression: &str, is_abandoned: IsAbandoned) -> Result<Self> {
        let grep = Some(Grep::new(name, expression, Some(is_abandoned))?);
        Ok(Self { grep, strips_ansi: true, context: 0 })
    }

    /// Whether every line passes unchanged.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.grep.is_none() && !self.strips_ansi
    }

    /// Whether every line passes, maybe changed.
    #[must_use]
    pub fn passes_all(&self) -> bool {
        self.grep.is_none()
    }

    /// Returns what is left of a line; `None` if it does not match.
    ///
    /// # Errors
    /// `ConnectionAborted` if nobody waits for the answer any more.
    pub fn apply<'a>(&self, text: &'a str) -> io::Result<Option<Cow<'a, str>>> {
        let text = self.strip(text);
        let is_wanted = match &self.grep {
            Some(grep) => grep.is_match(&text)?,
            None => true,
        };
        Ok(is_wanted.then_some(text))
    }

    /// Returns what is left of a line, and whether it matches.
    ///
    /// # Errors
    /// `ConnectionAborted` if nobody waits for the answer any more.
    pub(super) fn examine<'a>(&self, line: &Line<'a>) -> io::Result<(Cow<'a, str>, bool)> {
        let text = self.strip(line.text);
        let is_match = match (line.is_cut_and_wanted, &self.grep) {
            (Some(is_wanted), _) => is_wanted,
            (None, Some(grep)) => grep.is_match(&text)?,
            (None, None) => true,
        };
        Ok((text, is_match))
    }

    /// Strips the beginning of a line, whether it matches or not.
    #[must_use]
    pub fn strip<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let needs_screen = |byte: u8| byte < 0x20 && byte != b'\t' || byte == 0x7f;
        if self.strips_ansi && text.bytes().any(needs_screen) {
            Cow::Owned(as_on_a_screen(text))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// Returns a search for a line that is not held whole; `None` if every line passes.
    pub(super) fn search(&self) -> Option<Search> {
        self.grep.as_ref().map(|grep| grep.search(self.strips_ansi))
    }
}

/// Returns what a screen with this line alone would show.
fn as_on_a_screen(text: &str) -> String {
    let (mut parser, mut screen) = (Parser::new(), ScreenLine::default());
    parser.advance(&mut screen, text.as_bytes());
    screen.cells.into_iter().collect()
}

/// A screen of one line, and its cursor.
#[derive(Default)]
struct ScreenLine {
    cells: Vec<char>,
    cursor: usize,
    /// Number of cells that were blanked: a line that does little else is left as it is.
    blanked: usize,
}

impl ScreenLine {
    fn move_to(&mut self, column: usize) {
        self.cursor = column.min(COLUMNS_MAX);
    }

    fn erase(&mut self, what: u16) {
        match what {
            0 => self.cells.truncate(self.cursor),
            1 => {
                let end = (self.cursor + 1).min(self.cells.len());
                self.blanked += end;
                if self.blanked <= BLANKED_MAX {
                    self.cells[..end].fill(' ');
                }
            }
            _ => self.cells.clear(),
        }
    }

    /// Moves the cursor off the row. There is but one row here, so what follows is set apart after
    /// the rest.
    fn leave_row(&mut self) {
        let is_apart = self.cells.last().is_none_or(|cell| *cell == ' ');
        self.cursor = self.cells.len() + usize::from(!is_apart);
    }
}

impl Perform for ScreenLine {
    fn print(&mut self, character: char) {
        if self.cells.len() <= self.cursor {
            // A cursor that was moved past the end leaves blanks.
            self.cells.resize(self.cursor, ' ');
            self.cells.push(character);
        } else {
            self.cells[self.cursor] = character;
        }
        self.cursor += 1;
    }

    fn execute(&mut self, control: u8) {
        match control {
            b'\r' => self.cursor = 0,
            b'\t' => self.print('\t'),
            0x08 => self.cursor = self.cursor.saturating_sub(1),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let given = params.iter().next().and_then(|values| values.first().copied()).unwrap_or(0);
        let count = usize::from(given.max(1));
        match action {
            'K' => self.erase(given),
            'G' => self.move_to(count - 1),
            'C' => self.move_to(self.cursor + count),
            'D' => self.move_to(self.cursor.saturating_sub(count)),
            'A' | 'B' | 'E' | 'F' | 'H' | 'd' | 'f' => self.leave_row(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> String {
        Filter::new(None, true, None).unwrap().apply(text).unwrap().unwrap().into_owned()
    }

    #[test]
    fn escape_sequences_are_dropped() {
        for (text, left) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m and \u{1b}[1;32mgreen\u{1b}[m", "red and green"),
            ("\u{1b}]0;a title\u{7}text", "text"),
            ("\u{1b}]8;;http://a.example\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("a\tb", "a\tb"),
            ("bell\u{7}", "bell"),
            ("\u{1b}[38;5;208mé€𝄞\u{1b}[0m", "é€𝄞"),
            ("cut \u{1b}[3", "cut "),
            ("\u{1b}[Hpick a\u{1b}[2;1Hpick b \u{1b}[3;1Hpick c", "pick a pick b pick c"),
        ] {
            assert_eq!(stripped(text), left, "{text:?}");
        }
    }

    #[test]
    fn redrawn_lines_keep_their_last_state() {
        for (text, left) in [
            ("10%\r20%\r100%", "100%"),
            ("a long line\rshort", "shortg line"),
            ("a long line\r\u{1b}[Kshort", "short"),
            ("a long line\r\u{1b}[2Kshort", "short"),
            ("abc\u{8}\u{8}X", "aXc"),
            ("done\r", "done"),
            ("ab\u{1b}[5Gx", "ab  x"),
            ("abcdef\u{1b}[3Dx", "abcxef"),
        ] {
            assert_eq!(stripped(text), left, "{text:?}");
        }
    }

    #[test]
    fn repeated_erasures_take_linear_time() {
        let erasing =
            format!("\u{1b}[{COLUMNS_MAX}Gx\u{1b}[1K").repeat(2 * BLANKED_MAX / COLUMNS_MAX);
        let shown = stripped(&format!("{erasing}\rdone"));
        assert!(shown.starts_with("done") && shown.ends_with('x'), "{}", shown.len());
    }

    #[test]
    fn lines_are_matched_after_they_are_stripped() {
        let filter = Filter::new(Some("(?i)^error"), true, None).unwrap();
        assert_eq!(
            filter.apply("\u{1b}[31mERROR: x\u{1b}[0m").unwrap().as_deref(),
            Some("ERROR: x")
        );
        assert_eq!(filter.apply("no error").unwrap(), None);
        assert_eq!(
            Filter::new(Some("^error"), false, None).unwrap().apply("\u{1b}[31merror").unwrap(),
            None
        );
    }

    #[test]
    fn invalid_expressions_are_reported() {
        for bad in ["(", "[a", "a{100000}{100000}"] {
            let error = Filter::new(Some(bad), false, None).unwrap_err().to_string();
            assert!(error.contains("grep"), "{error}");
        }
    }
}
