//! How long to rest between two reads of a command that floods us with small writes.

use std::time::Duration;

/// Reads that come closer together than this are a flood.
const FLOOD_GAP: Duration = Duration::from_micros(100);
/// Reads that bring less than this are small, in bytes.
const SMALL_READ_BYTES: usize = 2048;
/// So many small reads in a row make a flood: a line now and then is never kept waiting.
const FLOOD_READS: u32 = 4;
/// The longest rest. A line is on disk within 100 ms; this is a hundredth of it.
const DELAY_MAX: Duration = Duration::from_millis(1);
/// A rest shorter than this costs more than it saves.
const DELAY_MIN: Duration = Duration::from_micros(20);
/// The first rest of a flood.
const DELAY_FIRST: Duration = Duration::from_micros(50);
/// How much of the pipe a read is to bring: one part in so many. A fuller one stalls the command
/// whenever we are late.
const FILL_SHARE: usize = 4;
/// By how much the rest grows or shrinks from one read to the next, at most.
const CHANGE_MAX: u32 = 4;

/// Finds the rest after each read. A command that writes line by line, read too eagerly, costs a
/// read for every few lines; a rest lets the pipe fill. It is sized by how full the pipe was
/// found, because a fixed one stalls the command when the pipe runs full.
#[derive(Debug)]
pub struct Pace {
    small_reads: u32,
    delay: Duration,
}

impl Pace {
    /// The pace of a command that has printed nothing yet.
    pub fn new() -> Self {
        Self { small_reads: 0, delay: DELAY_FIRST }
    }

    /// How long to rest after a read that brought `bytes` from a pipe that holds `pipe_bytes`,
    /// `gap` after the read before.
    pub fn throttle_delay(&mut self, bytes: usize, pipe_bytes: usize, gap: Duration) -> Duration {
        if self.small_reads < FLOOD_READS {
            let in_flood = gap < FLOOD_GAP && bytes < SMALL_READ_BYTES;
            self.small_reads = if in_flood { self.small_reads + 1 } else { 0 };
            return if self.small_reads == FLOOD_READS { self.delay } else { Duration::ZERO };
        }
        if bytes < SMALL_READ_BYTES {
            // The rest stays what it is: the next flood will be like this one.
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
    fn a_line_now_and_then_is_never_kept_waiting() {
        let mut pace = Pace::new();
        for _ in 0..100 {
            assert_eq!(pace.throttle_delay(80, PIPE, Duration::from_millis(1)), Duration::ZERO);
        }
    }

    #[test]
    fn a_flood_of_small_writes_is_given_time_to_gather() {
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
    fn a_pipe_that_runs_full_shortens_the_rest_to_none() {
        let mut pace = Pace::new();
        for _ in 0..FLOOD_READS {
            pace.throttle_delay(100, PIPE, CLOSE);
        }
        let delays: Vec<_> = (0..10).map(|_| pace.throttle_delay(PIPE / 2, PIPE, CLOSE)).collect();
        assert!(delays.is_sorted_by(|a, b| a >= b), "{delays:?}");
        assert_eq!(delays[9], Duration::ZERO);
    }

    #[test]
    fn a_flood_that_ebbs_is_over() {
        let mut pace = Pace::new();
        for _ in 0..=FLOOD_READS {
            pace.throttle_delay(100, PIPE, CLOSE);
        }
        assert_eq!(pace.throttle_delay(100, PIPE, CLOSE), Duration::ZERO);
    }
}
