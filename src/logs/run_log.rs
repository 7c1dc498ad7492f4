//! The log of one run, as its writer and all its readers share it.

use chrono::{DateTime, Utc};
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One run's log: the open file, and how far it is written. It stays readable while anybody holds
/// it, even where the file was removed.
#[derive(Debug)]
pub struct RunLog {
    shown: String,
    file: File,
    written: Mutex<Written>,
}

/// How far a log is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Bytes of the file that hold whole entries.
    pub bytes: u64,
    /// Lines that ended.
    pub lines: u64,
    /// What was read of a line that has not ended and is not on disk yet.
    pub tail: Vec<u8>,
    /// When the last output was read.
    pub output_at: Option<(Instant, DateTime<Utc>)>,
    /// Lines that could not be written.
    pub dropped_lines: u64,
}

/// A log at one moment: what a reader reads up to.
#[derive(Clone, Debug)]
pub struct Glance {
    /// Lines that ended and are on disk.
    pub lines: u64,
    /// Lines that were lost because the file could not be written.
    pub dropped_lines: u64,
    /// Since the last output; `None` where there was none.
    pub idle: Option<Duration>,
    /// The line that has not ended: a prompt, as far as its characters are whole.
    pub prompt: String,
    /// When the last output was read.
    pub(super) output_at: Option<DateTime<Utc>>,
    pub(super) bytes: u64,
}

impl RunLog {
    /// A log for a new, empty file, shown to users under the name `shown`.
    pub(super) fn new(shown: String, file: File) -> Self {
        Self { shown, file, written: Mutex::new(Written::default()) }
    }

    /// The file's name, as users see it: the log directory as it was set, and the file in it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shown
    }

    /// How far the log is now. Blocks for the copying of a prompt only.
    #[must_use]
    pub fn glance(&self) -> Glance {
        let written = self.written();
        Glance {
            lines: written.lines,
            dropped_lines: written.dropped_lines,
            idle: written.output_at.map(|(at, _)| at.elapsed()),
            prompt: whole_characters(&written.tail),
            output_at: written.output_at.map(|(_, at)| at),
            bytes: written.bytes,
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of bytes that may end inside a character: that one is left for when it is whole.
fn whole_characters(bytes: &[u8]) -> String {
    let mut bytes = bytes;
    if let Err(error) = std::str::from_utf8(bytes)
        && error.error_len().is_none()
    {
        bytes = &bytes[..error.valid_up_to()];
    } else if let Some(last) = bytes.utf8_chunks().last() {
        // After an invalid byte the first check says nothing about the end.
        let invalid = last.invalid();
        let is_cut = std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
        bytes = &bytes[..bytes.len() - if is_cut { invalid.len() } else { 0 }];
    }
    let text = String::from_utf8_lossy(bytes);
    // The carriage return of a line end whose newline has not come yet.
    text.strip_suffix('\r').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_ends_with_its_last_whole_character() {
        assert_eq!(whole_characters(b"name: "), "name: ");
        assert_eq!(whole_characters("€".as_bytes()), "€");
        assert_eq!(whole_characters(&"a€".as_bytes()[..3]), "a");
        assert_eq!(whole_characters(b"\xffa\xe2\x82"), "\u{fffd}a");
        assert_eq!(whole_characters(b"a\xff"), "a\u{fffd}");
        assert_eq!(whole_characters(b""), "");
    }
}
