//! Search for an expression in lines, which ends when nobody waits for the answer any more.
//!
//! An expression of some hundred states takes half a minute for a line of 15 MB, and the search of
//! a library cannot be interrupted: so a long search proceeds in pieces.

use super::error::{Error, Result};
use super::long_line::Search;
use regex::Regex;
use regex_automata::hybrid::dfa::DFA;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum memory of a compiled expression, in bytes: far over any that people write.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// Amount of work between two checks whether the answer is still awaited, in bytes times states of
/// the expression: in the worst case some 40 ms.
const STEP_COST: usize = 2 * 1024 * 1024;

/// The limit for what has to be searched in one go, because `\b` stands beside a non-ASCII
/// character: some 2 s. A line over that is shown rather than missed.
const WHOLE_COST_MAX: usize = 50 * STEP_COST;

/// A function that returns whether nobody waits for the answer any more. Does not block.
pub type IsAbandoned = Arc<dyn Fn() -> bool + Send + Sync>;

/// A compiled expression.
#[derive(Clone)]
pub struct Grep(Arc<Inner>);

struct Inner {
    regex: Regex,
    /// `None` if the expression has no automaton of this kind.
    automaton: Option<DFA>,
    states: usize,
    is_abandoned: Option<IsAbandoned>,
    /// Cost of what was searched since the last check.
    spent: AtomicUsize,
}

impl fmt::Debug for Grep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Grep({:?})", self.0.regex.as_str())
    }
}

impl Grep {
    /// Compiles an expression, which is the value of the parameter `name`.
    ///
    /// # Errors
    /// `Input` if the expression is invalid or too large.
    pub fn new(name: &str, expression: &str, is_abandoned: Option<IsAbandoned>) -> Result<Self> {
        let built = regex::RegexBuilder::new(expression).size_limit(REGEX_BYTES_MAX).build();
        let regex = built.map_err(|error| {
            let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            Error::Pattern(format!(
                "The parameter {name} is not a regular expression ({why}): correct it."
            ))
        })?;
        let automaton = Search::automaton(expression);
        // Without an automaton, the memory of the expression serves as an estimate.
        let states = automaton.as_ref().map_or(REGEX_BYTES_MAX, |it| it.get_nfa().states().len());
        let spent = AtomicUsize::new(0);
        Ok(Self(Arc::new(Inner { regex, automaton, states, is_abandoned, spent })))
    }

    /// Whether a text matches.
    ///
    /// # Errors
    /// `ConnectionAborted` if nobody waits for the answer any more.
    pub fn is_match(&self, text: &str) -> io::Result<bool> {
        let cost = text.len().saturating_mul(self.0.states);
        if cost <= STEP_COST {
            self.spend(cost)?;
            return Ok(self.0.regex.is_match(text));
        }
        let mut search = self.search(false);
        let piece_bytes = (STEP_COST / self.0.states).max(64);
        let mut rest = text;
        while !rest.is_empty() && !search.is_over() {
            self.spend(STEP_COST)?;
            let (piece, after) = rest.split_at(rest.floor_char_boundary(piece_bytes));
            search.feed(piece);
            rest = after;
        }
        if search.gave_up() && cost <= WHOLE_COST_MAX {
            return Ok(self.0.regex.is_match(text));
        }
        Ok(search.finish())
    }

    /// Returns a search for a line that is not held whole.
    pub fn search(&self, strips_ansi: bool) -> Search {
        Search::new(self.0.automaton.clone(), strips_ansi)
    }

    /// Adds up the cost of the coming search, and checks now and then whether it is still wanted.
    fn spend(&self, cost: usize) -> io::Result<()> {
        if self.0.spent.fetch_add(cost, Ordering::Relaxed) < STEP_COST {
            return Ok(());
        }
        self.0.spent.store(0, Ordering::Relaxed);
        if self.0.is_abandoned.as_ref().is_some_and(|is_abandoned| is_abandoned()) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client left"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns a text far longer than is searched in one go with this many states.
    fn long(text: &str) -> String {
        format!("{}{text}{}", "y".repeat(STEP_COST / 2), "z".repeat(STEP_COST / 2))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn long_and_short_lines_match_alike(
            text in "[abé ]{0,8}",
            expression in prop_oneof![
                Just("ab"), Just("^y+a"), Just("b *z+$"), Just("a.*b"), Just("é{2}"),
                Just(r"\ba\b"), Just(r"y\b"), Just("^(y|z)+$"), Just("x[xy]{20}"),
            ],
        ) {
            let text = long(&text);
            let expected = Regex::new(expression).unwrap().is_match(&text);
            let found = Grep::new("grep", expression, None).unwrap().is_match(&text).unwrap();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn abandoned_searches_end() {
        let gone: IsAbandoned = Arc::new(|| true);
        let grep = Grep::new("grep", "x[xy]{400}[wv]", Some(gone)).unwrap();
        let text = "xy".repeat(4 * 1024 * 1024);
        assert_eq!(grep.is_match(&text).unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        let many = (0..1_000_000).map(|_| grep.is_match("xyxyxy")).find(io::Result::is_err);
        assert!(many.is_some(), "short lines count together");
    }
}
