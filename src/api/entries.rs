//! Entries of logs, as lines of an answer.

use crate::logs::Line;
use serde_json::Value;
use std::io::{self, Write};

/// The media type of lines only.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Writes one entry, with its line number, on its own line.
pub fn write_entry(to: &mut impl Write, line: Line<'_>, text: &str) -> io::Result<()> {
    let Line { number, stamp, .. } = line;
    writeln!(to, "{{\"n\":{number},\"timestamp\":\"{stamp}\",\"line\":{}}}", Value::from(text))
}
