//! The log of a run that was before: read once, so that its lines are found again.

use super::directory::open_file;
use super::folder::LogFolder;
use super::index::{Index, Mark};
use super::reader::for_each_entry;
use super::retention::older_name;
use super::run_log::{Part, RunLog, Written};
use super::run_record::{OlderPart, RunRecord};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Opens a log that nobody writes to any more. Reads all of it.
pub(super) fn reopen(path: &Path, run: &RunRecord, folder: Arc<LogFolder>) -> Result<RunLog> {
    let (older, active) = (scan(&path.with_file_name(older_name(&run.log))), scan(path));
    let older = older.ok().filter(|_| run.older_part != OlderPart::Lost);
    let (older, active) = match (older, active) {
        // A crash has kept the present file from being made behind the one that was rotated away.
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
    Ok(RunLog::of(path.to_owned(), written, run.lines_before, folder))
}

/// How many lines ended before a file of a run's log. The ledger tells of a rotation before that is
/// done, so that one which a crash has prevented is known by the inode of the file.
fn first_line_of(file: &Scanned, run: &RunRecord) -> u64 {
    match run.older_part {
        OlderPart::Rotated { inode, lines_before } if inode == file.inode => lines_before,
        _ => run.lines_rotated.max(run.lines_before),
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Log { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// What one file holds.
struct Scanned {
    part: Part,
    inode: u64,
    index: Index,
    /// How many lines end in it.
    lines: u64,
    /// Whether its last line does not.
    is_line_open: bool,
}

fn scan(path: &Path) -> Result<Scanned> {
    let file = open_file(path, OpenOptions::new().read(true), "read")?;
    let scanned = scan_file(file);
    scanned.map_err(|source| Error::Log { path: path.to_owned(), doing: "read", source })
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
