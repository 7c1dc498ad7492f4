//! Records of runs, and the lines of the ledger that carry them.

use super::names::is_log;
use crate::protocol::{EndedBy, is_run_id};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// The record of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's id.
    pub run_id: String,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The command, as text.
    pub command: String,
    /// Its working directory.
    pub cwd: String,
    /// Whether it was started on a terminal.
    #[serde(default)]
    pub pty: bool,
    /// Its own process; `None` until it is launched.
    #[serde(flatten, with = "leader_fields")]
    pub leader: Option<Leader>,
    /// The id of the boot that the process belongs to.
    pub boot_id: String,
    /// The time of its start.
    pub created_at: DateTime<Utc>,
    /// The name of its log in the log directory.
    pub log: String,
    /// Number of lines in the runs before it.
    #[serde(default)]
    pub lines_before: u64,
    /// Number of lines before the present file of its log, after a rotation.
    #[serde(default)]
    pub lines_rotated: u64,
    /// The file before the present one.
    #[serde(default)]
    pub older_part: OlderPart,
    /// Number of lines that its log tells as missing, while it has no end.
    #[serde(default)]
    pub lines_missing: u64,
    /// Its end; `None` while it runs, or if no server saw it.
    #[serde(default)]
    pub end: Option<EndRecord>,
    /// Number of runs that had ended, this one included; 0 while it runs. Unlike the clock, it is
    /// never set back.
    #[serde(default)]
    pub ended_as: u64,
    /// Whether its log was removed: only this record is left of it.
    #[serde(default)]
    pub is_log_gone: bool,
}

/// A process, distinguished from later ones with its pid by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Its pid.
    pub pid: i32,
    /// Its start time, in clock ticks since boot.
    pub start_ticks: u64,
}

/// The fields of a [`Leader`] in a line of the ledger, both 0 where there is none yet.
mod leader_fields {
    use super::Leader;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const NONE: Leader = Leader { pid: 0, start_ticks: 0 };

    #[allow(clippy::ref_option, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(
        leader: &Option<Leader>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        leader.unwrap_or(NONE).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Leader>, D::Error> {
        let leader = Leader::deserialize(deserializer)?;
        Ok((leader.pid != NONE.pid).then_some(leader))
    }
}

/// The file of a log before the present one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OlderPart {
    /// Not recorded: an older version of this program wrote the ledger.
    #[default]
    #[serde(rename = "unsaid")]
    Unknown,
    /// It was lost, and a file with its name is older.
    Lost,
    /// It was rotated, or was about to be when the server was killed.
    Rotated {
        /// The file's inode: if it still has the log's name, it was not renamed.
        inode: u64,
        /// Number of lines before it.
        lines_before: u64,
    },
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndRecord {
    /// The time when it was noticed.
    pub at: DateTime<Utc>,
    /// The exit status, or minus the signal's number; `None` if unknown.
    pub exit_code: Option<i32>,
    /// The signal's name, if one ended it.
    pub signal: Option<String>,
    /// The cause of the end.
    #[serde(deserialize_with = "known_or_lost")]
    pub ended_by: EndedBy,
    /// Number of lines of its output that could not be written.
    #[serde(default)]
    pub dropped_lines: u64,
    /// Its duration in milliseconds, by the monotonic clock; `None` if unknown.
    #[serde(default)]
    pub lasted_ms: Option<u64>,
    /// The time of its last output; `None` if there was none, or it is unknown.
    #[serde(default)]
    pub output_at: Option<DateTime<Utc>>,
}

/// Reads the cause of an end; `lost` for one of a later version of this program.
fn known_or_lost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EndedBy, D::Error> {
    let cause = String::deserialize(deserializer)?;
    let known = EndedBy::ALL.iter().find(|by| by.as_str() == cause);
    Ok(known.copied().unwrap_or(EndedBy::Lost))
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Started(Box<RunRecord>),
    Launched {
        run_id: String,
        #[serde(flatten)]
        leader: Leader,
    },
    Failed {
        run_id: String,
    },
    Forgotten {
        run_id: String,
    },
    Ended {
        run_id: String,
        end: EndRecord,
        #[serde(default)]
        ended_as: u64,
    },
    Rotated {
        log: String,
        lines: u64,
        #[serde(default)]
        older_part: OlderPart,
    },
    Missing {
        log: String,
        lines: u64,
    },
    Removed {
        logs: Vec<String>,
    },
}

impl RunRecord {
    /// Returns how long it ran; `None` while it does. Recorded by the wall clock, which may have
    /// been set meanwhile, if an old version of this program did so or the server was killed.
    #[must_use]
    pub fn lasted(&self) -> Option<Duration> {
        let end = self.end.as_ref()?;
        let by_the_wall = || (end.at - self.created_at).to_std().unwrap_or_default();
        Some(end.lasted_ms.map_or_else(by_the_wall, Duration::from_millis))
    }

    /// Whether its names have our form: the log is in this directory, and the id is one that no
    /// other program gives to its processes.
    pub(super) fn has_valid_names(&self) -> bool {
        is_run_id(&self.run_id) && is_log(&self.log)
    }
}

impl Event {
    /// Applies the event to the runs.
    pub(super) fn apply_to(self, runs: &mut Vec<RunRecord>) {
        match self {
            Self::Started(run) => {
                if runs.is_empty() {
                    // Most services are started once: capacity for four would be wasted.
                    runs.reserve_exact(1);
                }
                runs.push(*run);
            }
            Self::Launched { run_id, leader } => {
                if let Some(run) = runs.iter_mut().rev().find(|run| run.run_id == run_id) {
                    run.leader = Some(leader);
                }
            }
            Self::Failed { run_id } | Self::Forgotten { run_id } => {
                runs.retain(|run| run.run_id != run_id);
            }
            Self::Ended { run_id, end, ended_as } => {
                if let Some(run) = runs.iter_mut().rev().find(|run| run.run_id == run_id) {
                    (run.end, run.ended_as) = (Some(end), ended_as);
                }
            }
            Self::Rotated { log, lines, older_part } => {
                if let Some(run) = runs.iter_mut().rev().find(|run| run.log == log) {
                    (run.lines_rotated, run.older_part) = (lines, older_part);
                }
            }
            Self::Missing { log, lines } => {
                if let Some(run) = runs.iter_mut().rev().find(|run| run.log == log) {
                    run.lines_missing = lines;
                }
            }
            Self::Removed { logs } => {
                for run in runs.iter_mut().filter(|run| logs.contains(&run.log)) {
                    run.is_log_gone = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_causes_are_read_as_lost() {
        for (cause, by) in [("timeout", EndedBy::Timeout), ("hibernated", EndedBy::Lost)] {
            let line = format!(
                "{{\"at\":\"2026-01-02T03:04:05Z\",\"exit_code\":3,\"signal\":null,\
                 \"ended_by\":\"{cause}\"}}"
            );
            let end: EndRecord = serde_json::from_str(&line).unwrap();
            assert_eq!((end.ended_by, end.exit_code), (by, Some(3)));
        }
    }
}
