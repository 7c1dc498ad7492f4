//! Text of others made safe to show: nothing in it steers a terminal or hides what is there.

/// Whether a character is not to be seen and changes what is seen: controls, marks that turn the
/// direction of writing around (U+202A to U+202E, U+2066 to U+2069), and tags (U+E0000 to
/// U+E007F).
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text with such characters written out (`\u{1b}`), line ends and tabs apart.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) && !matches!(character, '\n' | '\t') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(printable("a\u{1b}]52;c;x\u{7}\r\n\tb"), "a\\u{1b}]52;c;x\\u{7}\\r\n\tb");
        assert_eq!(printable("\u{202e}\u{e0041}\u{9b}\u{7f}"), "\\u{202e}\\u{e0041}\\u{9b}\\u{7f}");
        assert_eq!(printable("\u{43f}\u{fc}\u{1f600}"), "\u{43f}\u{fc}\u{1f600}");
    }
}
