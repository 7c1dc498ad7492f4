//! /proc/PID/status: lines of a name, a colon, and values.

use nix::libc::c_int;
use std::fs;

/// Returns the values of a line, with the white space around them; `None` if there is none.
fn field(number: impl std::fmt::Display, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{number}/status")).ok()?;
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| *found == name).map(|(_, values)| values.to_owned())
}

/// Returns the numbers of a process in the namespaces from that of /proc down to its own
/// (`NSpid`).
pub(super) fn namespaced_numbers(number: i32) -> Vec<i32> {
    let numbers = field(number, "NSpid").unwrap_or_default();
    numbers.split_ascii_whitespace().filter_map(|part| part.parse().ok()).collect()
}

/// Whether this process ignores a signal: bit N - 1 of the hexadecimal mask `SigIgn` is signal N.
pub(in super::super) fn is_ignored(signal: c_int) -> bool {
    let mask = field("self", "SigIgn");
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
