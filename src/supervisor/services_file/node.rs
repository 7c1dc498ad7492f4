//! A value of a services file that knows its position.

use super::error::{Position, ServicesFileError, ServicesFileErrors, without_place};
use super::expand::expand;
use crate::runs::SECONDS_MAX;
use serde::de::Deserialize;
use serde_json::value::RawValue;
use std::cell::{OnceCell, RefCell};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The maximum length of an invalid string quoted in an error, in bytes.
const QUOTED_BYTES_MAX: usize = 80;

/// A text being parsed, with the errors found so far.
#[derive(Debug)]
pub(super) struct Reading<'t> {
    /// Text of the file, for positions; `None` for a request.
    file: Option<&'t str>,
    environment: &'t [(OsString, OsString)],
    /// Names of all services, once they are known.
    known: OnceCell<Vec<String>>,
    errors: RefCell<Vec<ServicesFileError>>,
}

impl<'t> Reading<'t> {
    pub(super) fn of_file(file: &'t str, environment: &'t [(OsString, OsString)]) -> Self {
        Self { file: Some(file), environment, known: OnceCell::new(), errors: RefCell::default() }
    }

    pub(super) fn of_request(
        environment: &'t [(OsString, OsString)],
        known: impl Iterator<Item = String>,
    ) -> Self {
        let known = OnceCell::from(known.collect::<Vec<_>>());
        Self { file: None, environment, known, errors: RefCell::default() }
    }

    /// Sets the names of all services. Only the first call counts.
    pub(super) fn set_known(&self, names: Vec<String>) {
        let _set = self.known.set(names);
    }

    /// Returns the parsed value, or all errors if there are any.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, ServicesFileErrors> {
        match (read, self.errors.into_inner()) {
            (Some(read), errors) if errors.is_empty() => Ok(read),
            (_, errors) => Err(ServicesFileErrors::new(errors)),
        }
    }

    /// Returns the position of a part of the text.
    fn position(&self, part: &str) -> Option<Position> {
        let file = self.file?;
        // A part is borrowed from the text, so the difference of their addresses is its offset.
        let offset = (part.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
        Some(Position::of(file, offset))
    }

    fn note(&self, part: &str, field: &str, sentence: String) {
        let (position, field) = (self.position(part), field.to_owned());
        self.errors.borrow_mut().push(ServicesFileError { position, field, sentence });
    }
}

/// A value with its position and the name of its field. A method for a kind of value that this is
/// not notes an error and returns `None`.
#[derive(Clone, Debug)]
pub(super) struct Node<'r> {
    reading: &'r Reading<'r>,
    raw: &'r RawValue,
    field: String,
}

impl<'r> Node<'r> {
    /// Creates the node of a whole text.
    pub(super) fn whole(reading: &'r Reading<'r>, raw: &'r RawValue) -> Self {
        Self { reading, raw, field: String::new() }
    }

    /// Returns this value with another field name.
    pub(super) fn named(self, field: &str) -> Self {
        Self { field: field.to_owned(), ..self }
    }

    /// Returns the name of its field; empty for the whole text.
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Returns the names of all services.
    pub(super) fn known_services(&self) -> &'r [String] {
        self.reading.known.get().map_or(&[], Vec::as_slice)
    }

    /// Returns the JSON text.
    pub(super) fn json(&self) -> &'r str {
        self.raw.get()
    }

    /// Whether it is `null`.
    pub(super) fn is_null(&self) -> bool {
        self.json() == "null"
    }

    /// Whether it is a string.
    pub(super) fn is_text(&self) -> bool {
        self.json().starts_with('"')
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        self.json().starts_with('[')
    }

    /// Notes an error of this value.
    pub(super) fn error(&self, sentence: impl Into<String>) {
        self.reading.note(self.json(), &self.field, sentence.into());
    }

    /// Notes that the value is not what is expected.
    pub(super) fn refuse<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.json().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') if self.is_long_or_secret() => "a string",
            Some(b'n') => "null",
            _ => self.json(),
        };
        self.error(format!("must be {wanted}, got {found}"));
        None
    }

    /// Whether a string is too long to be quoted, or may be a URL with a password.
    fn is_long_or_secret(&self) -> bool {
        self.json().len() > QUOTED_BYTES_MAX || self.json().contains('@')
    }

    /// Returns a string without expansion.
    pub(super) fn plain_text(&self) -> Option<String> {
        if !self.is_text() {
            return self.refuse("a string");
        }
        let text = self.parse::<String>()?;
        if text.contains('\0') {
            self.error("contains a NUL character, which cannot be passed to a program: remove it");
            return None;
        }
        Some(text)
    }

    /// Returns a string with `${NAME}` expanded.
    pub(super) fn text(&self) -> Option<String> {
        let expanded = expand(&self.plain_text()?, self.reading.environment);
        expanded.inspect_err(|why| self.error(why)).ok()
    }

    /// Returns an expanded string that is not empty.
    pub(super) fn nonempty_text(&self) -> Option<String> {
        let text = self.text()?;
        if text.is_empty() {
            self.error("is empty: give it a value or remove it");
            return None;
        }
        Some(text)
    }

    /// Returns `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.json() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.refuse("true or false"),
        }
    }

    /// Returns a duration in seconds, from `least` to a day.
    pub(super) fn seconds_from(&self, least: f64) -> Option<Duration> {
        let seconds = self.number_in(&(least..=SECONDS_MAX));
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        time.or_else(|| self.refuse(&format!("a number of seconds from {least} to {SECONDS_MAX}")))
    }

    /// Returns a number in a range.
    pub(super) fn number(&self, range: &RangeInclusive<f64>) -> Option<f64> {
        let number = self.number_in(range);
        number
            .or_else(|| self.refuse(&format!("a number from {} to {}", range.start(), range.end())))
    }

    /// Returns an integer in a range.
    pub(super) fn whole_number<T>(&self, range: &RangeInclusive<u64>) -> Option<T>
    where
        T: TryFrom<u64>,
    {
        let number = self.integer().filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.or_else(|| match (range.start(), range.end()) {
            (from, &u64::MAX) => self.refuse(&format!("a whole number from {from}")),
            (from, to) => self.refuse(&format!("a whole number from {from} to {to}")),
        })
    }

    /// Returns the values of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        if !self.is_list() {
            return self.refuse("a list");
        }
        let items = self.parse::<Vec<&RawValue>>()?.into_iter().enumerate();
        Some(items.map(|(i, raw)| self.below(raw, format!("{}[{i}]", self.field))).collect())
    }

    /// Creates the node of a part.
    pub(super) fn below(&self, raw: &'r RawValue, field: String) -> Self {
        Self { reading: self.reading, raw, field }
    }

    /// Returns an integer, which may be written with a zero fraction: in JSON Schema `24.0` is an
    /// integer.
    pub(super) fn integer(&self) -> Option<u64> {
        /// The largest range in which an `f64` represents every integer.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        serde_json::from_str(self.json()).ok().or_else(|| {
            let number =
                self.number_in(&(0.0..=EXACT_MAX)).filter(|number| number.fract() == 0.0)?;
            format!("{number:.0}").parse().ok()
        })
    }

    fn number_in(&self, range: &RangeInclusive<f64>) -> Option<f64> {
        serde_json::from_str(self.json()).ok().filter(|number| range.contains(number))
    }

    /// Parses the JSON text, which is known to be valid, except for lone surrogates in strings.
    pub(super) fn parse<T: Deserialize<'r>>(&self) -> Option<T> {
        let parsed = serde_json::from_str(self.raw.get());
        let refuse = |error: serde_json::Error| {
            self.error(format!("cannot be read: {}", without_place(&error)));
        };
        parsed.map_err(refuse).ok()
    }
}
