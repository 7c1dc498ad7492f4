//! What is wrong with a services file: every fault with its place.

use crate::supervisor::error::Error;
use std::fmt;

/// How many faults the answer to a request names.
const TOLD_MAX: usize = 20;

/// A place in a text, as an editor shows it: both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// The place of the byte `offset` of a text.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before[line_start..].chars().count() + 1 }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands; `None` for what did not come from a file.
    pub position: Option<Position>,
    /// The field (`tts.health_check.timeout`); empty where the whole is at fault.
    pub field: String,
    /// What is wrong with it, to be read after the field and a colon.
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.sentence)
    }
}

/// All that is wrong with a services file, in the order of the text. Shown as one line a fault:
/// `FILE:LINE:COLUMN: FIELD: sentence`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    file: Option<String>,
    faults: Vec<Fault>,
}

impl Faults {
    /// Puts them in the order of the text.
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.position);
        Self { file: None, faults }
    }

    /// One fault of the whole.
    pub(super) fn of_whole(position: Option<Position>, sentence: String) -> Self {
        Self::new(vec![Fault { position, field: String::new(), sentence }])
    }

    /// The same, with the file's name before each.
    #[must_use]
    pub fn in_file(self, file: &str) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// Each of them.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    fn lines(&self) -> Vec<String> {
        let place = |fault: &Fault| match (&self.file, fault.position) {
            (Some(file), Some(Position { line, column })) => format!("{file}:{line}:{column}: "),
            (Some(file), None) => format!("{file}: "),
            (None, Some(Position { line, column })) => format!("line {line} column {column}: "),
            (None, None) => String::new(),
        };
        self.faults.iter().map(|fault| format!("{}{fault}", place(fault))).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.lines().join("\n"))
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        let lines = faults.lines();
        let told = lines[..lines.len().min(TOLD_MAX)].join("; ");
        match lines.len() - lines.len().min(TOLD_MAX) {
            // One that ends with what was meant is a question.
            0 if told.ends_with('?') => Self::Invalid(told),
            0 => Self::Invalid(format!("{told}.")),
            more => Self::Invalid(format!("{told}; and {more} faults more.")),
        }
    }
}

/// What the parser of JSON says, without its place, which is told apart.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    said.strip_suffix(&place).unwrap_or(&said).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (3, 2, 1), (5, 2, 2), (6, 3, 1)] {
            assert_eq!(Position::of("{}\né\n}", offset), Position { line, column }, "{offset}");
        }
    }

    #[test]
    fn faults_are_shown_a_line_each_in_the_order_of_the_text() {
        let fault = |line, field: &str, sentence: &str| Fault {
            position: Some(Position { line, column: 3 }),
            field: field.to_owned(),
            sentence: sentence.to_owned(),
        };
        let faults = Faults::new(vec![fault(9, "tts.port", "is odd"), fault(2, "", "is even")]);
        let shown = faults.clone().in_file("a.json").to_string();
        assert_eq!(shown, "a.json:2:3: is even\na.json:9:3: tts.port: is odd");
        let sentence = Error::from(faults).to_string();
        assert_eq!(sentence, "line 2 column 3: is even; line 9 column 3: tts.port: is odd.");
        let asking = Faults::new(vec![fault(1, "tts.prot", "is unknown: did you mean \"port\"?")]);
        let sentence = Error::from(asking).to_string();
        assert_eq!(sentence, "line 1 column 3: tts.prot: is unknown: did you mean \"port\"?");
    }
}
