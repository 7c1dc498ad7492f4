//! Conversion between line numbers of a log and positions in its files.

use super::index::{Index, Mark};
use super::reader::for_each_entry;
use super::run_log::{Part, Written};
use super::series::LogSeries;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Returns the number of lines of the log that ended before a position in a part.
pub fn line_at(log: &LogSeries, part: &Part, at: u64) -> io::Result<u64> {
    let mark = mark_in(log, part, |index| index.before_position(at));
    let mut lines = part.lines_before + mark.lines;
    for_each_entry(&part.file, mark.at..at, |stored, _| {
        lines += u64::from(!stored.partial);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(lines)
}

/// Returns the position in a part at which the line after the first `lines` of the log begins.
pub fn position_after(log: &LogSeries, part: &Part, lines: u64) -> io::Result<u64> {
    let wanted = lines - part.lines_before;
    let mark = mark_in(log, part, |index| index.before_line(wanted));
    let mut left = wanted - mark.lines;
    let mut place = if left == 0 { Some(mark.at) } else { None };
    if place.is_none() {
        let mut ends_before = false;
        for_each_entry(&part.file, mark.at..part.bytes, |stored, at| {
            if ends_before {
                place = Some(at);
                return Ok(ControlFlow::Break(()));
            }
            left -= u64::from(!stored.partial);
            ends_before = left == 0;
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(place.unwrap_or(part.bytes))
}

/// Looks up a mark in the index of a part; returns its beginning if that no longer belongs to these
/// logs.
fn mark_in(log: &LogSeries, part: &Part, find: impl Fn(&Index) -> Mark) -> Mark {
    let mut found = log.logs().iter().filter_map(|log| log.written().index_of(part).map(&find));
    found.next().unwrap_or_default()
}

impl Written {
    /// Returns the index of a part, if that still belongs to this log.
    fn index_of(&self, part: &Part) -> Option<&Index> {
        let older = self.older.iter().map(|(part, index)| (part, index));
        let mut all = older.chain([(&self.active, &self.index)]);
        all.find(|(found, _)| Arc::ptr_eq(&found.file, &part.file)).map(|(_, index)| index)
    }
}
