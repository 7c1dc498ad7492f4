//! The access log: one line a request.

use crate::peer::Peer;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines a second are written for clients that have shown no credentials. What a crowd
/// of them asks beyond that is counted: it must not fill the log.
const STRANGER_LINES_MAX: u32 = 10;

/// How long these lines are counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// How much of a path is logged: a head may have 32 KiB of it.
const PATH_CHARS_MAX: usize = 512;

/// What one line says. The query is left out, because secrets travel in it.
pub(crate) struct Access<'a> {
    /// Who asked.
    pub(crate) peer: &'a Peer,
    /// `-` where no request line could be read.
    pub(crate) method: &'a str,
    /// As it was sent.
    pub(crate) path: &'a str,
    /// Of the answer.
    pub(crate) status: u16,
    /// From the head's arrival to the answer's last byte.
    pub(crate) took: Duration,
    /// The request's id.
    pub(crate) id: &'a str,
}

/// Where the lines go: `log`'s target `access`.
#[derive(Debug, Default)]
pub(crate) struct AccessLog(Mutex<Window>);

/// The lines for clients without credentials in the present second.
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
        tell_omitted(omitted);
        if is_written {
            log::info!(target: "access", "{line}");
        }
    }

    /// Writes how many lines were left out and not told yet.
    pub(crate) fn finish(&self) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tell_omitted(std::mem::take(&mut window.omitted));
    }
}

impl Window {
    /// Whether a line is written, and how many were not before the present second.
    fn take(&mut self, is_trusted: bool, now: Instant) -> (bool, u64) {
        let mut omitted = 0;
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            omitted = std::mem::take(&mut self.omitted);
            (self.began, self.written) = (Some(now), 0);
        }
        if is_trusted {
            return (true, omitted);
        }
        let is_written = self.written < STRANGER_LINES_MAX;
        if is_written {
            self.written += 1;
        } else {
            self.omitted += 1;
        }
        (is_written, omitted)
    }
}

fn tell_omitted(omitted: u64) {
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
        write!(out, " {} {milliseconds:.3} ms {}", self.status, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str) -> String {
        let took = Duration::from_micros(1500);
        let peer = Peer::new(Some("192.0.2.1:40312".parse().unwrap()));
        Access { peer: &peer, method: "GET", path, status: 200, took, id: "abc-1" }.to_string()
    }

    #[test]
    fn a_line_has_peer_method_path_status_milliseconds_and_id() {
        assert_eq!(line("/status"), "192.0.2.1:40312 GET /status 200 1.500 ms abc-1");
    }

    #[test]
    fn lines_for_strangers_are_limited_and_counted() {
        let (mut window, now) = (Window::default(), Instant::now());
        for _ in 0..STRANGER_LINES_MAX {
            assert_eq!(window.take(false, now), (true, 0));
        }
        assert_eq!(window.take(false, now), (false, 0));
        assert_eq!(window.take(false, now), (false, 0));
        assert_eq!(window.take(true, now), (true, 0), "who is known is always logged");
        assert_eq!(window.take(true, now + WINDOW), (true, 2));
        assert_eq!(window.take(false, now + WINDOW), (true, 0));
    }

    #[test]
    fn nothing_in_a_path_can_forge_a_line_or_colour_a_terminal() {
        assert_eq!(
            line("/a\n\u{1b}[31mж\\"),
            "192.0.2.1:40312 GET /a\\n\\u{1b}[31m\\u{436}\\\\ 200 1.500 ms abc-1"
        );
    }

    #[test]
    fn a_long_path_is_cut() {
        let line = line(&"x".repeat(30_000));
        assert!(line.len() < 600 && line.contains("x... 200"), "{line}");
    }
}
