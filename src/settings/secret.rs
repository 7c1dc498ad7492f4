//! Secrets among the settings: never shown, given directly, by a file or by systemd.

use std::fmt;
use std::fs;
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

/// Reads a token: what can stand in a header, without blanks.
pub(super) fn token(value: &str) -> Result<Secret, String> {
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    let token = is_plain.then(|| Secret(value.to_owned()));
    token.ok_or_else(|| "visible ASCII characters without blanks".to_owned())
}

/// Reads a user and a password.
pub(super) fn password(value: &str) -> Result<Secret, String> {
    let is_pair =
        value.split_once(':').is_some_and(|(user, word)| !user.is_empty() && !word.is_empty());
    let password = (is_pair && !value.contains(char::is_control)).then(|| Secret(value.to_owned()));
    password.ok_or_else(|| "user:password, neither of them empty".to_owned())
}

/// Reads a secret from a file, where one line end at its end does not count.
pub(super) fn file(path: &str, read: fn(&str) -> Result<Secret, String>) -> Result<Secret, String> {
    let content = fs::read_to_string(Path::new(path));
    let content = content.map_err(|error| format!("a file that can be read ({error})"))?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    let line = line.strip_suffix('\r').unwrap_or(line);
    read(line).map_err(|wanted| format!("a file that holds {wanted}"))
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
        assert!(!format!("{:?}", token("hunter2")).contains("hunter2"));
    }

    #[test]
    fn what_could_never_be_shown_by_a_client_is_refused() {
        for bad in ["", "two words", "tab\t", "umlaut\u{fc}"] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "user", "user:", ":password", "user:pass\n"] {
            assert!(password(bad).is_err(), "{bad:?}");
        }
        assert!(password("user:pass:word with blanks").is_ok());
    }
}
