//! Tables that fit a terminal.

use super::console::{Console, Tone};
use crate::printable::is_hidden;

/// What stands between two columns.
const GAP: usize = 2;

/// How narrow a column may get: then others are left out, and in the end a line is too long.
const WIDTH_MIN: usize = 10;

/// Rows under a head; the last column takes what room is left.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<&'static str>,
    /// The columns that are left out where there is no room, in this order.
    dispensable: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// A column that is shown.
#[derive(Clone, Copy, Debug)]
struct Column {
    index: usize,
    width: usize,
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
        let plain = |c: char| if is_hidden(c) { ' ' } else { c };
        Self { text: text.chars().map(plain).collect(), tone: None }
    }
}

/// Makes a cell of a number as JSON has it, with a fraction: `0.0`.
pub fn number(value: f64) -> Cell {
    format!("{value:?}").into()
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
    /// One without rows. The dispensable columns are left out where there is no room, the first
    /// of them first.
    pub fn new(head: &[&'static str], dispensable: &[&'static str]) -> Self {
        Self { head: head.to_vec(), dispensable: dispensable.to_vec(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as the head has.
    pub fn add(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.head.len());
        self.rows.push(row);
    }

    /// The lines of the table.
    pub fn lines(&self, console: &Console) -> Vec<String> {
        let mut columns: Vec<Column> =
            (0..self.head.len()).map(|index| self.column(index)).collect();
        if let Some(room) = console.width {
            self.fit(&mut columns, room);
        }
        let head: Vec<Cell> = self.head.iter().copied().map(Cell::from).collect();
        let rows = std::iter::once(&head).chain(&self.rows);
        rows.map(|row| line(row, &columns, console)).collect()
    }

    /// Leaves out columns, then narrows the widest, until the lines have room.
    fn fit(&self, columns: &mut Vec<Column>, room: usize) {
        let missing = |columns: &[Column]| {
            let (last, others) = columns
                .split_last()
                .map_or((0, columns), |(last, others)| (last.width.min(WIDTH_MIN), others));
            let used: usize = others.iter().map(|column| column.width + GAP).sum();
            (used + last).saturating_sub(room)
        };
        for name in &self.dispensable {
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
            last.width = last.width.min(room.saturating_sub(used).max(WIDTH_MIN));
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
        let text = cut(&cell.text, column.width);
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

fn cut(text: &str, width: usize) -> String {
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
    fn a_table_fits_its_room() {
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
