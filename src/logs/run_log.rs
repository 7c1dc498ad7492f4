//! The log of one run, shared by its writer and all its readers.

use super::disk::DiskMonitor;
use super::folder::LogFolder;
use super::index::Index;
use super::raw::{RawOutput, raw_path};
use super::raw_file::ScreenSize;
use chrono::{DateTime, Utc};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The log of one run: its open files, and how far they are written. It stays readable while
/// anybody holds it, even if the files were removed.
#[derive(Debug)]
pub struct RunLog {
    /// The directory that it is in.
    folder: Arc<LogFolder>,
    path: PathBuf,
    name: String,
    /// Number of lines in the runs before it.
    lines_before: u64,
    written: Mutex<Written>,
    changed: Condvar,
    /// Number of threads that wait for a change: without one, the writer saves a system call.
    watchers: AtomicUsize,
    /// Whether the run has ended, and output of it is not on disk yet.
    is_behind: AtomicBool,
    /// The output as printed, if the run is on a terminal and it is kept.
    raw: OnceLock<Arc<RawOutput>>,
}

/// A file of a log, which has one until it is rotated.
#[derive(Clone, Debug)]
pub struct Part {
    pub file: Arc<File>,
    /// Number of lines that ended before this file.
    pub lines_before: u64,
    /// Number of bytes of the file that hold whole entries.
    pub bytes: u64,
    /// Whether a run begins with it: no line of the run before continues in it.
    pub begins_run: bool,
}

/// The progress of writing a log.
#[derive(Debug)]
pub(super) struct Written {
    /// The part before the present one, after a rotation, with its index.
    pub older: Option<(Part, Index)>,
    /// The part that is written to.
    pub active: Part,
    /// The index of the active part.
    pub index: Index,
    /// Number of ended lines, those that were dropped with their part and those of the runs before
    /// included.
    pub lines: u64,
    /// Whether a piece of an unfinished line is on disk.
    pub is_line_open: bool,
    /// The unfinished line, as far as it was read and is not on disk yet.
    pub tail: Vec<u8>,
    /// The time of the last read that returned output.
    pub output_at: Option<(Instant, DateTime<Utc>)>,
    /// Number of lines that could not be written.
    pub dropped_lines: u64,
    /// Whether the run's own process has ended and all its output is here.
    pub is_over: bool,
    /// Whether no more will come, not even from processes that it left behind.
    pub is_closed: bool,
}

/// A log at one moment: what a reader reads up to.
#[derive(Clone, Debug)]
pub struct LogSnapshot {
    /// Number of ended lines that are on disk, or were.
    pub lines: u64,
    /// Number of lines that were dropped because the log grew too large: the first that is left
    /// follows them.
    pub lines_gone: u64,
    /// Whether a piece of an unfinished line is on disk.
    pub is_line_open: bool,
    /// Number of lines that were lost because the file could not be written.
    pub dropped_lines: u64,
    /// Time since the last output; `None` without any.
    pub idle: Option<Duration>,
    /// The unfinished line: a prompt, up to its last whole character.
    pub prompt: String,
    /// Whether the run has ended and all its output is here.
    pub is_over: bool,
    /// Whether no more will come, not even from processes that it left behind.
    pub is_closed: bool,
    /// The time of the last read that returned output.
    pub output_at: Option<DateTime<Utc>>,
    /// The files, the oldest first.
    pub(super) parts: Vec<Part>,
}

impl RunLog {
    /// Creates a log for a new, empty file at `path`, whose first line has the number after
    /// `lines_before`.
    pub(super) fn new(
        path: PathBuf,
        file: File,
        lines_before: u64,
        folder: Arc<LogFolder>,
    ) -> Self {
        let active = Part { file: Arc::new(file), lines_before, bytes: 0, begins_run: true };
        let written = Written {
            older: None,
            active,
            index: Index::new(),
            lines: lines_before,
            is_line_open: false,
            tail: Vec::new(),
            output_at: None,
            dropped_lines: 0,
            is_over: false,
            is_closed: false,
        };
        Self::of(path, written, lines_before, folder)
    }

    /// Creates a log with this progress, whose first line had the number after `lines_before`.
    pub(super) fn of(
        path: PathBuf,
        written: Written,
        lines_before: u64,
        folder: Arc<LogFolder>,
    ) -> Self {
        let name = path.to_string_lossy().into_owned();
        let (written, changed) = (Mutex::new(written), Condvar::new());
        let (watchers, is_behind) = (AtomicUsize::new(0), AtomicBool::new(false));
        let raw = OnceLock::new();
        Self { folder, path, name, lines_before, written, changed, watchers, is_behind, raw }
    }

    /// Returns the file's name for users: the log directory as it was set, and the file in it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the output as printed as well, because the run is on a terminal of this size.
    pub fn keep_raw(&self, size: ScreenSize) {
        let bytes_max = self.folder.part_bytes_max();
        self.set_raw(RawOutput::new(raw_path(&self.path), bytes_max, size));
    }

    pub(super) fn set_raw(&self, raw: RawOutput) {
        // Called once for each log, before anybody else has it.
        let _first = self.raw.set(Arc::new(raw));
    }

    /// Returns the output as printed; `None` if the run is not on a terminal, or it is not kept.
    #[must_use]
    pub fn raw(&self) -> Option<&Arc<RawOutput>> {
        self.raw.get()
    }

    /// Returns the range of its lines: those after the start, up to and including the end. Does not
    /// block.
    #[must_use]
    pub fn line_numbers(&self) -> Range<u64> {
        self.lines_before..self.written().lines
    }

    /// Returns the log at this moment. Blocks only for the copying of a prompt.
    #[must_use]
    pub fn snapshot(&self) -> LogSnapshot {
        self.written().snapshot()
    }

    /// Returns the number of lines that could not be written. Does not block.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.written().dropped_lines
    }

    /// Marks the run as ended, with all its output here.
    pub fn set_over(&self) {
        self.written().is_over = true;
        self.announce();
    }

    /// Marks the output as ended.
    pub(super) fn set_closed(&self) {
        self.written().is_closed = true;
        self.announce();
    }

    /// Sets whether the run has ended and output of it is not on disk yet.
    pub(super) fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::SeqCst);
    }

    /// Whether the run has ended, and output of it is not on disk yet. Does not block.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::SeqCst)
    }

    /// Waits until `is_enough` returns true, which is called at each change, or until `deadline`.
    pub fn wait_until(&self, deadline: Instant, mut is_enough: impl FnMut(&LogSnapshot) -> bool) {
        // Counted before the first check, so that a later change sees it.
        self.watchers.fetch_add(1, Ordering::SeqCst);
        let mut written = self.written();
        while !is_enough(&written.snapshot()) {
            if Instant::now() >= deadline {
                break;
            }
            self.changed.wait_until(&mut written, deadline);
        }
        drop(written);
        self.watchers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Wakes those who wait for a change. Called after each one, without the lock.
    pub fn announce(&self) {
        if self.watchers.load(Ordering::SeqCst) > 0 {
            self.changed.notify_all();
        }
        self.folder.announce_output();
    }

    /// Wakes those who wait for a change, after a change of something else that they check.
    pub fn announce_other_change(&self) {
        // Whoever has checked it before that change waits by now, or checks again.
        drop(self.written());
        self.announce();
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file's name in its directory.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Writes records of runs that could not be written before.
    pub(super) fn save_ledger(&self) {
        self.folder.ledger().save();
    }

    /// Returns the directory that it is kept in.
    #[must_use]
    pub fn folder(&self) -> &LogFolder {
        &self.folder
    }

    /// Returns the monitor of the disk that it is on.
    pub(super) fn disk(&self) -> &Arc<DiskMonitor> {
        self.folder.disk()
    }

    /// Returns the file that is written to.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.written().active.file)
    }

    pub(super) fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock()
    }
}

impl LogSnapshot {
    /// Returns the snapshot of a log without lines.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self {
            lines: 0,
            lines_gone: 0,
            is_line_open: false,
            dropped_lines: 0,
            idle: None,
            prompt: String::new(),
            is_over: true,
            is_closed: true,
            output_at: None,
            parts: Vec::new(),
        }
    }
}

impl Written {
    fn snapshot(&self) -> LogSnapshot {
        let older = self.older.iter().map(|(part, _)| part.clone());
        let parts: Vec<Part> = older.chain([self.active.clone()]).collect();
        LogSnapshot {
            lines: self.lines,
            lines_gone: parts[0].lines_before,
            is_line_open: self.is_line_open,
            dropped_lines: self.dropped_lines,
            idle: self.output_at.map(|(at, _)| at.elapsed()),
            prompt: whole_characters(&self.tail),
            is_over: self.is_over,
            is_closed: self.is_closed,
            output_at: self.output_at.map(|(_, at)| at),
            parts,
        }
    }
}

/// Decodes bytes that may end inside a character, which is left out until it is whole.
fn whole_characters(bytes: &[u8]) -> String {
    let cut = bytes.utf8_chunks().last().map_or(0, |last| {
        let invalid = last.invalid();
        let is_cut = std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
        if is_cut { invalid.len() } else { 0 }
    });
    let text = String::from_utf8_lossy(&bytes[..bytes.len() - cut]);
    // The carriage return of a line end whose newline has not come yet.
    text.strip_suffix('\r').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_end_with_their_last_whole_character() {
        assert_eq!(whole_characters(b"name: "), "name: ");
        assert_eq!(whole_characters("€".as_bytes()), "€");
        assert_eq!(whole_characters(&"a€".as_bytes()[..3]), "a");
        assert_eq!(whole_characters(b"\xffa\xe2\x82"), "\u{fffd}a");
        assert_eq!(whole_characters(b"a\xff"), "a\u{fffd}");
        assert_eq!(whole_characters(b""), "");
    }
}
