//! The screen of a terminal.

use schemars::JsonSchema;
use serde::Serialize;

/// The screen of a run's terminal.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ScreenResponse {
    /// Number of lines; at most 500 are emulated.
    pub rows: u16,
    /// Number of characters in a line; at most 1000 are emulated.
    pub cols: u16,
    /// Position of the cursor.
    pub cursor: ScreenCursor,
    /// All lines, without blanks at their ends.
    pub lines: Vec<String>,
    /// Title that the program has set.
    pub title: Option<String>,
}

/// The position of a cursor.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ScreenCursor {
    /// Line, counted from 0.
    pub row: u16,
    /// Column, counted from 0.
    pub col: u16,
}
