//! A terminal emulator: the screen that a program's output makes.

use super::raw_file::ScreenSize;
use crate::catch_panic::catch_panic;
use std::num::NonZeroU16;
use vt100::{Callbacks, Parser};

/// The largest screen that is emulated, in characters: a program may ask for more, and each of them
/// takes memory.
const ROWS_MAX: u16 = 500;
const COLS_MAX: u16 = 1000;

/// The work's name in the report of a panic.
const WORK_TITLE: &str = "The terminal emulator";

/// The screen of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Its size; at most 500 lines of 1000 characters are emulated.
    pub size: ScreenSize,
    /// The line of the cursor, counted from 0.
    pub cursor_row: u16,
    /// The column of the cursor, counted from 0.
    pub cursor_col: u16,
    /// All lines, without blanks at their ends.
    pub lines: Vec<String>,
    /// The title that the program has set.
    pub title: Option<String>,
}

/// An emulator and its position in the output. A panic in the library costs the screen, never more.
pub struct Emulator {
    parser: Parser<Title>,
    size: ScreenSize,
    position: u64,
}

/// The title of the window.
#[derive(Clone, Debug, Default)]
struct Title(Option<String>);

impl Callbacks for Title {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.0 = Some(String::from_utf8_lossy(title).into_owned()).filter(|it| !it.is_empty());
    }
}

impl Emulator {
    /// Creates an empty screen.
    pub fn new(size: ScreenSize) -> Self {
        let size = fitting(size);
        Self { parser: parser(size, Title::default()), size, position: 0 }
    }

    /// Returns the number of bytes of output that it has seen or skipped.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Feeds the bytes at a position.
    pub fn feed(&mut self, at: u64, bytes: &[u8]) {
        self.position = at + bytes.len() as u64;
        let fed = catch_panic(WORK_TITLE, || self.parser.process(bytes));
        self.recover(fed);
    }

    /// Skips output that is lost.
    pub fn skip_to(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    /// Sets the size.
    pub fn resize(&mut self, size: ScreenSize) {
        let size = fitting(size);
        if size == self.size {
            return;
        }
        self.size = size;
        let resized =
            catch_panic(WORK_TITLE, || self.parser.set_size(extent(size.rows), extent(size.cols)));
        self.recover(resized);
    }

    /// Returns the screen.
    pub fn screen(&mut self) -> Screen {
        let read = catch_panic(WORK_TITLE, || {
            let screen = self.parser.screen();
            let (cursor_row, cursor_col) = screen.cursor_position();
            let lines = screen.rows(0, self.size.cols);
            let lines = lines.map(|line| line.trim_end().to_owned()).collect();
            let title = self.parser.callbacks().0.clone();
            Screen { size: self.size, cursor_row, cursor_col, lines, title }
        });
        read.unwrap_or_else(|| {
            self.recover(None);
            let lines = vec![String::new(); usize::from(self.size.rows)];
            Screen { size: self.size, cursor_row: 0, cursor_col: 0, lines, title: None }
        })
    }

    /// Whether the cursor keys are to send their application codes.
    pub fn has_application_cursor(&mut self) -> bool {
        self.parser.screen().application_cursor()
    }

    /// Begins with an empty screen after a panic.
    fn recover(&mut self, done: Option<()>) {
        if done.is_none() {
            self.parser = parser(self.size, Title::default());
        }
    }
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("position", &self.position).finish_non_exhaustive()
    }
}

fn parser(size: ScreenSize, title: Title) -> Parser<Title> {
    Parser::new_with_callbacks(extent(size.rows), extent(size.cols), 0, title)
}

fn extent(characters: u16) -> NonZeroU16 {
    NonZeroU16::new(characters).unwrap_or(NonZeroU16::MIN)
}

fn fitting(size: ScreenSize) -> ScreenSize {
    ScreenSize { rows: size.rows.clamp(1, ROWS_MAX), cols: size.cols.clamp(1, COLS_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(rows: u16, cols: u16, output: &[u8]) -> Screen {
        let mut emulator = Emulator::new(ScreenSize { rows, cols });
        emulator.feed(0, output);
        emulator.screen()
    }

    #[test]
    fn progress_that_moves_up_is_shown_as_finally_drawn() {
        let screen = shown(4, 20, b"one 10%\r\ntwo 20%\r\n\x1b[2A\x1b[Kone 100%\r\n\x1b[Ktwo 100%");
        assert_eq!(screen.lines, ["one 100%", "two 100%", "", ""]);
        assert_eq!((screen.cursor_row, screen.cursor_col), (1, 8));
    }

    #[test]
    fn alternate_screen_and_wide_characters_are_shown() {
        let screen = shown(2, 10, "main\x1b[?1049h\x1b[Hfull 漢字\x1b[?1h".as_bytes());
        assert_eq!(screen.lines, ["full 漢字", ""]);
        assert_eq!(shown(2, 10, b"main\x1b[?1049hx\x1b[?1049l").lines, ["main", ""]);
        let mut emulator = Emulator::new(ScreenSize { rows: 2, cols: 10 });
        emulator.feed(0, b"\x1b[?1h");
        assert!(emulator.has_application_cursor());
    }

    #[test]
    fn huge_terminals_are_emulated_in_part() {
        let size = shown(u16::MAX, u16::MAX, b"a").size;
        assert_eq!(size, ScreenSize { rows: ROWS_MAX, cols: COLS_MAX });
    }

    #[test]
    fn endless_title_takes_no_memory() {
        let mut output = b"\x1b]0;".to_vec();
        output.resize(8 * 1024 * 1024, b'x');
        output.extend_from_slice(b"\x07end");
        let screen = shown(2, 10, &output);
        assert_eq!(screen.lines[0], "end");
        assert!(screen.title.is_none_or(|title| title.len() <= 1024));
    }

    /// Text, sequences of any kind, and control characters.
    const PIECES: &str = "\\PC{0,20}|\x1b\\[[0-9;?]{0,8}[@-~]|\x1b[ -~]{1,3}|[\\x00-\\x1f]{0,4}";

    proptest! {
        #[test]
        fn no_output_breaks_the_screen(
            pieces in proptest::collection::vec((PIECES, 1_u16..30, 1_u16..40), 0..40),
        ) {
            let mut emulator = Emulator::new(ScreenSize { rows: 3, cols: 9 });
            for (piece, rows, cols) in pieces {
                emulator.feed(emulator.position(), piece.as_bytes());
                emulator.resize(ScreenSize { rows, cols });
                let screen = emulator.screen();
                prop_assert_eq!(screen.lines.len(), usize::from(rows));
            }
        }
    }
}
