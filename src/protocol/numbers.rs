//! Numbers in bodies: whole numbers, which JSON may write as 24.0, and durations in seconds.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// 2^53: from here on `f64` does not represent every whole number.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Deserializes a whole number.
///
/// # Errors
/// Errors of the format, and for a number that is negative, too large or has a fraction.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    // Self-describing formats then pass integers and floats as they are.
    deserializer.deserialize_any(Whole(PhantomData))
}

/// Deserializes a whole number or null.
///
/// # Errors
/// Errors of `whole`.
pub fn whole_or_null<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(|Read(number)| number))
}

struct Read<T>(T);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer).map(Self)
    }
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number of {} bits", 8 * size_of::<T>())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let unexpected = serde::de::Unexpected::Unsigned(number);
        T::try_from(number).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        if number.fract() == 0.0 && (0.0..EXACT_MAX).contains(&number) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it fits"
            )]
            return self.visit_u64(number as u64);
        }
        Err(E::invalid_value(serde::de::Unexpected::Float(number), &self))
    }
}

/// Returns a duration in seconds, to the millisecond.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Body {
        #[serde(deserialize_with = "whole")]
        rows: u16,
        #[serde(default, deserialize_with = "whole_or_null")]
        max_bytes: Option<u64>,
    }

    #[test]
    fn whole_numbers_may_have_a_zero_fraction() {
        for (text, expected) in [
            ("{\"rows\":24}", (24, None)),
            ("{\"rows\":24.0,\"max_bytes\":null}", (24, None)),
            ("{\"rows\":0,\"max_bytes\":4e3}", (0, Some(4000))),
            ("{\"rows\":65535,\"max_bytes\":18446744073709551615}", (65535, Some(u64::MAX))),
        ] {
            let body: Body = serde_json::from_str(text).unwrap();
            assert_eq!((body.rows, body.max_bytes), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for rows in ["24.5", "-1", "-1.0", "65536", "1e300", "\"24\"", "true", "null", "[24]"] {
            let text = format!("{{\"rows\":{rows}}}");
            let error = serde_json::from_str::<Body>(&text).unwrap_err().to_string();
            assert!(error.contains("expected a whole number of 16 bits"), "{rows}: {error}");
        }
    }
}
