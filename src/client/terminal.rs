//! A filter that makes the output of programs safe for a terminal: colours pass, controls do not.
//!
//! Unfiltered output of a program can control the terminal: move the cursor over earlier lines,
//! change the title, or read the clipboard (OSC 52).

use crate::printable::is_hidden;
use std::fmt::Write;
use vte::{Params, Parser, Perform};

/// The sequence that resets colours.
const RESET: &str = "\u{1b}[0m";

/// A filter that passes text, line ends, tabs and colours (SGR), and drops all other controls. A
/// carriage return becomes a line end, so that nothing is overwritten.
#[derive(Default)]
pub struct TerminalText {
    parser: Parser,
    shown: Shown,
}

impl TerminalText {
    /// Filters the next bytes. A sequence may continue in the bytes of the next call.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.parser.advance(&mut self.shown, bytes);
        std::mem::take(&mut self.shown.text)
    }

    /// Returns the sequence that resets the colours, if any are active.
    pub fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.shown.is_coloured) { RESET } else { "" }
    }
}

/// Filters a single line, and resets its colours.
pub fn line(text: &str) -> String {
    let mut safe = TerminalText::default();
    let shown = safe.push(text.as_bytes()).replace('\n', " ");
    shown + safe.end()
}

#[derive(Default)]
struct Shown {
    text: String,
    is_coloured: bool,
}

impl Perform for Shown {
    fn print(&mut self, character: char) {
        if !is_hidden(character) {
            self.text.push(character);
        }
    }

    fn execute(&mut self, control: u8) {
        match control {
            b'\n' | b'\r' => self.text.push('\n'),
            b'\t' => self.text.push('\t'),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if action != 'm' || ignore || !intermediates.is_empty() {
            return;
        }
        let colon = |values: &[u16]| {
            let values: Vec<_> = values.iter().map(u16::to_string).collect();
            values.join(":")
        };
        let params: Vec<_> = params.iter().map(colon).collect();
        // Writing to a string cannot fail.
        let _infallible = write!(self.text, "\u{1b}[{}m", params.join(";"));
        self.is_coloured = !params.iter().all(|value| value == "0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_pass_and_nothing_else_does() {
        for (given, shown) in [
            ("plain \u{43f} text", "plain \u{43f} text"),
            ("\u{1b}[1;38:5:9mred\u{1b}[0m", "\u{1b}[1;38:5:9mred\u{1b}[0m"),
            ("a\u{1b}]52;c;ZXZpbA==\u{7}b", "ab"),
            ("a\u{1b}]0;title\u{1b}\\b", "ab"),
            ("a\u{1b}[2J\u{1b}[1;1Hb\u{1b}[?1049h", "ab"),
            ("a\u{1b}Pq#0\u{1b}\\b\u{8}\u{7}\u{0}", "ab"),
            ("a\u{9b}2Jb\u{9d}52;c;x\u{9c}", "a2Jb52;c;x"),
            ("left \u{1b}[31mon", "left \u{1b}[31mon\u{1b}[0m"),
            ("web\rdb | forged", "web db | forged"),
            ("\u{7f}a\u{202e}b\u{e0041}c", "abc"),
        ] {
            assert_eq!(line(given), shown, "{given:?}");
        }
    }

    #[test]
    fn a_sequence_in_two_pieces_is_one() {
        let mut text = TerminalText::default();
        assert_eq!(text.push(b"a\x1b]52;c;"), "a");
        assert_eq!(text.push(b"ZXZpbA==\x07b\n"), "b\n");
    }
}
