//! Search for an expression in a line that is too long to be held in memory.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::start;
use vte::{Params, Parser, Perform};

/// A search of one line, which is fed piece by piece. Takes the memory of the automaton, however
/// long the line is.
pub struct Search {
    automaton: Option<Automaton>,
    /// The parser that strips escape sequences first, if they are to be stripped.
    printed: Option<(Parser, Printed)>,
    is_found: bool,
}

struct Automaton {
    dfa: DFA,
    cache: Cache,
    state: LazyStateID,
    /// Whether the automaton could not decide.
    gave_up: bool,
}

impl Search {
    /// Builds the automaton of an expression, for searches; `None` if it has none of this kind.
    pub fn automaton(expression: &str) -> Option<DFA> {
        let config = DFA::config().unicode_word_boundary(true).skip_cache_capacity_check(true);
        DFA::builder().configure(config).build(expression).ok()
    }

    /// Creates a search by an automaton.
    pub fn new(automaton: Option<DFA>, strips_ansi: bool) -> Self {
        let automaton = automaton.and_then(Automaton::new);
        let printed = strips_ansi.then(|| (Parser::new(), Printed::default()));
        // Without an automaton the line is shown rather than missed.
        let is_found = automaton.is_none();
        Self { automaton, printed, is_found }
    }

    /// Searches the next piece of the line.
    pub fn feed(&mut self, piece: &str) {
        if self.is_found {
            return;
        }
        let text = match &mut self.printed {
            None => piece,
            Some((parser, printed)) => {
                printed.0.clear();
                parser.advance(printed, piece.as_bytes());
                &printed.0
            }
        };
        let automaton = self.automaton.as_mut();
        self.is_found = automaton.is_some_and(|automaton| automaton.finds_in(text.as_bytes()));
    }

    /// Whether the rest of the line makes no difference.
    pub fn is_over(&self) -> bool {
        self.is_found
    }

    /// Whether the automaton could not decide, and the line is taken to match.
    pub fn gave_up(&self) -> bool {
        self.automaton.as_ref().is_none_or(|automaton| automaton.gave_up)
    }

    /// Whether the line, which ends here, matches.
    pub fn finish(mut self) -> bool {
        self.is_found || self.automaton.as_mut().is_some_and(Automaton::finds_at_end)
    }
}

impl Automaton {
    fn new(dfa: DFA) -> Option<Self> {
        let mut cache = dfa.create_cache();
        let state = dfa.start_state(&mut cache, &start::Config::new()).ok()?;
        Some(Self { dfa, cache, state, gave_up: false })
    }

    /// Whether the line matches, as far as that is known with these bytes. If the automaton gives
    /// up (`\b` beside a non-ASCII character), the line is shown rather than missed.
    fn finds_in(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            match self.dfa.next_state(&mut self.cache, self.state, *byte) {
                Ok(state) if state.is_match() => return true,
                Ok(state) if !state.is_quit() => self.state = state,
                Ok(_) | Err(_) => {
                    self.gave_up = true;
                    return true;
                }
            }
        }
        false
    }

    fn finds_at_end(&mut self) -> bool {
        let end = self.dfa.next_eoi_state(&mut self.cache, self.state);
        end.is_ok_and(|state| state.is_match())
    }
}

/// The printed characters of a text with escape sequences.
#[derive(Default)]
struct Printed(String);

impl Perform for Printed {
    fn print(&mut self, character: char) {
        self.0.push(character);
    }

    fn execute(&mut self, control: u8) {
        if control == b'\t' {
            self.0.push('\t');
        }
    }

    fn csi_dispatch(&mut self, _: &Params, _: &[u8], _: bool, _: char) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finds(expression: &str, strips_ansi: bool, pieces: &[&str]) -> bool {
        let mut search = Search::new(Search::automaton(expression), strips_ansi);
        for piece in pieces {
            search.feed(piece);
        }
        search.finish()
    }

    proptest! {
        #[test]
        fn pieces_match_like_the_whole_line(
            pieces in proptest::collection::vec("[abé ]{0,6}", 0..6),
            expression in prop_oneof![
                Just("ab"), Just("^a"), Just("b$"), Just("a.*b"), Just("^$"), Just("(?i)B +A"),
                Just("é{2}"), Just("^(a|b)+$"), Just("[^ab]"),
            ],
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let whole = regex::Regex::new(expression).unwrap().is_match(&pieces.concat());
            prop_assert_eq!(finds(expression, false, &pieces), whole);
        }
    }

    #[test]
    fn escape_sequences_are_stripped_across_pieces() {
        let pieces = ["a\x1b[3", "1mb\x1b[0m", "c"];
        assert!(finds("^abc$", true, &pieces) && !finds("abc", false, &pieces));
    }
}
