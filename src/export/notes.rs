//! What a manifest does not say of a service.

use std::fmt;
use std::time::Duration;

/// A field that a manifest does not say, or not quite. Shown as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The service, as the file names it, and its field: `tts.health_check.timeout`.
    pub field: String,
    /// What becomes of it, to be read after the field and a colon.
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

    /// Notes what becomes of a field. What was said of it already is not said again.
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

    /// A time in whole seconds, `least` at least, rounded up; noted where that changes it.
    pub(super) fn whole_seconds(&mut self, field: &str, time: Duration, least: u64) -> u64 {
        let up = u64::from(time.subsec_nanos() > 0);
        let whole = (time.as_secs() + up).max(least);
        if Duration::from_secs(whole) != time {
            let given = time.as_secs_f64();
            self.add(field, format!("{given} s become {whole} s: there are whole seconds only"));
        }
        whole
    }

    /// All of them, in the order of their noting.
    pub(super) fn finish(self) -> Vec<Warning> {
        self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_and_that_is_told() {
        let mut notes = Notes::of("tts");
        assert_eq!(notes.whole_seconds("a", Duration::from_secs(3), 1), 3);
        assert_eq!(notes.whole_seconds("b", Duration::from_millis(2500), 1), 3);
        assert_eq!(notes.whole_seconds("c", Duration::ZERO, 1), 1);
        notes.add("", "is odd");
        notes.add("", "is odd");
        let told: Vec<String> = notes.finish().iter().map(Warning::to_string).collect();
        assert_eq!(
            told,
            [
                "tts.b: 2.5 s become 3 s: there are whole seconds only",
                "tts.c: 0 s become 1 s: there are whole seconds only",
                "tts: is odd",
            ]
        );
    }
}
