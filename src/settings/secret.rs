//! Secrets among the settings: never shown, given directly, by a file or by systemd.

use rustix::process::{getegid, geteuid};
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A value that no message, log line or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
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

/// The shortest token, in characters: at ten guesses a minute nobody finds such a one by trying.
const TOKEN_CHARS_MIN: usize = 16;

/// The shortest password, in characters.
const PASSWORD_CHARS_MIN: usize = 8;

/// How much of a file is read, in bytes: a secret is far shorter, and a device has no end.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads a token: what can stand in a header, without blanks, and cannot be guessed.
///
/// # Errors
/// What it should have been.
pub fn token(value: &str) -> Result<Secret, String> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic());
    let token = (is_plain && value.len() >= TOKEN_CHARS_MIN).then(|| Secret(value.to_owned()));
    token.ok_or_else(|| {
        format!("at least {TOKEN_CHARS_MIN} visible ASCII characters without blanks")
    })
}

/// Reads a user and a password.
pub(super) fn password(value: &str) -> Result<Secret, String> {
    let is_long = |word: &str| word.chars().count() >= PASSWORD_CHARS_MIN;
    let is_pair =
        value.split_once(':').is_some_and(|(user, word)| !user.is_empty() && is_long(word));
    let password = (is_pair && !value.contains(char::is_control)).then(|| Secret(value.to_owned()));
    password.ok_or_else(|| {
        format!("user:password, with at least {PASSWORD_CHARS_MIN} characters in the password")
    })
}

/// Reads a secret from a file, where one line end at its end does not count.
pub(super) fn file(path: &str, read: fn(&str) -> Result<Secret, String>) -> Result<Secret, String> {
    let mut content = String::new();
    let opened = fs::File::open(Path::new(path));
    let taken = opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut content));
    taken.map_err(|error| format!("a file that can be read ({error})"))?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    let line = line.strip_suffix('\r').unwrap_or(line);
    read(line).map_err(|wanted| format!("a file that holds {wanted}"))
}

/// Whether other users than the server's can read or change a file: by its mode, or because it is
/// somebody else's. Its group does not count where that is the server's own.
pub(super) fn is_for_others(path: &str) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return false };
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let is_somebody_elses = metadata.uid() != uid && metadata.uid() != 0;
    let bits = if metadata.gid() == gid && gid != 0 { 0o006 } else { 0o066 };
    is_somebody_elses || metadata.permissions().mode() & bits != 0
}

/// Puts a secret where none was.
pub(super) fn set(place: &mut Option<Secret>, secret: Secret) -> Result<(), String> {
    if place.is_some() {
        return Err("left out, because the same secret is given directly".to_owned());
    }
    *place = Some(secret);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = token("hunter2-hunter2-hunter2");
        assert!(secret.is_ok() && !format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_could_never_be_shown_by_a_client_is_refused() {
        for bad in [
            "",
            "two words of a token",
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
    fn what_could_be_guessed_is_refused() {
        assert!(token("fifteen-letters").is_err() && token("sixteen--letters").is_ok());
        assert!(password("user:seven77").is_err() && password("user:eight888").is_ok());
    }
}
