//! /proc/PID/limits: a table of names, soft limits, hard limits and units, in columns.

use std::fs;

/// Name of `RLIMIT_RTTIME` in the table.
const REALTIME_TIMEOUT: &str = "Max realtime timeout";

/// Returns the soft `RLIMIT_RTTIME` of a process, in microseconds; `None` if it is unlimited.
pub(in super::super) fn realtime_timeout(number: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{number}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(REALTIME_TIMEOUT))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
