//! /proc/PID/environ: the environment that a process was started with, as `NAME=value` entries with
//! a NUL after each.

use super::stat::StatLine;
use std::time::Duration;
use std::{fs, thread};

/// Number of attempts to read the environment of a process during its exec, when it is not there
/// yet, and the time between two. Nothing announces it; it takes far less than the first of these
/// waits.
const EXEC_ATTEMPTS: u32 = 50;
const EXEC_INTERVAL: Duration = Duration::from_millis(1);

/// Number of times that the environment must be found empty to be so: it is for some instructions
/// of an exec.
const EMPTY_ATTEMPTS: u32 = 5;

/// Returns the value of a name in the environment that a process was started with; `None` also
/// without permission to read it.
pub(in super::super) fn environment_value(number: i32, name: &[u8]) -> Option<Vec<u8>> {
    let environment = environment_of(number);
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix(b"=")?.to_vec()))
}

/// Reads the environment that a process was started with; empty without permission to read it.
/// Blocks for a moment during an exec of the process, 50 ms at most.
fn environment_of(number: i32) -> Vec<u8> {
    let mut empty_count = 0;
    for _ in 0..EXEC_ATTEMPTS {
        let Ok(environment) = fs::read(format!("/proc/{number}/environ")) else { break };
        // What was read of a process that ends is all there is.
        let line = StatLine::read(number).ok();
        let line = line.filter(|line| line.parse().is_some_and(|stat| !stat.is_ending()));
        let Some(bounds) = line.and_then(|line| line.environment_bounds()) else {
            return environment;
        };
        match bounds.len() {
            0 => {
                empty_count += u32::from(bounds.end > 0);
                if empty_count == EMPTY_ATTEMPTS {
                    break;
                }
                thread::sleep(EXEC_INTERVAL);
            }
            bytes if bytes == environment.len() => return environment,
            // An exec came during the read: of the old environment only the beginning was read.
            _ => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_read_whole_across_repeated_execs() {
        let place = tempfile::tempdir().unwrap();
        let script = place.path().join("again");
        fs::write(&script, "exec /bin/sh \"$0\"").unwrap();
        let mut again = std::process::Command::new("/bin/sh");
        let mut again = again.arg(&script).env("Z_LAST", "of all").spawn().unwrap();
        let number = again.id().cast_signed();
        let has_last = |number| environment_value(number, b"Z_LAST") == Some(b"of all".to_vec());
        let missed = (0..3000).filter(|_| !has_last(number)).count();
        again.kill().unwrap();
        again.wait().unwrap();
        assert_eq!(missed, 0);
    }
}
