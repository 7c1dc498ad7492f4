//! Waits for output: for a line, a match, silence, or the end of the run.

use super::client::Client;
use super::error::{Error, Result};
use super::log_page::unreadable;
use super::log_query::fitting_wait;
use super::source::Source;
use super::waits;
use crate::logs::{Filter, LogSnapshot, Page, Range, Selection};
use crate::protocol::WaitReason;
use crate::runs::Written;
use std::time::{Duration, Instant};

/// The valid values of `until`, for errors.
pub const UNTIL_WANTED: &str = "line, end, match:REGEX or idle:SECONDS";

/// What ends a wait, besides the end of the run.
#[derive(Clone, Debug)]
pub enum Until {
    /// A line.
    Line,
    /// Only the end of the run.
    End,
    /// A line, or an unfinished one, that matches.
    Match(Filter),
    /// Silence of this duration after some output.
    Idle(Duration),
    /// Silence of this duration after an unfinished line that was printed since this instant: a
    /// question, maybe.
    Question(Duration, Instant),
}

/// The output from which on a wait considers what is printed.
#[derive(Clone, Debug, Default)]
pub struct OutputMark {
    /// Number of lines before it.
    lines: u64,
    /// Number of lines after those that are the echo of input.
    echoed: u64,
    /// The unfinished line at that time.
    prompt: String,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// What ended it.
    pub reason: WaitReason,
    /// The line that matched.
    pub matched_line: Option<String>,
}

impl Until {
    /// Parses the value of a parameter `until`.
    ///
    /// # Errors
    /// `Invalid` for anything but `UNTIL_WANTED`.
    pub fn parse(text: &str, client: &dyn Client) -> Result<Self> {
        let refused =
            || Error::Invalid(format!("The parameter until is {text:?}: give {UNTIL_WANTED}."));
        match text.split_once(':') {
            None if text == WaitReason::Line.as_str() => Ok(Self::Line),
            None if text == WaitReason::End.as_str() => Ok(Self::End),
            Some(("match", expression)) if !expression.is_empty() => {
                Ok(Self::Match(Filter::matching("until", expression, client.has_left_fn())?))
            }
            Some(("idle", seconds)) => {
                let seconds = seconds.parse().map_err(|_| refused())?;
                Ok(Self::Idle(fitting_wait("until", Some(seconds))?.unwrap_or_default()))
            }
            _ => Err(refused()),
        }
    }
}

impl OutputMark {
    /// Returns the mark after a line: what is unfinished comes after it.
    #[must_use]
    pub fn after(lines: u64) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Returns the mark after what was printed before this input, and its echo.
    #[must_use]
    pub fn of_input(written: &Written) -> Self {
        let (before, echoed) = (&written.before, written.echoed_lines);
        Self { lines: before.lines, echoed, prompt: before.prompt.clone() }
    }

    /// Returns the number of lines before it, without an echo.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns the number of lines before the first that counts.
    fn first_line(&self) -> u64 {
        self.lines + self.echoed
    }

    /// Returns whether the unfinished line was printed after it.
    fn is_before_prompt(&self, snapshot: &LogSnapshot) -> bool {
        let is_changed = snapshot.lines > self.lines || snapshot.prompt != self.prompt;
        is_changed && snapshot.lines >= self.first_line() && !snapshot.prompt.is_empty()
    }

    fn is_before_output(&self, snapshot: &LogSnapshot) -> bool {
        snapshot.lines > self.first_line() || self.is_before_prompt(snapshot)
    }
}

/// Waits until `until` is satisfied by what is printed after the mark, until the run has ended, for
/// `wait`, or until the client has left.
///
/// # Errors
/// `Log` if the log cannot be read.
pub fn wait_until(
    client: &dyn Client,
    source: &dyn Source,
    mark: &OutputMark,
    until: &Until,
    wait: Duration,
) -> Result<Waited> {
    let mut watch = Watch {
        source,
        mark,
        until,
        scanned: mark.first_line(),
        prompt: String::new(),
        was_running: source.is_running(),
        transitions: source.transition_count(),
    };
    let mut outcome = Ok(None);
    waits::wait(client, wait, |deadline| {
        outcome = watch.step(deadline);
        !matches!(outcome, Ok(None))
    });
    let timeout = Waited { reason: WaitReason::Timeout, matched_line: None };
    Ok(outcome?.unwrap_or(timeout))
}

struct Watch<'a> {
    source: &'a dyn Source,
    mark: &'a OutputMark,
    until: &'a Until,
    /// Number of the last line that was compared with the expression.
    scanned: u64,
    /// The unfinished line that was compared last.
    prompt: String,
    was_running: bool,
    transitions: u64,
}

impl Watch<'_> {
    /// Checks what there is, and waits for more until `deadline`. Returns how the wait ended, if it
    /// has.
    fn step(&mut self, deadline: Instant) -> Result<Option<Waited>> {
        loop {
            // Read first: if the run has ended, all of its output is there.
            let has_ended = self.has_ended();
            if let Some(waited) = self.check()? {
                return Ok(Some(waited));
            }
            if has_ended {
                return Ok(Some(reason(WaitReason::End)));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            self.wait_for_news(deadline);
        }
    }

    fn has_ended(&self) -> bool {
        let has_changed = || self.source.transition_count() != self.transitions;
        self.source.is_over()
            || (self.was_running && (has_changed() || !self.source.is_running()))
            || (!self.was_running && matches!(self.until, Until::End))
    }

    fn check(&mut self) -> Result<Option<Waited>> {
        match self.until {
            Until::End => Ok(None),
            Until::Line => {
                let lines = self.source.line_numbers().end;
                Ok((lines > self.mark.first_line()).then(|| reason(WaitReason::Line)))
            }
            Until::Idle(silence) | Until::Question(silence, _) => {
                let is_quiet = |idle: Duration| idle >= *silence;
                let snapshot = self.snapshot();
                let is_enough = self.has_output(&snapshot) && snapshot.idle.is_some_and(is_quiet);
                Ok(is_enough.then(|| reason(WaitReason::Idle)))
            }
            Until::Match(filter) => {
                let matched_line = self.find(filter)?;
                let reason = WaitReason::Match;
                Ok(matched_line.map(|line| Waited { reason, matched_line: Some(line) }))
            }
        }
    }

    /// Returns the first line that matches, of those that were not compared yet.
    fn find(&mut self, filter: &Filter) -> Result<Option<String>> {
        let selection = Selection {
            range: Range::After(self.scanned),
            before: None,
            limit: Some(1),
            filter: filter.clone(),
        };
        let page = Page::select(&self.source.series(&selection)?, selection)?;
        let mut matched = None;
        let counts = page.for_each(|_, text| {
            matched.get_or_insert_with(|| text.to_owned());
            Ok(())
        });
        let counts = counts.map_err(unreadable)?;
        if matched.is_some() {
            return Ok(matched);
        }
        self.scanned = self.scanned.max(counts.next);
        let snapshot = page.snapshot();
        self.prompt.clone_from(&snapshot.prompt);
        if !self.mark.is_before_prompt(snapshot) {
            return Ok(None);
        }
        let prompt = filter.apply(&snapshot.prompt).map_err(unreadable)?;
        Ok(prompt.map(std::borrow::Cow::into_owned))
    }

    /// Whether there is output after which silence counts.
    fn has_output(&self, snapshot: &LogSnapshot) -> bool {
        match self.until {
            Until::Question(_, since) => {
                let is_new = snapshot.idle.is_some_and(|idle| idle <= since.elapsed());
                is_new && self.mark.is_before_prompt(snapshot)
            }
            _ => self.mark.is_before_output(snapshot),
        }
    }

    fn snapshot(&self) -> LogSnapshot {
        let mut snapshot = None;
        self.source.wait(Instant::now(), &mut |now| {
            snapshot.get_or_insert_with(|| now.clone());
            true
        });
        snapshot.unwrap_or_else(LogSnapshot::of_nothing)
    }

    /// Waits for something to check.
    fn wait_for_news(&self, deadline: Instant) {
        let (mark, scanned, prompt) = (self.mark, self.scanned, &self.prompt);
        match self.until {
            Until::End => self.source.wait(deadline, &mut |_| false),
            Until::Line => {
                self.source.wait(deadline, &mut |snapshot| snapshot.lines > mark.first_line());
            }
            Until::Match(_) => self.source.wait(deadline, &mut |snapshot| {
                snapshot.lines > scanned || snapshot.prompt != *prompt
            }),
            Until::Idle(silence) | Until::Question(silence, _) => {
                let snapshot = self.snapshot();
                if !self.has_output(&snapshot) {
                    return self.source.wait(deadline, &mut |now| self.has_output(now));
                }
                // Whatever is printed meanwhile, the silence is not over earlier.
                let idle = snapshot.idle.unwrap_or_default();
                let over = Instant::now() + silence.saturating_sub(idle);
                self.source.wait(deadline.min(over), &mut |_| false);
            }
        }
    }
}

fn reason(reason: WaitReason) -> Waited {
    Waited { reason, matched_line: None }
}
