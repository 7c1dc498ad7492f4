//! Tables that fit a terminal.

use super::console::{Console, Tone};

/// What stands between two columns.
const GAP: usize = 2;

/// How narrow a last column may get before it is no longer cut.
const LAST_WIDTH_MIN: usize = 10;

/// Rows under a head; the last column takes what room is left.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Self {
        // A line end or an escape sequence in a command must not tear the table.
        let text = value.to_string();
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        Self { text: text.chars().map(plain).collect(), tone: None }
    }
}

impl Cell {
    /// The same in a tone.
    #[must_use]
    pub fn tinted(mut self, tone: Option<Tone>) -> Self {
        self.tone = tone;
        self
    }
}

impl Table {
    /// One without rows.
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as the head has.
    pub fn add(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.head.len());
        self.rows.push(row);
    }

    /// The lines of the table.
    pub fn lines(&self, console: &Console) -> Vec<String> {
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width(column)).collect();
        let head: Vec<Cell> = self.head.iter().copied().map(Cell::from).collect();
        let rows = std::iter::once(&head).chain(&self.rows);
        rows.map(|row| line(row, &widths, console)).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].text.chars().count());
        cells.chain([self.head[column].len()]).max().unwrap_or_default()
    }
}

fn line(row: &[Cell], widths: &[usize], console: &Console) -> String {
    let mut line = String::new();
    let mut used = 0;
    for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
        let is_last = index + 1 == row.len();
        let text = match console.width {
            Some(room) if is_last => cut(&cell.text, room.saturating_sub(used).max(LAST_WIDTH_MIN)),
            _ => cell.text.clone(),
        };
        let padding = if is_last { 0 } else { width + GAP - text.chars().count() };
        used += width + GAP;
        match cell.tone {
            Some(tone) => line.push_str(&console.tinted(&text, tone)),
            None => line.push_str(&text),
        }
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.truncate(line.trim_end().len());
    line
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}
