//! /proc/PID/cmdline and /proc/PID/comm: what a process is called, for people.
//!
//! `cmdline` has the arguments with a NUL after each, and is empty for a zombie or a kernel thread;
//! `comm` has the name that the kernel knows the process by, at most 15 bytes, and a newline.

use std::fs::{self, File};
use std::io::Read;

/// Largest part of a command line that is read, in bytes.
const COMMAND_BYTES_MAX: u64 = 4096;

/// Returns the command line of a process, its arguments with spaces between them; the name of a
/// process that has none, and an empty text for one that is gone.
#[must_use]
pub fn command_of(pid: i32) -> String {
    let mut line = Vec::new();
    // A process that ends meanwhile has none any more.
    let _gone = File::open(format!("/proc/{pid}/cmdline"))
        .and_then(|file| file.take(COMMAND_BYTES_MAX).read_to_end(&mut line));
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let line = line.trim_end();
    if line.is_empty() { name_of(pid) } else { line.to_owned() }
}

/// Returns the short name that the kernel knows a process by.
pub(in super::super) fn name_of(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}
