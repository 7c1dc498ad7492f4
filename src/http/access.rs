//! The access log: one line a request.

use std::fmt;
use std::time::Duration;

/// How much of a path is logged: a head may have 32 KiB of it.
const PATH_CHARS_MAX: usize = 512;

/// What one line says. The query is left out, because secrets travel in it.
pub(super) struct Access<'a> {
    /// `-` where no request line could be read.
    pub(super) method: &'a str,
    /// As it was sent.
    pub(super) path: &'a str,
    /// Of the answer.
    pub(super) status: u16,
    /// From the head's arrival to the answer's last byte.
    pub(super) took: Duration,
    /// The request's id.
    pub(super) id: &'a str,
}

impl Access<'_> {
    /// Writes the line, to `log`'s target `access`.
    pub(super) fn log(&self) {
        log::info!(target: "access", "{self}");
    }
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.method)?;
        for character in self.path.chars().take(PATH_CHARS_MAX) {
            match character {
                '\\' => out.write_str("\\\\")?,
                '!'..='~' => write!(out, "{character}")?,
                other => write!(out, "{}", other.escape_default())?,
            }
        }
        if self.path.chars().nth(PATH_CHARS_MAX).is_some() {
            out.write_str("...")?;
        }
        let milliseconds = self.took.as_secs_f64() * 1000.0;
        write!(out, " {} {milliseconds:.3} ms {}", self.status, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str) -> String {
        let took = Duration::from_micros(1500);
        Access { method: "GET", path, status: 200, took, id: "abc-1" }.to_string()
    }

    #[test]
    fn a_line_has_method_path_status_milliseconds_and_id() {
        assert_eq!(line("/status"), "GET /status 200 1.500 ms abc-1");
    }

    #[test]
    fn nothing_in_a_path_can_forge_a_line_or_colour_a_terminal() {
        assert_eq!(
            line("/a\n\u{1b}[31mж\\"),
            "GET /a\\n\\u{1b}[31m\\u{436}\\\\ 200 1.500 ms abc-1"
        );
    }

    #[test]
    fn a_long_path_is_cut() {
        let line = line(&"x".repeat(30_000));
        assert!(line.len() < 600 && line.contains("x... 200"), "{line}");
    }
}
