//! The access log: one line per request.

use crate::peer::Peer;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of lines per second for clients without credentials. Requests beyond that
/// are counted, so that they cannot fill the log.
const UNAUTHENTICATED_LINES_MAX: u32 = 10;

/// The period over which these lines are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The maximum length of a logged path: a head may have 32 KiB of it.
const PATH_CHARS_MAX: usize = 512;

/// A log line. The query is omitted, because it may contain secrets.
pub(crate) struct Access<'a> {
    /// The client.
    pub(crate) peer: &'a Peer,
    /// `-` if no request line could be read.
    pub(crate) method: &'a str,
    /// The path as it was sent.
    pub(crate) path: &'a str,
    /// The status of the response.
    pub(crate) status: u16,
    /// The time from the head's arrival to the response's last byte.
    pub(crate) took: Duration,
    /// The request's id.
    pub(crate) id: &'a str,
    /// The client's name, if it has one.
    pub(crate) name: Option<&'a str>,
}

/// The access log, which writes to the `log` target `access`.
#[derive(Debug, Default)]
pub(crate) struct AccessLog(Mutex<Window>);

/// The lines for clients without credentials in the current second.
#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    written: u32,
    omitted: u64,
}

impl AccessLog {
    /// Writes a line, or counts it.
    pub(crate) fn write(&self, line: &Access<'_>) {
        let (is_written, omitted) = {
            let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            window.take(line.peer.is_trusted(), Instant::now())
        };
        log_omitted(omitted);
        if is_written {
            log::info!(target: "access", "{line}");
        }
    }

    /// Logs the number of omitted lines not yet reported.
    pub(crate) fn finish(&self) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log_omitted(std::mem::take(&mut window.omitted));
    }
}

impl Window {
    /// Returns whether a line is written, and how many were omitted before the current second.
    fn take(&mut self, is_trusted: bool, now: Instant) -> (bool, u64) {
        let mut omitted = 0;
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            omitted = std::mem::take(&mut self.omitted);
            (self.began, self.written) = (Some(now), 0);
        }
        if is_trusted {
            return (true, omitted);
        }
        let is_written = self.written < UNAUTHENTICATED_LINES_MAX;
        if is_written {
            self.written += 1;
        } else {
            self.omitted += 1;
        }
        (is_written, omitted)
    }
}

fn log_omitted(omitted: u64) {
    if omitted > 0 {
        log::info!(target: "access", "{omitted} more requests without credentials");
    }
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} ", self.peer, self.method)?;
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
        write!(out, " {} {milliseconds:.3} ms {}", self.status, self.id)?;
        match self.name {
            Some(name) => write!(out, " {name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str) -> String {
        let took = Duration::from_micros(1500);
        let peer = Peer::new(Some("192.0.2.1:40312".parse().unwrap()));
        let (id, name) = ("abc-1", None);
        Access { peer: &peer, method: "GET", path, status: 200, took, id, name }.to_string()
    }

    #[test]
    fn a_line_has_all_fields_in_order() {
        assert_eq!(line("/status"), "192.0.2.1:40312 GET /status 200 1.500 ms abc-1");
    }

    #[test]
    fn lines_for_unauthenticated_clients_are_limited() {
        let (mut window, now) = (Window::default(), Instant::now());
        for _ in 0..UNAUTHENTICATED_LINES_MAX {
            assert_eq!(window.take(false, now), (true, 0));
        }
        assert_eq!(window.take(false, now), (false, 0));
        assert_eq!(window.take(false, now), (false, 0));
        assert_eq!(window.take(true, now), (true, 0), "who is known is always logged");
        assert_eq!(window.take(true, now + WINDOW), (true, 2));
        assert_eq!(window.take(false, now + WINDOW), (true, 0));
    }

    #[test]
    fn a_path_cannot_forge_a_line_or_colour_a_terminal() {
        assert_eq!(
            line("/a\n\u{1b}[31mж\\"),
            "192.0.2.1:40312 GET /a\\n\\u{1b}[31m\\u{436}\\\\ 200 1.500 ms abc-1"
        );
    }

    #[test]
    fn a_long_path_is_truncated() {
        let line = line(&"x".repeat(30_000));
        assert!(line.len() < 600 && line.contains("x... 200"), "{line}");
    }
}
