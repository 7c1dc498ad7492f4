//! The log of a run that was before: read once, so that its lines are found again.

use super::folder::LogFolder;
use super::index::{Index, Mark};
use super::ledger::RunRecord;
use super::reader::for_each_entry;
use super::retention::older_name;
use super::run_log::{Part, RunLog, Written};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Opens a log that nobody writes to any more. Reads all of it.
pub(super) fn reopen(path: &Path, run: &RunRecord, folder: Arc<LogFolder>) -> io::Result<RunLog> {
    let (mut active, index, lines) = scan(path)?;
    active.lines_before = run.lines_rotated;
    let older = scan(&path.with_file_name(older_name(&run.log)));
    let older = older.ok().map(|(part, index, lines)| {
        let lines_before = run.lines_rotated.saturating_sub(lines);
        (Part { lines_before, ..part }, index)
    });
    let written = Written {
        older,
        lines: active.lines_before + lines,
        active,
        index,
        tail: Vec::new(),
        output_at: None,
        dropped_lines: run.end.as_ref().map_or(0, |end| end.dropped_lines),
        is_over: true,
    };
    Ok(RunLog::of(path.to_owned(), written, folder))
}

/// One file, its index, and how many lines end in it.
fn scan(path: &Path) -> io::Result<(Part, Index, u64)> {
    let file = File::open(path)?;
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
    Ok((Part { file: Arc::new(file), lines_before: 0, bytes }, index, lines))
}
