//! Creation of the log of a new run, and reopening of the log of an old one.

use super::directory::{create_file, open_file};
use super::error::{Error, Result};
use super::folder::LogFolder;
use super::index::{Index, Mark};
use super::names::{log_name, older_name};
use super::raw::{RawOutput, raw_path};
use super::reader::for_each_entry;
use super::run_log::{Part, RunLog, Written};
use super::run_record::{OlderPart, RunRecord};
use chrono::{DateTime, Utc};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// The first number in the names of logs that are named without access to the disk.
const UNCHECKED_REPEAT: u64 = 1_000_000;

impl LogFolder {
    /// Creates the log of a run that begins at `at`: `YYYY-MM-DD_HH-MM-SS.log`, with `_1`, `_2`, …
    /// for further runs in the same second, mode 0600. Its first line has the number after
    /// `lines_before`. A directory that was lost is created again, with its lock and its ledger. If
    /// the disk is stalled the file is created later, with the first output.
    ///
    /// # Errors
    /// `File` if the file cannot be created.
    pub fn new_log(self: &Arc<Self>, at: DateTime<Utc>, lines_before: u64) -> Result<RunLog> {
        let stem = at.format("%Y-%m-%d_%H-%M-%S").to_string();
        if self.disk().is_stalled() {
            return self.log_without_file(&stem, at, lines_before);
        }
        let _operation = self.disk().begin();
        self.restore_lost()?;
        let mut latest = self.latest.lock();
        // A name that retention has freed is not reused: whoever has it means another run.
        let first = if latest.0 == stem { latest.1 + 1 } else { 0 };
        for repeat in first.. {
            let name = log_name(&stem, repeat);
            let path = self.path.join(&name);
            match create_file(&path) {
                Ok(file) => {
                    *latest = (stem, repeat);
                    return Ok(RunLog::new(path, file, lines_before, Arc::clone(self)));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::File { path, doing: "created", source }),
            }
        }
        unreachable!("a counter of 64 bits does not run out within a second")
    }

    /// Creates a log without a file yet, under a name that no other has in this second.
    fn log_without_file(
        self: &Arc<Self>,
        stem: &str,
        at: DateTime<Utc>,
        lines_before: u64,
    ) -> Result<RunLog> {
        let repeat = UNCHECKED_REPEAT + u64::from(at.timestamp_subsec_micros());
        let path = self.path.join(log_name(stem, repeat));
        let file = rustix::fs::memfd_create("llm-shell-log", rustix::fs::MemfdFlags::CLOEXEC);
        let file = file.map_err(|source| Error::File {
            path: path.clone(),
            doing: "created",
            source: source.into(),
        })?;
        Ok(RunLog::new(path, File::from(file), lines_before, Arc::clone(self)))
    }

    /// Removes the log of a run that never began.
    pub fn discard(&self, log: &RunLog) {
        if self.disk().is_stalled() {
            return;
        }
        let _operation = self.disk().begin();
        // An empty file that stays is harmless; the user gets the error of the run.
        let _stays = std::fs::remove_file(log.path());
    }

    /// Opens the log of an old run. Reads all of it once, to index its lines.
    ///
    /// # Errors
    /// `File` if it cannot be read; `Refused` if it is not ours alone.
    pub fn old_log(self: &Arc<Self>, run: &RunRecord) -> Result<RunLog> {
        let path = self.path.join(&run.log);
        reopen(&path, run, Arc::clone(self))
    }
}

/// Opens a log that nobody writes to any more. Reads all of it.
fn reopen(path: &Path, run: &RunRecord, folder: Arc<LogFolder>) -> Result<RunLog> {
    let (older, active) = (scan(&path.with_file_name(older_name(&run.log))), scan(path));
    let older = older.ok().filter(|_| run.older_part != OlderPart::Lost);
    let (older, active) = match (older, active) {
        // A crash came after the rotated file was renamed and before the new one was created.
        (Some(older), Err(error)) if is_missing(&error) => (None, older),
        (older, active) => (older, active?),
    };
    let begin = first_line_of(&active, run);
    let older = older.map(|older| {
        let lines_before = begin.saturating_sub(older.lines).max(run.lines_before);
        (Part { lines_before, ..older.part }, older.index)
    });
    let begins_run = older.is_none();
    let written = Written {
        older,
        lines: begin + active.lines,
        is_line_open: active.is_line_open,
        active: Part { lines_before: begin, begins_run, ..active.part },
        index: active.index,
        tail: Vec::new(),
        output_at: None,
        dropped_lines: run.end.as_ref().map_or(0, |end| end.dropped_lines),
        is_over: true,
        is_closed: true,
    };
    let log = RunLog::of(path.to_owned(), written, run.lines_before, folder);
    if run.pty {
        match RawOutput::open(raw_path(path)) {
            Ok(raw) => log.set_raw(raw),
            Err(error) if is_missing(&error) => {}
            Err(error) => log::warn!("{error}"),
        }
    }
    Ok(log)
}

/// Returns the number of lines that ended before a file of a run's log. The ledger records a
/// rotation before it is done, so that one prevented by a crash is recognised by the inode of the
/// file.
fn first_line_of(file: &Scanned, run: &RunRecord) -> u64 {
    match run.older_part {
        OlderPart::Rotated { inode, lines_before } if inode == file.inode => lines_before,
        _ => run.lines_rotated.max(run.lines_before),
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// The content of one file.
struct Scanned {
    part: Part,
    inode: u64,
    index: Index,
    /// Number of lines that end in it.
    lines: u64,
    /// Whether its last line is unfinished.
    is_line_open: bool,
}

fn scan(path: &Path) -> Result<Scanned> {
    let file = open_file(path, OpenOptions::new().read(true), "read")?;
    let scanned = scan_file(file);
    scanned.map_err(|source| Error::File { path: path.to_owned(), doing: "read", source })
}

fn scan_file(file: File) -> io::Result<Scanned> {
    let metadata = file.metadata()?;
    let (bytes, inode) = (metadata.len(), metadata.ino());
    let (mut index, mut lines, mut begins_line) = (Index::new(), 0, true);
    for_each_entry(&file, 0..bytes, |stored, at| {
        if begins_line {
            index.note(Mark { lines, at });
        }
        begins_line = !stored.partial;
        lines += u64::from(!stored.partial);
        Ok(ControlFlow::Continue(()))
    })?;
    let part = Part { file: Arc::new(file), lines_before: 0, bytes, begins_run: true };
    Ok(Scanned { part, inode, index, lines, is_line_open: !begins_line })
}
