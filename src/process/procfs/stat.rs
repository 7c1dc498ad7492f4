//! /proc/PID/stat: state, parentage, flags, start.
//!
//! A line of fields with spaces between them, which proc(5) counts from 1: the pid, the name in
//! parentheses (which may itself hold spaces and parentheses), then, of those that are used, the
//! state (3), the parent (4), the session (6), the kernel's flags (9), the number of threads (20),
//! the start in clock ticks since boot (22), and where the environment lies in the memory (50, 51).

use crate::syscall::retry;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::str::SplitAsciiWhitespace;

/// Larger than any `stat` line, in bytes: 52 fields of at most 20 digits, and a name of 64 bytes.
const STAT_BYTES_MAX: usize = 2048;

/// A `stat` line: all fields are of one moment, because the kernel gives it whole to one read.
pub(super) struct StatLine(Vec<u8>);

/// The fields of a `stat` line that describe the process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `D`, `T`, `Z` …, but `S` for a zombie main thread of which other threads live.
    pub state: char,
    pub parent: i32,
    pub session: i32,
    pub flags: u64,
    pub threads: u32,
    pub start_ticks: u64,
}

impl StatLine {
    /// Reads the line of a process; fails once it is reaped. A sample reads a thousand of these,
    /// so it is one read and no more calls.
    pub fn read(number: i32) -> io::Result<Self> {
        let mut line = vec![0; STAT_BYTES_MAX];
        let mut file = File::open(format!("/proc/{number}/stat"))?;
        let length = retry(|| file.read(&mut line).map_err(|error| error.kind()))?;
        line.truncate(length);
        Ok(Self(line))
    }

    /// Returns the fields from the third on: the name before them ends at the last parenthesis.
    fn fields_after_name(&self) -> Option<SplitAsciiWhitespace<'_>> {
        let after_name = memchr::memrchr(b')', &self.0)? + 1;
        Some(std::str::from_utf8(&self.0[after_name..]).ok()?.split_ascii_whitespace())
    }

    /// Parses the fields that describe the process; `None` if the line is cut short.
    pub fn parse(&self) -> Option<Stat> {
        let mut fields = self.fields_after_name()?;
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        let flags = fields.nth(2)?.parse().ok()?;
        let threads = fields.nth(10)?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        let lives_on = state == 'Z' && threads > 1;
        let state = if lives_on { 'S' } else { state };
        Some(Stat { state, parent, session, flags, threads, start_ticks })
    }

    /// Parses where the environment of the process lies in its memory. Empty during an exec: the
    /// end is zero from the beginning of the exec, then for a moment equal to the start.
    pub fn environment_bounds(&self) -> Option<Range<usize>> {
        let mut bounds = self.fields_after_name()?.skip(47).map(str::parse::<usize>);
        Some(bounds.next()?.ok()?..bounds.next()?.ok()?)
    }
}

impl Stat {
    /// Reads and parses the line of a process; `None` once it is reaped.
    pub fn read(number: i32) -> Option<Self> {
        StatLine::read(number).ok()?.parse()
    }

    /// Whether the process has ended or is about to: the kernel has set `PF_EXITING` (sched.h).
    pub fn is_ending(&self) -> bool {
        const EXITING: u64 = 0x4;
        self.state == 'Z' || self.flags & EXITING != 0
    }
}

/// Whether a process has ended or is about to, in which case its memory may be gone already: its
/// environment goes before it does, and before its children pass to another parent.
pub(in super::super) fn is_ending(number: i32) -> bool {
    Stat::read(number).is_none_or(|stat| stat.is_ending())
}

/// Whether a process was forked and has executed no program since: the kernel's flag
/// `PF_FORKNOEXEC` (sched.h).
pub(in super::super) fn is_only_forked(number: i32) -> bool {
    const ONLY_FORKED: u64 = 0x40;
    Stat::read(number).is_some_and(|stat| stat.flags & ONLY_FORKED != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Option<Stat> {
        StatLine(line.to_vec()).parse()
    }

    #[test]
    fn names_may_hold_spaces_and_parentheses() {
        let line = b"42 (a) Z (b\xff) S 1 42 40 0 -1 4194560 1 0 0 0 5 6 7 8 20 0 3 0 98765 1 2";
        let (parent, session, flags, threads) = (1, 40, 4_194_560, 3);
        let stat = Stat { state: 'S', parent, session, flags, threads, start_ticks: 98765 };
        assert_eq!(parse(line), Some(stat));
    }

    #[test]
    fn process_lives_as_long_as_one_of_its_threads() {
        let with =
            |threads| format!("42 (a) Z 1 42 40 0 -1 0 1 0 0 0 5 6 7 8 20 0 {threads} 0 9 1 2");
        assert_eq!(parse(with(1).as_bytes()).map(|stat| stat.state), Some('Z'));
        assert_eq!(parse(with(2).as_bytes()).map(|stat| stat.state), Some('S'));
    }

    #[test]
    fn cut_lines_are_rejected() {
        assert_eq!(parse(b"42 (a) S 1"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn environment_bounds_are_fields_50_and_51() {
        let fields: Vec<String> = (3..=52).map(|field| field.to_string()).collect();
        let line = StatLine(format!("1 (a) {}", fields.join(" ")).into_bytes());
        assert_eq!(line.environment_bounds(), Some(50..51));
    }

    #[test]
    fn exiting_processes_are_recognised_by_state_or_flag() {
        let stat = |state: &str, flags: u32| {
            parse(format!("1 (a) {state} 1 1 1 0 -1 {flags} 1 0 0 0 5 6 7 8 20 0 1 0 9").as_bytes())
        };
        let is_ending = |state, flags| stat(state, flags).unwrap().is_ending();
        assert!(is_ending("Z", 0) && is_ending("R", 0x40_0004) && !is_ending("R", 0x40_0100));
    }
}
