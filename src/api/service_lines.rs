//! The lines of a service's log in JSON: `["[YYYY-MM-DD HH:MM:SS] text", …]`.

use super::log_query::Again;
use super::logs::Folding;
use crate::logs::{Page, PageCounts};
use serde_json::Value;
use std::io::{self, Write};

/// Writes the lines with commas between them. Gives the counts, and how many were left out.
pub fn write(
    page: &Page,
    bytes_max: Option<usize>,
    again: &Again,
    to: &mut impl Write,
) -> io::Result<(PageCounts, u64)> {
    let mut comma = "";
    let mut put = |line: &str| {
        let quoted = Value::from(line);
        write!(to, "{}{quoted}", std::mem::replace(&mut comma, ","))
    };
    let Some(bytes_max) = bytes_max else {
        let counts = page.for_each(|line, text| put(&stamped(line.stamp, text)))?;
        return Ok((counts, 0));
    };
    let mut folding = Folding::new(bytes_max, again);
    let mut counts = folding.take(page, |line, text| stamped(line.stamp, text))?;
    let (content, omitted) = folding.finish(&mut counts);
    if !content.is_empty() {
        content.split('\n').try_for_each(put)?;
    }
    Ok((counts, omitted))
}

/// A line behind its stamp's day and second.
fn stamped(stamp: &str, text: &str) -> String {
    let (day, time) = stamp.split_once('T').unwrap_or((stamp, ""));
    format!("[{day} {}] {text}", time.get(..8).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_told_to_the_second() {
        let line = stamped("2026-01-02T03:04:05.678901Z", "text");
        assert_eq!(line, "[2026-01-02 03:04:05] text");
    }
}
