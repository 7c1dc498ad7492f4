//! Delay between two reads of a command that floods us with small writes.
//!
//! What it gains shows in docs/BENCHMARKS.md, rows "ingest, a write a line: time" and "… CPU" below
//! it.

use std::time::Duration;

/// Reads that come closer together than this are a flood.
const FLOOD_GAP: Duration = Duration::from_micros(100);
/// Reads that return fewer bytes than this are small.
const SMALL_READ_BYTES: usize = 2048;
/// Number of small reads in a row that make a flood: an occasional line is never delayed.
const FLOOD_READS: u32 = 4;
/// The longest delay. A line is on disk within 100 ms; this is a hundredth of it.
const DELAY_MAX: Duration = Duration::from_millis(1);
/// A delay shorter than this costs more than it saves.
const DELAY_MIN: Duration = Duration::from_micros(20);
/// The first delay of a flood.
const DELAY_FIRST: Duration = Duration::from_micros(50);
/// The fraction of the pipe that a read should return, as a divisor. A fuller pipe stalls the
/// command whenever we are late.
const FILL_SHARE: usize = 4;
/// Maximum factor by which the delay grows or shrinks from one read to the next.
const CHANGE_MAX: u32 = 4;

/// The delay after each read of one command. A command that writes line by line, read too eagerly,
/// costs a read for every few lines; a delay lets the pipe fill. It depends on how full the pipe
/// was, because a fixed one stalls the command when the pipe runs full.
#[derive(Debug)]
pub struct Pace {
    small_reads: u32,
    delay: Duration,
}

impl Pace {
    /// Creates the pace of a command that has printed nothing yet.
    pub fn new() -> Self {
        Self { small_reads: 0, delay: DELAY_FIRST }
    }

    /// Returns the delay after a read that returned `bytes` from a pipe of `pipe_bytes`, `gap`
    /// after the read before.
    pub fn throttle_delay(&mut self, bytes: usize, pipe_bytes: usize, gap: Duration) -> Duration {
        if self.small_reads < FLOOD_READS {
            let in_flood = gap < FLOOD_GAP && bytes < SMALL_READ_BYTES;
            self.small_reads = if in_flood { self.small_reads + 1 } else { 0 };
            return if self.small_reads == FLOOD_READS { self.delay } else { Duration::ZERO };
        }
        if bytes < SMALL_READ_BYTES {
            // The delay stays: the next flood will be like this one.
            self.small_reads = 0;
            return Duration::ZERO;
        }
        let wanted = pipe_bytes / FILL_SHARE;
        let (most, least) = (self.delay * CHANGE_MAX, self.delay / CHANGE_MAX);
        let fitting = self.delay.mul_f64(wanted as f64 / bytes as f64);
        self.delay = fitting.clamp(least, most).min(DELAY_MAX);
        if self.delay < DELAY_MIN {
            self.delay = DELAY_MIN;
            return Duration::ZERO;
        }
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: usize = 256 * 1024;
    const CLOSE: Duration = Duration::from_micros(10);

    #[test]
    fn occasional_lines_are_never_delayed() {
        let mut pace = Pace::new();
        for _ in 0..100 {
            assert_eq!(pace.throttle_delay(80, PIPE, Duration::from_millis(1)), Duration::ZERO);
        }
    }

    #[test]
    fn flood_of_small_writes_is_delayed() {
        let mut pace = Pace::new();
        for _ in 1..FLOOD_READS {
            assert_eq!(pace.throttle_delay(100, PIPE, CLOSE), Duration::ZERO);
        }
        assert_eq!(pace.throttle_delay(100, PIPE, CLOSE), DELAY_FIRST);
        assert!(pace.throttle_delay(4096, PIPE, CLOSE) > DELAY_FIRST);
        for _ in 0..100 {
            assert!(pace.throttle_delay(4096, PIPE, CLOSE) <= DELAY_MAX);
        }
    }

    #[test]
    fn full_pipe_shortens_the_delay_to_zero() {
        let mut pace = Pace::new();
        for _ in 0..FLOOD_READS {
            pace.throttle_delay(100, PIPE, CLOSE);
        }
        let delays: Vec<_> = (0..10).map(|_| pace.throttle_delay(PIPE / 2, PIPE, CLOSE)).collect();
        assert!(delays.is_sorted_by(|a, b| a >= b), "{delays:?}");
        assert_eq!(delays[9], Duration::ZERO);
    }

    #[test]
    fn small_read_ends_the_flood() {
        let mut pace = Pace::new();
        for _ in 0..=FLOOD_READS {
            pace.throttle_delay(100, PIPE, CLOSE);
        }
        assert_eq!(pace.throttle_delay(100, PIPE, CLOSE), Duration::ZERO);
    }
}
