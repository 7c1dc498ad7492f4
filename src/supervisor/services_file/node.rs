//! A value of a services file that knows its place.

use super::expand::expand;
use super::fault::{Fault, Faults, Position, without_place};
use crate::runs::SECONDS_MAX;
use serde::de::Deserialize;
use serde_json::value::RawValue;
use std::cell::{OnceCell, RefCell};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest string that is quoted where it is none of those that are wanted, in bytes.
const QUOTED_BYTES_MAX: usize = 80;

/// A text that is being read, with the faults that were found so far.
#[derive(Debug)]
pub(super) struct Reading<'t> {
    /// The text of a file; `None` where there is none whose lines a reader could look at.
    file: Option<&'t str>,
    environment: &'t [(OsString, OsString)],
    /// The services that there are, once they are known.
    known: OnceCell<Vec<String>>,
    faults: RefCell<Vec<Fault>>,
}

impl<'t> Reading<'t> {
    pub(super) fn of_file(file: &'t str, environment: &'t [(OsString, OsString)]) -> Self {
        Self { file: Some(file), environment, known: OnceCell::new(), faults: RefCell::default() }
    }

    pub(super) fn of_request(
        environment: &'t [(OsString, OsString)],
        known: impl Iterator<Item = String>,
    ) -> Self {
        let known = OnceCell::from(known.collect::<Vec<_>>());
        Self { file: None, environment, known, faults: RefCell::default() }
    }

    /// Sets the names of the services that there are. Only the first call counts.
    pub(super) fn set_known(&self, names: Vec<String>) {
        let _set = self.known.set(names);
    }

    /// Ends the reading: what was read, unless there is a fault in it.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Faults> {
        match (read, self.faults.into_inner()) {
            (Some(read), faults) if faults.is_empty() => Ok(read),
            (_, faults) => Err(Faults::new(faults)),
        }
    }

    /// The place of a part of the text.
    fn place(&self, part: &str) -> Option<Position> {
        let file = self.file?;
        // A part is borrowed from the text, so the distance of their beginnings is its place.
        let offset = (part.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
        Some(Position::of(file, offset))
    }

    fn note(&self, part: &str, field: &str, sentence: String) {
        let (position, field) = (self.place(part), field.to_owned());
        self.faults.borrow_mut().push(Fault { position, field, sentence });
    }
}

/// A value, its place and its field's name. What is asked of it and not there is noted as a fault,
/// and `None` is given.
#[derive(Clone, Debug)]
pub(super) struct Node<'r> {
    reading: &'r Reading<'r>,
    raw: &'r RawValue,
    field: String,
}

impl<'r> Node<'r> {
    /// The whole of a text.
    pub(super) fn whole(reading: &'r Reading<'r>, raw: &'r RawValue) -> Self {
        Self { reading, raw, field: String::new() }
    }

    /// The same value under another name.
    pub(super) fn named(self, field: &str) -> Self {
        Self { field: field.to_owned(), ..self }
    }

    /// The name of its field; empty for the whole.
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Returns the names of the services that there are.
    pub(super) fn known_services(&self) -> &'r [String] {
        self.reading.known.get().map_or(&[], Vec::as_slice)
    }

    /// The JSON text.
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

    /// Notes what is wrong with it.
    pub(super) fn fault(&self, sentence: impl Into<String>) {
        self.reading.note(self.json(), &self.field, sentence.into());
    }

    /// Notes that it is not what it should be.
    pub(super) fn refuse<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.json().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') if self.is_long_or_secret() => "a string",
            Some(b'n') => "null",
            _ => self.json(),
        };
        self.fault(format!("must be {wanted}, and it is {found}"));
        None
    }

    /// Whether a string is too long to be quoted, or may be a URL with a password in it.
    fn is_long_or_secret(&self) -> bool {
        self.json().len() > QUOTED_BYTES_MAX || self.json().contains('@')
    }

    /// A string as it is written.
    pub(super) fn plain_text(&self) -> Option<String> {
        if !self.is_text() {
            return self.refuse("a string");
        }
        let text = self.parse::<String>()?;
        if text.contains('\0') {
            self.fault("has a NUL in it, which no program can be given: take it out");
            return None;
        }
        Some(text)
    }

    /// A string, with the values of the environment that it names.
    pub(super) fn text(&self) -> Option<String> {
        let expanded = expand(&self.plain_text()?, self.reading.environment);
        expanded.inspect_err(|why| self.fault(why)).ok()
    }

    /// A string with something in it.
    pub(super) fn full_text(&self) -> Option<String> {
        let text = self.text()?;
        if text.is_empty() {
            self.fault("is empty: give it a value or take it out");
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.json() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.refuse("true or false"),
        }
    }

    /// A duration in seconds, at least `least`, a day at most.
    pub(super) fn seconds_from(&self, least: f64) -> Option<Duration> {
        let seconds = self.number_in(&(least..=SECONDS_MAX));
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        time.or_else(|| self.refuse(&format!("a number of seconds from {least} to {SECONDS_MAX}")))
    }

    /// A number of a range.
    pub(super) fn number(&self, range: &RangeInclusive<f64>) -> Option<f64> {
        let number = self.number_in(range);
        number
            .or_else(|| self.refuse(&format!("a number from {} to {}", range.start(), range.end())))
    }

    /// A whole number of a range.
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

    /// The values of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        if !self.is_list() {
            return self.refuse("a list");
        }
        let items = self.parse::<Vec<&RawValue>>()?.into_iter().enumerate();
        Some(items.map(|(i, raw)| self.below(raw, format!("{}[{i}]", self.field))).collect())
    }

    /// A part of it.
    pub(super) fn below(&self, raw: &'r RawValue, field: String) -> Self {
        Self { reading: self.reading, raw, field }
    }

    /// A whole number, also where it is written with a fraction of nothing: to JSON Schema `24.0`
    /// is an integer.
    pub(super) fn integer(&self) -> Option<u64> {
        /// From here on not every whole number is a fraction's.
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

    /// Takes apart what is whole JSON by now: only half of a surrogate pair is still refused.
    pub(super) fn parse<T: Deserialize<'r>>(&self) -> Option<T> {
        let parsed = serde_json::from_str(self.raw.get());
        let refuse = |error: serde_json::Error| {
            self.fault(format!("cannot be read: {}", without_place(&error)));
        };
        parsed.map_err(refuse).ok()
    }
}
