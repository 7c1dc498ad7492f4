//! Secret settings: never displayed, given directly, by a file or by systemd.

use crate::auth;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

/// A value that no message, log line or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the value.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

/// The minimum length of a token: at ten guesses a minute, it cannot be found by trying.
const TOKEN_CHARS_MIN: usize = 16;

/// The minimum length of a password.
const PASSWORD_CHARS_MIN: usize = 8;

/// The maximum read from a file: a secret is far shorter, and a device has no end.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Parses a token, which must be valid in a header, free of blanks, and not guessable.
///
/// # Errors
/// What was expected.
pub fn token(value: &str) -> Result<Secret, String> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic());
    let token = (is_plain && value.len() >= TOKEN_CHARS_MIN).then(|| Secret(value.to_owned()));
    token.ok_or_else(|| {
        format!("at least {TOKEN_CHARS_MIN} visible ASCII characters without blanks")
    })
}

/// Parses a user and a password.
pub(super) fn password(value: &str) -> Result<Secret, String> {
    let is_long = |part: &str| part.chars().count() >= PASSWORD_CHARS_MIN;
    let is_pair =
        value.split_once(':').is_some_and(|(user, password)| !user.is_empty() && is_long(password));
    let password = (is_pair && !value.contains(char::is_control)).then(|| Secret(value.to_owned()));
    password.ok_or_else(|| {
        format!("user:password, with at least {PASSWORD_CHARS_MIN} characters in the password")
    })
}

/// Reads a secret from a file, ignoring one line end at its end.
pub(super) fn file(path: &str, read: fn(&str) -> Result<Secret, String>) -> Result<Secret, String> {
    let mut content = String::new();
    let opened = fs::File::open(Path::new(path));
    let taken = opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut content));
    taken.map_err(|error| format!("a readable file ({error})"))?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    let line = line.strip_suffix('\r').unwrap_or(line);
    read(line).map_err(|expected| format!("a file that holds {expected}"))
}

/// Returns whether other users can read or change a file.
pub(super) fn is_for_others(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|metadata| auth::is_for_others(&metadata))
}

/// Sets a value that is not set yet. Only a secret can be set twice: directly and by a file.
pub(super) fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), String> {
    if slot.is_some() {
        return Err("no file, because the secret is also given directly".to_owned());
    }
    *slot = Some(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_a_secret() {
        let secret = token("hunter2-hunter2-hunter2");
        assert!(secret.is_ok() && !format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn secrets_that_no_client_can_send_are_refused() {
        for bad in [
            "",
            "a token with blanks",
            "a-token-with-a-tab\t",
            "umlauts-\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
        ] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "user", "user:", ":password", "user:password\n"] {
            assert!(password(bad).is_err(), "{bad:?}");
        }
        assert!(password("user:pass:word with blanks").is_ok());
    }

    #[test]
    fn guessable_secrets_are_refused() {
        assert!(token("fifteen-letters").is_err() && token("sixteen--letters").is_ok());
        assert!(password("user:seven77").is_err() && password("user:eight888").is_ok());
    }
}
