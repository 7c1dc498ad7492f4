//! What the four programs share: the clock that every process reads alike, and their arguments.

use rustix::time::{ClockId, clock_gettime};
use std::str::FromStr;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The value behind `--name`, or else `default`.
pub fn option<T: FromStr>(name: &str, default: T) -> T {
    let flag = format!("--{name}");
    let value = std::env::args().skip_while(|word| *word != flag).nth(1);
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The command behind `--`.
pub fn command() -> Vec<String> {
    std::env::args().skip_while(|word| word != "--").skip(1).collect()
}
