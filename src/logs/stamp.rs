//! Instants as text: RFC 3339, UTC, microseconds, always 27 bytes.

use chrono::{DateTime, Datelike, Timelike, Utc};
use std::time::{Duration, Instant};

/// Length of an instant as text, in bytes.
pub const STAMP_BYTES: usize = 27;

/// An instant as text: `2026-01-02T03:04:05.678901Z`. Texts sort as the instants do.
pub type Stamp = [u8; STAMP_BYTES];

/// Returns the present instant, truncated to microseconds.
#[must_use]
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    now.with_nanosecond(now.nanosecond() / 1000 * 1000).unwrap_or(now)
}

/// A moment by two clocks: the wall clock, which may be set, and the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    time: DateTime<Utc>,
    instant: Instant,
}

impl Moment {
    /// Returns the present moment.
    #[must_use]
    pub fn now() -> Self {
        Self { time: now(), instant: Instant::now() }
    }

    /// Returns the time of the wall clock.
    #[must_use]
    pub fn time(self) -> DateTime<Utc> {
        self.time
    }

    /// Returns the time since `earlier`, whatever was done to the wall clock.
    #[must_use]
    pub fn since(self, earlier: Instant) -> Duration {
        self.instant.saturating_duration_since(earlier)
    }
}

/// Formats an instant.
#[must_use]
pub fn format_instant(instant: DateTime<Utc>) -> String {
    String::from_utf8_lossy(&stamp_of(instant)).into_owned()
}

/// Formats an instant. Years outside 0 to 9999 do not fit and show their last four digits.
pub fn stamp_of(instant: DateTime<Utc>) -> Stamp {
    let mut stamp = *b"0000-00-00T00:00:00.000000Z";
    put(&mut stamp[0..4], instant.year().unsigned_abs());
    put(&mut stamp[5..7], instant.month());
    put(&mut stamp[8..10], instant.day());
    put(&mut stamp[11..13], instant.hour());
    put(&mut stamp[14..16], instant.minute());
    put(&mut stamp[17..19], instant.second());
    // A leap second shows as nanoseconds past a thousand million.
    put(&mut stamp[20..26], (instant.nanosecond() / 1000).min(999_999));
    stamp
}

/// Whether this text has the form of a stamp: digits and punctuation in their positions.
pub fn is_stamp(text: &[u8]) -> bool {
    has_form(text, b"0000-00-00T00:00:00.000000Z")
}

/// Whether a text has a digit wherever `form` has a zero, and elsewhere exactly what `form` has.
pub fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        mark => byte == mark,
    };
    text.len() == form.len() && text.iter().zip(form).all(fits)
}

/// Writes a number into `digits`, padded with zeros.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The clock of one log: it never goes back, even if the machine's does.
#[derive(Debug)]
pub struct LogClock {
    latest: DateTime<Utc>,
    stamp: Stamp,
}

impl LogClock {
    /// Creates a clock that has not been read.
    pub fn new() -> Self {
        let latest = DateTime::UNIX_EPOCH;
        Self { latest, stamp: stamp_of(latest) }
    }

    /// Reads the machine's clock; returns the latest instant it ever showed.
    pub fn read(&mut self) -> Stamp {
        self.advance(Utc::now())
    }

    /// Returns the latest instant that was read.
    pub fn latest(&self) -> DateTime<Utc> {
        self.latest
    }

    fn advance(&mut self, instant: DateTime<Utc>) -> Stamp {
        if instant > self.latest {
            // Day and time down to the second are kept while the second lasts.
            if instant.timestamp() == self.latest.timestamp() {
                put(&mut self.stamp[20..26], (instant.nanosecond() / 1000).min(999_999));
            } else {
                self.stamp = stamp_of(instant);
            }
            self.latest = instant;
        }
        self.stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{SecondsFormat, TimeZone};
    use proptest::prelude::*;

    #[test]
    fn log_clock_never_goes_back() {
        let mut clock = LogClock::new();
        let noon = Utc.with_ymd_and_hms(2026, 1, 2, 12, 0, 0).unwrap();
        assert_eq!(&clock.advance(noon), b"2026-01-02T12:00:00.000000Z");
        let earlier = noon - chrono::Duration::hours(3);
        assert_eq!(&clock.advance(earlier), b"2026-01-02T12:00:00.000000Z");
        let later = noon + chrono::Duration::microseconds(7);
        assert_eq!(&clock.advance(later), b"2026-01-02T12:00:00.000007Z");
    }

    #[test]
    fn only_the_exact_form_is_a_stamp() {
        assert!(is_stamp(b"2026-01-02T03:04:05.678901Z"));
        assert!(!is_stamp(b"2026-01-02T03:04:05.678901"));
        assert!(!is_stamp(b"2026-01-02 03:04:05.678901Z"));
        assert!(!is_stamp(b"2026-01-02T03:04:05.67890xZ"));
    }

    proptest! {
        #[test]
        fn stamps_are_those_of_chrono(micros in 0_i64..253_402_300_799_000_000) {
            let instant = Utc.timestamp_micros(micros).unwrap();
            let expected = instant.to_rfc3339_opts(SecondsFormat::Micros, true);
            prop_assert_eq!(format_instant(instant), expected);
        }
    }
}
