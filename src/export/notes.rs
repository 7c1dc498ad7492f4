//! Warnings about fields of a service that a manifest cannot express.

use std::fmt;
use std::time::Duration;

/// A field that is not exported, or not exactly. Displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The service, as the file names it, and its field: `tts.health_check.timeout`.
    pub field: String,
    /// The message, to follow the field and a colon.
    pub sentence: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.sentence)
    }
}

/// The warnings about one service.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    service: &'a str,
    warnings: Vec<Warning>,
}

impl<'a> Notes<'a> {
    pub(super) fn of(service: &'a str) -> Self {
        Self { service, warnings: Vec::new() }
    }

    /// Adds a warning about a field, unless it was added before.
    pub(super) fn add(&mut self, field: &str, sentence: impl Into<String>) {
        let field = match field {
            "" => self.service.to_owned(),
            field => format!("{}.{field}", self.service),
        };
        let warning = Warning { field, sentence: sentence.into() };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Returns a time in whole seconds, at least `least`, rounded up; adds a warning if that
    /// changes it.
    pub(super) fn whole_seconds(&mut self, field: &str, time: Duration, least: u64) -> u64 {
        let up = u64::from(time.subsec_nanos() > 0);
        let whole = (time.as_secs() + up).max(least);
        if Duration::from_secs(whole) != time {
            let given = time.as_secs_f64();
            self.add(
                field,
                format!("{given} s is rounded up to {whole} s: only whole seconds are possible"),
            );
        }
        whole
    }

    /// Returns all warnings, in the order they were added.
    pub(super) fn finish(self) -> Vec<Warning> {
        self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_seconds_cause_a_warning() {
        let mut notes = Notes::of("tts");
        assert_eq!(notes.whole_seconds("a", Duration::from_secs(3), 1), 3);
        assert_eq!(notes.whole_seconds("b", Duration::from_millis(2500), 1), 3);
        assert_eq!(notes.whole_seconds("c", Duration::ZERO, 1), 1);
        notes.add("", "is odd");
        notes.add("", "is odd");
        let warnings: Vec<String> = notes.finish().iter().map(Warning::to_string).collect();
        assert_eq!(
            warnings,
            [
                "tts.b: 2.5 s is rounded up to 3 s: only whole seconds are possible",
                "tts.c: 0 s is rounded up to 1 s: only whole seconds are possible",
                "tts: is odd",
            ]
        );
    }
}
