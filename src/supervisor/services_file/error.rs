//! Errors of a services file, with their positions.

use crate::supervisor::error::Error;
use std::fmt;

/// The maximum number of errors in the answer to a request.
const ERRORS_SHOWN_MAX: usize = 20;

/// A position in a text, as an editor shows it: both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Character in the line.
    pub column: usize,
}

impl Position {
    /// Returns the position of the byte `offset` of a text.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before[line_start..].chars().count() + 1 }
    }
}

/// An error of a services file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicesFileError {
    /// Position; `None` if the text did not come from a file.
    pub position: Option<Position>,
    /// Field (`tts.health_check.timeout`); empty for an error of the whole file.
    pub field: String,
    /// Description, to be read after the field and a colon.
    pub sentence: String,
}

impl fmt::Display for ServicesFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.sentence)
    }
}

/// All errors of a services file, in the order of the text. Displayed as one line each:
/// `FILE:LINE:COLUMN: FIELD: sentence`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ServicesFileErrors {
    file: Option<String>,
    errors: Vec<ServicesFileError>,
}

impl ServicesFileErrors {
    /// Sorts errors in the order of the text.
    pub(super) fn new(mut errors: Vec<ServicesFileError>) -> Self {
        errors.sort_by_key(|error| error.position);
        Self { file: None, errors }
    }

    /// Creates a single error of the whole file.
    pub(super) fn of_whole(position: Option<Position>, sentence: String) -> Self {
        Self::new(vec![ServicesFileError { position, field: String::new(), sentence }])
    }

    /// Adds the file's path before each error.
    #[must_use]
    pub fn in_file(self, file: &str) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// Returns the errors.
    #[must_use]
    pub fn errors(&self) -> &[ServicesFileError] {
        &self.errors
    }

    fn lines(&self) -> Vec<String> {
        let place = |error: &ServicesFileError| match (&self.file, error.position) {
            (Some(file), Some(Position { line, column })) => format!("{file}:{line}:{column}: "),
            (Some(file), None) => format!("{file}: "),
            (None, Some(Position { line, column })) => format!("line {line} column {column}: "),
            (None, None) => String::new(),
        };
        self.errors.iter().map(|error| format!("{}{error}", place(error))).collect()
    }
}

impl fmt::Display for ServicesFileErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.lines().join("\n"))
    }
}

impl From<ServicesFileErrors> for Error {
    fn from(errors: ServicesFileErrors) -> Self {
        let lines = errors.lines();
        let text = lines[..lines.len().min(ERRORS_SHOWN_MAX)].join("; ");
        match lines.len() - lines.len().min(ERRORS_SHOWN_MAX) {
            // A message that ends with a suggestion is a question.
            0 if text.ends_with('?') => Self::Invalid(text),
            0 => Self::Invalid(format!("{text}.")),
            more => Self::Invalid(format!("{text}; and {more} more errors.")),
        }
    }
}

/// Returns the message of the JSON parser without the position, which is reported separately.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (3, 2, 1), (5, 2, 2), (6, 3, 1)] {
            assert_eq!(Position::of("{}\né\n}", offset), Position { line, column }, "{offset}");
        }
    }

    #[test]
    fn errors_are_displayed_one_per_line_in_text_order() {
        let error = |line, field: &str, sentence: &str| ServicesFileError {
            position: Some(Position { line, column: 3 }),
            field: field.to_owned(),
            sentence: sentence.to_owned(),
        };
        let errors =
            ServicesFileErrors::new(vec![error(9, "tts.port", "is odd"), error(2, "", "is even")]);
        let shown = errors.clone().in_file("a.json").to_string();
        assert_eq!(shown, "a.json:2:3: is even\na.json:9:3: tts.port: is odd");
        let sentence = Error::from(errors).to_string();
        assert_eq!(sentence, "line 2 column 3: is even; line 9 column 3: tts.port: is odd.");
        let asking = ServicesFileErrors::new(vec![error(
            1,
            "tts.prot",
            "is unknown: did you mean \"port\"?",
        )]);
        let sentence = Error::from(asking).to_string();
        assert_eq!(sentence, "line 1 column 3: tts.prot: is unknown: did you mean \"port\"?");
    }
}
