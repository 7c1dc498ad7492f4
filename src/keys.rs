//! Keys of a terminal by name: the bytes that a keyboard sends.

use crate::nearest::meant;
use std::fmt;

/// The codes that the cursor keys send, which a program chooses (DECCKM).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorKeys {
    /// `ESC [ A`.
    Normal,
    /// `ESC O A`.
    Application,
}

/// The error of a name that no key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey(String);

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        let known = KEYS.iter().map(|(name, _)| *name).chain(CURSOR_KEYS.iter().map(|key| key.0));
        let nearest = meant(name, known.chain(["ctrl-c", "ctrl-d", "ctrl-space"]));
        write!(f, "no key is named {name:?}: ")?;
        match nearest {
            Some(nearest) => write!(f, "did you mean {nearest:?}?"),
            None => f.write_str(
                "give a name such as \"enter\", \"up\", \"f1\", \"ctrl-c\" or \"alt-x\", or a \
                 single character.",
            ),
        }
    }
}

impl std::error::Error for UnknownKey {}

/// The keys that always send the same bytes.
const KEYS: &[(&str, &str)] = &[
    ("enter", "\r"),
    ("tab", "\t"),
    ("shift-tab", "\x1b[Z"),
    ("esc", "\x1b"),
    ("space", " "),
    ("backspace", "\x7f"),
    ("insert", "\x1b[2~"),
    ("delete", "\x1b[3~"),
    ("page-up", "\x1b[5~"),
    ("page-down", "\x1b[6~"),
    ("f1", "\x1bOP"),
    ("f2", "\x1bOQ"),
    ("f3", "\x1bOR"),
    ("f4", "\x1bOS"),
    ("f5", "\x1b[15~"),
    ("f6", "\x1b[17~"),
    ("f7", "\x1b[18~"),
    ("f8", "\x1b[19~"),
    ("f9", "\x1b[20~"),
    ("f10", "\x1b[21~"),
    ("f11", "\x1b[23~"),
    ("f12", "\x1b[24~"),
];

/// The keys that send one of two codes, and its last character.
const CURSOR_KEYS: &[(&str, char)] =
    &[("up", 'A'), ("down", 'B'), ("right", 'C'), ("left", 'D'), ("home", 'H'), ("end", 'F')];

/// Returns the bytes of a key. Names are case-insensitive; a single character stands for itself.
///
/// # Errors
/// `UnknownKey`, whose text names the nearest.
pub fn bytes_of(name: &str, cursor_keys: CursorKeys) -> Result<Vec<u8>, UnknownKey> {
    let plain = |name: &str| plain_bytes(name, cursor_keys);
    let modified = |prefix: &str| {
        let (modifier, key) = name.split_at_checked(prefix.len())?;
        modifier.eq_ignore_ascii_case(prefix).then_some(key)
    };
    let bytes = if let Some(key) = modified("ctrl-") {
        control(key).map(|byte| vec![byte])
    } else if let Some(key) = modified("alt-") {
        plain(key).map(|bytes| [b"\x1b", &*bytes].concat())
    } else {
        plain(name)
    };
    bytes.ok_or_else(|| UnknownKey(name.to_owned()))
}

fn plain_bytes(name: &str, cursor_keys: CursorKeys) -> Option<Vec<u8>> {
    let mut characters = name.chars();
    if let (Some(character), None) = (characters.next(), characters.next()) {
        return (!character.is_control()).then(|| name.as_bytes().to_vec());
    }
    let is_named = |known: &str| known.eq_ignore_ascii_case(name);
    if let Some((_, bytes)) = KEYS.iter().find(|(known, _)| is_named(known)) {
        return Some(bytes.as_bytes().to_vec());
    }
    let (_, last) = CURSOR_KEYS.iter().find(|(known, _)| is_named(known))?;
    let between = if cursor_keys == CursorKeys::Application { 'O' } else { '[' };
    Some(format!("\x1b{between}{last}").into_bytes())
}

/// Returns the control character of a key, as a keyboard sends it.
fn control(key: &str) -> Option<u8> {
    if key.eq_ignore_ascii_case("space") {
        return Some(0);
    }
    match key.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase() & 0x1f),
        [sign @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(sign & 0x1f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(name: &str) -> Result<Vec<u8>, UnknownKey> {
        bytes_of(name, CursorKeys::Normal)
    }

    #[test]
    fn keys_send_the_bytes_of_an_xterm() {
        for (name, bytes) in [
            ("enter", "\r"),
            ("Tab", "\t"),
            ("ESC", "\x1b"),
            ("space", " "),
            ("backspace", "\x7f"),
            ("delete", "\x1b[3~"),
            ("up", "\x1b[A"),
            ("Left", "\x1b[D"),
            ("home", "\x1b[H"),
            ("page-up", "\x1b[5~"),
            ("f1", "\x1bOP"),
            ("F12", "\x1b[24~"),
            ("ctrl-a", "\x01"),
            ("Ctrl-Z", "\x1a"),
            ("ctrl-space", "\0"),
            ("ctrl-[", "\x1b"),
            ("alt-x", "\x1bx"),
            ("alt-X", "\x1bX"),
            ("alt-enter", "\x1b\r"),
            ("shift-tab", "\x1b[Z"),
            ("q", "q"),
            ("é", "é"),
        ] {
            assert_eq!(normal(name).unwrap(), bytes.as_bytes(), "{name}");
        }
        assert_eq!(bytes_of("up", CursorKeys::Application).unwrap(), b"\x1bOA");
        assert_eq!(bytes_of("end", CursorKeys::Application).unwrap(), b"\x1bOF");
        assert_eq!(bytes_of("alt-up", CursorKeys::Application).unwrap(), b"\x1b\x1bOA");
    }

    #[test]
    fn unknown_names_get_the_nearest() {
        for (name, nearest) in [("entr", "enter"), ("pageup", "page-up"), ("ctl-c", "ctrl-c")] {
            let error = normal(name).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean {nearest:?}?")), "{error}");
        }
        for name in ["", "ctrl-", "alt-", "ctrl-1", "meta-x", "f13", "ctrl-up", "\u{3}", "ctrl-é"]
        {
            assert!(normal(name).is_err(), "{name:?}");
        }
        assert!(normal("hello world").unwrap_err().to_string().contains("\"ctrl-c\""));
    }
}
