//! Escaping of untrusted text, so that it can neither control a terminal nor hide its content.

/// Returns whether a character is invisible and changes what is shown: control characters,
/// bidirectional formatting (U+202A to U+202E, U+2066 to U+2069), and tags (U+E0000 to U+E007F).
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes such characters (`\u{1b}`), except newlines and tabs.
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
    fn control_sequences_are_escaped() {
        assert_eq!(printable("a\u{1b}]52;c;x\u{7}\r\n\tb"), "a\\u{1b}]52;c;x\\u{7}\\r\n\tb");
        assert_eq!(printable("\u{202e}\u{e0041}\u{9b}\u{7f}"), "\\u{202e}\\u{e0041}\\u{9b}\\u{7f}");
        assert_eq!(printable("\u{43f}\u{fc}\u{1f600}"), "\u{43f}\u{fc}\u{1f600}");
    }
}
