//! The log of a run that was before: read once, so that its lines are found again.

use super::directory::open_file;
use super::folder::LogFolder;
use super::index::{Index, Mark};
use super::ledger::RunRecord;
use super::reader::for_each_entry;
use super::retention::older_name;
use super::run_log::{Part, RunLog, Written};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Opens a log that nobody writes to any more. Reads all of it.
pub(super) fn reopen(path: &Path, run: &RunRecord, folder: Arc<LogFolder>) -> Result<RunLog> {
    let Scanned { mut part, index, lines, is_line_open } = scan(path)?;
    part.lines_before = run.lines_rotated.max(run.lines_before);
    let older = scan(&path.with_file_name(older_name(&run.log)));
    let older = older.ok().map(|older| {
        let lines_before = run.lines_rotated.saturating_sub(older.lines);
        (Part { lines_before, ..older.part }, older.index)
    });
    part.begins_run = older.is_none();
    let written = Written {
        older,
        lines: part.lines_before + lines,
        is_line_open,
        active: part,
        index,
        tail: Vec::new(),
        output_at: None,
        dropped_lines: run.end.as_ref().map_or(0, |end| end.dropped_lines),
        is_over: true,
        is_closed: true,
    };
    Ok(RunLog::of(path.to_owned(), written, run.lines_before, folder))
}

/// What one file holds.
struct Scanned {
    part: Part,
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
    let bytes = file.metadata()?.len();
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
    Ok(Scanned { part, index, lines, is_line_open: !begins_line })
}
