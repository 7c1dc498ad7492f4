//! Appending to a log whatever happens to the disk: lines that cannot be written are counted, never
//! waited for.

use super::block::{BLOCK_MARGIN, Encoder, OUTPUT_BYTES_MAX};
use super::entry::END_OF_PIECE;
use super::index::Mark;
use super::run_log::RunLog;
use super::stamp::Stamp;
use memchr::memchr_iter;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::Arc;

/// The only writing side of one log.
#[derive(Debug)]
pub struct Appender {
    log: Arc<RunLog>,
    /// Lines lost since the last successful write: the next one begins with a notice.
    missing_lines: u64,
    /// Whether the file ends inside an entry, because the disk ran full.
    is_torn: bool,
    /// Whether the last entry on disk is a piece of a line that continues.
    line_continues: bool,
    /// Whether a part of an unfinished line is lost.
    has_gap: bool,
    /// Bytes added since retention was last enforced.
    since_check: u64,
    /// State of the check that the file still has its name.
    name: NameCheck,
}

/// The last check that the file is in its directory.
#[derive(Debug, Default)]
struct NameCheck {
    at: Second,
    /// Whether the file was removed and cannot be created again.
    is_removed: bool,
    /// Whether the file may be rotated; after a failure this waits for the next second.
    may_rotate: bool,
}

/// The part of a stamp that changes once a second.
type Second = [u8; "2026-01-02T03:04:05".len()];

/// Text that ends a line larger than its log may be.
const CUT_NOTICE: &str =
    "[llm-shell: this line is cut here, because it exceeds the size limit of its log]";

/// Number of times that retention is enforced while a part of the log fills up.
const CHECKS_PER_PART: u64 = 8;

/// The least number of bytes added between two such checks, each of which reads the directory.
const CHECK_BYTES_MIN: u64 = 16 * 1024;

impl Appender {
    /// Creates the writing side of `log`, whose file is empty.
    pub fn new(log: Arc<RunLog>) -> Self {
        Self {
            log,
            missing_lines: 0,
            is_torn: false,
            line_continues: false,
            has_gap: false,
            since_check: 0,
            name: NameCheck::default(),
        }
    }

    /// Returns the log.
    pub fn log(&self) -> &RunLog {
        &self.log
    }

    /// Returns the maximum number of bytes for one write: far less than a part of the log may have.
    pub fn write_bytes_max(&self) -> usize {
        let share = self.log.folder().part_bytes_max() / CHECKS_PER_PART;
        usize::try_from(share).unwrap_or(OUTPUT_BYTES_MAX).clamp(1, OUTPUT_BYTES_MAX)
    }

    /// Whether the last entry on disk is a piece of a line that continues.
    pub fn line_continues(&self) -> bool {
        self.line_continues
    }

    /// Appends whole entries, of which `lines` end a line, in one write if the disk allows it.
    /// Never fails: what cannot be written is dropped and counted.
    pub fn append(&mut self, entries: &[u8], lines: u64, stamp: &Stamp) {
        if entries.is_empty() {
            return;
        }
        let disk = Arc::clone(self.log.disk());
        let _operation = disk.begin();
        if !self.has_name(stamp) {
            self.record_dropped(lines);
            return;
        }
        let is_damaged = self.missing_lines > 0 || self.is_torn || self.has_gap;
        if !self.make_space(entries.len(), stamp) || is_damaged && !self.write_gap_notice(stamp) {
            self.record_dropped(lines);
            return;
        }
        let (written, result) = write_whole(&self.log.file(), entries);
        self.line_continues = entries[..written].ends_with(END_OF_PIECE);
        let Err(error) = result else {
            self.record(lines);
            return;
        };
        let whole = memchr::memrchr(b'\n', &entries[..written]).map_or(0, |last| last + 1);
        let lines_written = lines_in(&entries[..whole]);
        self.is_torn = whole < written;
        self.record(lines_written);
        if self.missing_lines == 0 {
            log::error!("cannot write {}, dropping lines: {error}", self.log.name());
        }
        self.record_dropped(lines - lines_written);
    }

    /// Whether the file is still in its directory, checked once a second. A removed file is created
    /// again; what was written meanwhile stays readable as long as the run is.
    fn has_name(&mut self, stamp: &Stamp) -> bool {
        let second = stamp.first_chunk().copied().unwrap_or_default();
        if second == self.name.at {
            return !self.name.is_removed;
        }
        self.name.at = second;
        self.name.may_rotate = true;
        if self.log.is_in_place() {
            return true;
        }
        let replaced = self.log.replace_removed();
        match &replaced {
            Ok(()) => {
                log::error!("{} was removed: continuing in a new file", self.log.name());
            }
            Err(error) if self.name.is_removed => log::debug!("{error}"),
            Err(error) => {
                log::error!("{} was removed, dropping lines: {error}", self.log.name());
            }
        }
        self.name.is_removed = replaced.is_err();
        !self.name.is_removed
    }

    /// Records that lines could not be written. A block that ends no line is a part of a lost line,
    /// which is counted once, with its first part.
    pub fn record_dropped(&mut self, lines: u64) {
        self.drop_lines(if lines == 0 && !self.has_gap { 1 } else { lines });
        self.has_gap |= lines == 0;
    }

    /// Keeps all logs together within their limit before `bytes` are added: removes logs of runs
    /// that have ended, and the older half of this one. Returns false if that is impossible.
    fn make_space(&mut self, bytes: usize, stamp: &Stamp) -> bool {
        let bytes = bytes as u64;
        self.since_check += bytes;
        let part_bytes_max = self.log.folder().part_bytes_max();
        if self.since_check > (part_bytes_max / CHECKS_PER_PART).max(CHECK_BYTES_MIN) {
            self.since_check = 0;
            self.log.folder().enforce_retention(self.log.file_name());
        }
        let part_bytes = self.log.written().active.bytes;
        if part_bytes == 0 || part_bytes + bytes <= part_bytes_max {
            return true;
        }
        if !std::mem::take(&mut self.name.may_rotate) {
            return false;
        }
        // An unfinished line would grow for ever: it ends here, with a notice.
        if self.line_continues && !self.write_line(CUT_NOTICE, stamp) {
            return false;
        }
        let rotated = self.log.rotate();
        match &rotated {
            Ok(()) => {
                self.name.may_rotate = true;
                self.log.folder().enforce_retention(self.log.file_name());
            }
            Err(error) if self.missing_lines > 0 => log::debug!("{error}"),
            Err(error) => {
                let name = self.log.name();
                log::error!("{name} is full and cannot be rotated, dropping lines: {error}");
            }
        }
        rotated.is_ok()
    }

    /// Ends what was left unfinished and writes how many lines are missing. Returns false while
    /// that cannot be written.
    fn write_gap_notice(&mut self, stamp: &Stamp) -> bool {
        let mut notice = String::new();
        if self.line_continues {
            notice.push('\n');
        }
        let missing = self.missing_lines;
        let _infallible = write!(
            notice,
            "[llm-shell: {missing} lines are missing here, because the log could not be written]"
        );
        if !self.write_line(&notice, stamp) {
            return false;
        }
        // Not before: while the disk is full, every attempt would rewrite the ledger in vain.
        let dropped = self.log.written().dropped_lines;
        self.log.folder().ledger().missing(self.log.file_name(), dropped);
        log::info!("resumed writing {}", self.log.name());
        (self.missing_lines, self.has_gap) = (0, false);
        true
    }

    /// Writes lines of our own, after ending a torn entry. Returns false if that fails.
    fn write_line(&mut self, text: &str, stamp: &Stamp) -> bool {
        let mut block = text.as_bytes().to_vec();
        block.push(b'\n');
        let length = block.len();
        block.resize(length + BLOCK_MARGIN, 0);
        let mut encoder = Encoder::new(length);
        let encoded = encoder.encode(&block, 0..length, stamp);
        let torn_end: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let entries = [torn_end, encoder.output()].concat();
        let (written, result) = write_whole(&self.log.file(), &entries);
        if result.is_err() {
            self.is_torn |= written > 0;
            self.record(0);
            return false;
        }
        (self.line_continues, self.is_torn) = (false, false);
        self.record(encoded.lines);
        true
    }

    /// Publishes what was written, which ends the unfinished line: both change together, so that no
    /// reader gets it twice.
    fn record(&self, lines: u64) {
        // The position in the kernel, not a count of ours: others may append to the file or
        // truncate it.
        let end = (&*self.log.file()).stream_position();
        let mut written = self.log.written();
        written.active.bytes = end.unwrap_or(written.active.bytes);
        written.lines += lines;
        written.is_line_open = self.line_continues;
        written.tail.clear();
        if !self.line_continues {
            let lines = written.lines - written.active.lines_before;
            let at = written.active.bytes;
            written.index.note(Mark { lines, at });
        }
        drop(written);
        self.log.announce();
    }

    fn drop_lines(&mut self, lines: u64) {
        self.missing_lines += lines;
        self.log.written().dropped_lines += lines;
    }
}

/// Writes all of `bytes`; returns how many were written and the error that stopped it, if any.
fn write_whole(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Counts those of these whole entries that end a line.
fn lines_in(entries: &[u8]) -> u64 {
    let ends_line = |newline: &usize| !entries[..=*newline].ends_with(END_OF_PIECE);
    memchr_iter(b'\n', entries).filter(ends_line).count() as u64
}
