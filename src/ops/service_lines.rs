//! Lines of a service's log in the form of its answers: `[YYYY-MM-DD HH:MM:SS] text`.

use super::line_form::GAP;
use super::log_query::LogQuery;
use super::truncator::Truncator;
use crate::logs::{Line, Page, PageCounts};
use std::io;

/// Passes each line to `put`. Returns the counts, and how many lines were left out.
///
/// # Errors
/// Errors of `put` and of the log.
pub fn write(
    page: &Page,
    query: &LogQuery,
    put: &mut impl FnMut(&str) -> io::Result<()>,
) -> io::Result<(PageCounts, u64)> {
    let shown = |line: &Line<'_>, text: &str| {
        query.numbers.line(line, &stamped(line.stamp, text)).into_owned()
    };
    let Some(bytes_max) = query.bytes_max else {
        let counts = page.for_each(|line, text| {
            if line.place.follows_gap {
                put(GAP)?;
            }
            put(&shown(&line, text))
        })?;
        return Ok((counts, 0));
    };
    let mut truncator = Truncator::new(bytes_max, &query.continuation);
    let mut counts = truncator.take(page, shown)?;
    let (content, omitted) = truncator.finish(&mut counts);
    if !content.is_empty() {
        content.split('\n').try_for_each(put)?;
    }
    Ok((counts, omitted))
}

/// Prefixes a line with its timestamp, to the second.
fn stamped(stamp: &str, text: &str) -> String {
    let (day, time) = stamp.split_once('T').unwrap_or((stamp, ""));
    format!("[{day} {}] {text}", time.get(..8).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_has_seconds() {
        let line = stamped("2026-01-02T03:04:05.678901Z", "text");
        assert_eq!(line, "[2026-01-02 03:04:05] text");
    }
}
