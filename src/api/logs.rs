//! GET /logs: which lines, and the answer that carries them.

use super::parameters;
use crate::error::Error;
use crate::http::{Problem, Query, Reply, StreamBody};
use crate::logs::{Page, Range, RunLog, now};
use http::StatusCode;
use serde_json::Value;
use std::io::{self, Write};
use std::sync::Arc;

/// Which lines a query asks for.
pub fn range(query: &mut Query) -> Result<Range, Problem> {
    let lines = parameters::count(query, "lines")?;
    let seconds = parameters::seconds(query, "seconds")?;
    match (lines, seconds) {
        (Some(_), Some(_)) => Err(Error::Input(
            "The parameters lines and seconds exclude each other: give one of them.".to_owned(),
        )
        .into()),
        (Some(0) | None, None) => Ok(Range::All),
        (Some(lines), None) => Ok(Range::Last(lines)),
        (None, Some(seconds)) => Ok(Range::Since(now() - seconds)),
    }
}

/// The lines as a `LogsResponse`, streamed from the file.
pub fn answer(log: Arc<RunLog>, is_running: bool, range: Range) -> Result<Reply, Problem> {
    let page = Page::select(log, range)?;
    let write = move |to: &mut StreamBody<'_>| write_answer(&page, is_running, to);
    Ok(Reply::stream(StatusCode::OK, "application/json", write))
}

/// The counts stand behind the content, because they are known when it was passed on.
fn write_answer(page: &Page, is_running: bool, to: &mut impl Write) -> io::Result<()> {
    let total = page.lines_total();
    write!(to, "{{\"log_file\":{},", Value::from(page.log_name()))?;
    write!(to, "\"total_lines\":{total},\"content\":\"")?;
    let returned = page.write_content(to)?.lines_returned;
    // Without a line there is no first; the next page begins behind the last one all the same.
    let first = (returned > 0).then(|| total.saturating_sub(returned) + 1);
    write!(to, "\",\"lines_returned\":{returned},\"first\":{},", Value::from(first))?;
    writeln!(to, "\"next\":{total},\"truncated\":false,\"running\":{is_running}}}")
}
