//! Tables that fit a terminal.

use super::console::{Console, Tone};
use crate::printable::is_hidden;

/// The space between two columns.
const GAP: usize = 2;

/// The minimum width of a column; if that is not enough, columns are omitted and lines may be too
/// long.
const WIDTH_MIN: usize = 10;

/// Rows under a head; the last column takes the remaining width.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<&'static str>,
    /// The columns that are omitted if the width is too small, in this order.
    optional: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// A displayed column.
#[derive(Clone, Copy, Debug)]
struct Column {
    index: usize,
    width: usize,
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Self {
        // A line end or an escape sequence in a command must not break the table.
        let text = value.to_string();
        let plain = |c: char| if is_hidden(c) { ' ' } else { c };
        Self { text: text.chars().map(plain).collect(), tone: None }
    }
}

/// Creates a cell from a number as JSON formats it, with a fraction: `0.0`.
pub fn number(value: f64) -> Cell {
    format!("{value:?}").into()
}

impl Cell {
    /// Sets the colour.
    #[must_use]
    pub fn tinted(mut self, tone: Option<Tone>) -> Self {
        self.tone = tone;
        self
    }
}

impl Table {
    /// Creates a table without rows. Optional columns are omitted, in order, if the width is too
    /// small.
    pub fn new(head: &[&'static str], optional: &[&'static str]) -> Self {
        Self { head: head.to_vec(), optional: optional.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with as many cells as the head.
    pub fn add(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.head.len());
        self.rows.push(row);
    }

    /// Renders the table.
    pub fn lines(&self, console: &Console) -> Vec<String> {
        let mut columns: Vec<Column> =
            (0..self.head.len()).map(|index| self.column(index)).collect();
        if let Some(space) = console.width {
            self.fit(&mut columns, space);
        }
        let head: Vec<Cell> = self.head.iter().copied().map(Cell::from).collect();
        let rows = std::iter::once(&head).chain(&self.rows);
        rows.map(|row| line(row, &columns, console)).collect()
    }

    /// Omits columns, then narrows the widest, until the lines fit.
    fn fit(&self, columns: &mut Vec<Column>, space: usize) {
        let missing = |columns: &[Column]| {
            let (last, others) = columns
                .split_last()
                .map_or((0, columns), |(last, others)| (last.width.min(WIDTH_MIN), others));
            let used: usize = others.iter().map(|column| column.width + GAP).sum();
            (used + last).saturating_sub(space)
        };
        for name in &self.optional {
            if missing(columns) > 0 {
                columns.retain(|column| self.head[column.index] != *name);
            }
        }
        let others = columns.len().saturating_sub(1);
        let widest = columns[..others].iter().enumerate().max_by_key(|(_, column)| column.width);
        if let Some((widest, _)) = widest {
            let narrower = columns[widest].width.saturating_sub(missing(columns));
            columns[widest].width = narrower.max(WIDTH_MIN).min(columns[widest].width);
        }
        if let Some((last, others)) = columns.split_last_mut() {
            let used: usize = others.iter().map(|column| column.width + GAP).sum();
            last.width = last.width.min(space.saturating_sub(used).max(WIDTH_MIN));
        }
    }

    fn column(&self, index: usize) -> Column {
        Column { index, width: self.width(index) }
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].text.chars().count());
        cells.chain([self.head[column].len()]).max().unwrap_or_default()
    }
}

fn line(row: &[Cell], columns: &[Column], console: &Console) -> String {
    let mut line = String::new();
    for column in columns {
        let cell = &row[column.index];
        let text = truncate(&cell.text, column.width);
        let padding = column.width + GAP - text.chars().count();
        match cell.tone {
            Some(tone) => line.push_str(&console.tinted(&text, tone)),
            None => line.push_str(&text),
        }
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.truncate(line.trim_end().len());
    line
}

fn truncate(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<usize>) -> Vec<String> {
        let mut table = Table::new(&["NAME", "PID", "MIB", "MESSAGE"], &["MIB", "PID"]);
        let long = "a-name-that-is-long".into();
        table.add(vec![long, 12345.into(), 1.5.into(), "It ended by itself, and so on.".into()]);
        table.lines(&Console::plain(width))
    }

    #[test]
    fn a_table_fits_its_width() {
        let all = "a-name-that-is-long  12345  1.5  It ended by itself, and so on.";
        assert_eq!(shown(None)[1], all);
        assert_eq!(shown(Some(all.len()))[1], all);
        assert_eq!(shown(Some(50))[1], "a-name-that-is-long  12345  1.5  It ended by itse…");
        assert_eq!(shown(Some(40))[1], "a-name-that-is-long  12345  It ended by…");
        assert_eq!(
            shown(Some(34)),
            ["NAME                 MESSAGE", "a-name-that-is-long  It ended by …"]
        );
        assert_eq!(shown(Some(24))[1], "a-name-that…  It ended …");
    }
}
