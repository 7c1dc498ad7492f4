//! The mark that every process of a run carries, whatever it does to its session or its parents.
//!
//! It is carried twice. In the environment, as one id of a list: a server that runs as a command of
//! another adds its own ids to that list, so that both find what they started. And as the soft
//! limit `RLIMIT_RTTIME`, far above what any process could use: limits are inherited like the
//! environment, but can be read of a process whose memory is closed to us (one that is not
//! dumpable, such as `ssh-agent`), and they survive `env -i`.

use super::procfs::{environment_value, realtime_timeout};
use rustix::process::{Resource, Rlimit, getrlimit};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

/// Variable with the list of ids, separated by colons.
const VARIABLE: &str = "LLMSHELL_RUN_MARK";

/// The upper 16 bits of every limit that is a mark: about 175,000 years of processor time.
const LIMIT_TAG: u64 = 0x4c53 << 48;

/// The mark of one run or health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    id: String,
    limit: u64,
}

impl Mark {
    /// Returns the mark for the id of a run or a health check.
    pub fn of(id: &str) -> Self {
        // FNV-1a: the next server, maybe of another version, must compute the same number.
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { id: id.to_owned(), limit: LIMIT_TAG | (hash >> 16) }
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the limit that is the mark.
    pub fn limit(&self) -> u64 {
        self.limit
    }
}

/// Adds these ids to those that the environment has already.
pub(super) fn mark_environment(environment: &mut Vec<(OsString, OsString)>, ids: &[String]) {
    let inherited = environment.iter().rev().find(|(name, _)| name == VARIABLE);
    let inherited = inherited.map(|(_, value)| value.clone());
    environment.retain(|(name, _)| name != VARIABLE);
    let all = inherited.into_iter().chain(ids.iter().map(OsString::from));
    let list = all.collect::<Vec<_>>().join(OsStr::new(":"));
    environment.push((VARIABLE.into(), list));
}

/// Returns the limit of real-time processor time that marks a child and all that it starts. `None`
/// if real-time processes are limited already: that limit stays.
pub(super) fn marked_limit(mark: &Mark) -> Option<Rlimit> {
    let (limit, Rlimit { current, maximum }) = (mark.limit(), getrlimit(Resource::Rttime));
    let is_ours = current.is_none_or(|current| current & (0xffff << 48) == LIMIT_TAG);
    let is_allowed = maximum.is_none_or(|maximum| maximum >= limit);
    (is_ours && is_allowed).then_some(Rlimit { current: Some(limit), maximum })
}

/// The marks that a process carries, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Marks {
    number: i32,
    limit: Option<u64>,
    /// Read on first use: not needed if the limit decides.
    ids: OnceCell<String>,
}

impl Marks {
    /// Reads the limit of a process.
    pub fn read(number: i32) -> Self {
        Self { number, limit: read_limit(number), ids: OnceCell::new() }
    }

    /// Whether this mark is among them.
    pub fn has(&self, mark: &Mark) -> bool {
        self.limit == Some(mark.limit) || self.ids().any(|id| id == mark.id)
    }

    /// Whether one of these is among them.
    pub fn has_any(&self, ids: &HashSet<&str>, limits: &HashSet<u64>) -> bool {
        self.limit.is_some_and(|limit| limits.contains(&limit))
            || self.ids().any(|id| ids.contains(id))
    }

    /// Returns the ids, those of the innermost server last.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = &str> {
        let read = || {
            let ids = environment_value(self.number, VARIABLE.as_bytes()).unwrap_or_default();
            String::from_utf8_lossy(&ids).into_owned()
        };
        self.ids.get_or_init(read).split(':').filter(|id| !id.is_empty())
    }

    /// Returns the limit, if it is a mark.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether the process carries none.
    pub fn is_empty(&self) -> bool {
        self.limit.is_none() && self.ids().next().is_none()
    }
}

fn read_limit(number: i32) -> Option<u64> {
    realtime_timeout(number).filter(|soft| soft & (0xffff << 48) == LIMIT_TAG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(environment: &[(&str, &str)], ids: &[&str]) -> Vec<(OsString, OsString)> {
        let mut environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        mark_environment(&mut environment, &ids);
        environment
    }

    #[test]
    fn marks_are_added_to_those_of_outer_servers() {
        let own = ("A".into(), "1".into());
        assert_eq!(marked(&[("A", "1")], &["x"]), [own, (VARIABLE.into(), "x".into())]);
        let nested = marked(&[(VARIABLE, "outer")], &["run", "check"]);
        assert_eq!(nested, [(VARIABLE.into(), "outer:run:check".into())]);
    }

    #[test]
    fn marks_match_by_id_or_by_limit_alone() {
        let (mark, other) = (Mark::of("0123456789abcdef"), Mark::of("0123456789abcdee"));
        let marks = |ids: &str, limit| Marks { number: 0, limit, ids: ids.to_owned().into() };
        let by_id = marks("outer:0123456789abcdef", None);
        let by_limit = marks("", Some(mark.limit()));
        for marks in [by_id, by_limit] {
            assert!(marks.has(&mark) && !marks.has(&other), "{marks:?}");
        }
    }

    #[test]
    fn limit_of_an_id_is_stable() {
        assert_eq!(Mark::of("0123456789abcdef").limit(), 0x4c53_2e37_3913_e5ad);
    }
}
