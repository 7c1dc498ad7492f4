//! Old runs, those of earlier servers included.

use super::config::Numbering;
use super::error::{Error, Result};
use super::process_manager::{Inner, ProcessManager};
use super::run::{RunView, describe_end};
use crate::logs;
use crate::logs::{
    EndRecord, Keep, LogFolder, LogSeries, LogSnapshot, OlderPart, Range, RunLog, RunRecord, now,
};
use crate::process::{CommandLine, StrayRun, boot_id, end_strays};
use crate::protocol::EndedBy;
use chrono::{DateTime, Utc};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Time for the processes that a killed server left behind to be gone after SIGKILL.
pub const STRAYS_TIMEOUT: Duration = Duration::from_secs(1);

/// Time to wait for the trailing output of processes that a run left behind, before the next run's
/// lines are numbered after it. Only a process that could not be ended takes that long.
const TRAILING_OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// The facts of a run before it is launched.
#[derive(Clone, Copy)]
pub(super) struct RunStart<'a> {
    pub at: DateTime<Utc>,
    pub command: &'a CommandLine,
    pub directory: &'a Path,
    pub is_on_terminal: bool,
    pub name: Option<&'a str>,
}

/// A run before the last one.
#[derive(Clone, Debug)]
pub struct PastRun {
    /// Its record in the ledger.
    pub record: RunRecord,
    /// The name of its log, for users.
    pub log_name: String,
}

impl PastRun {
    /// Describes its end in a few words, for messages.
    #[must_use]
    pub fn describe_end(&self) -> String {
        self.record.end.as_ref().map_or_else(
            || "it is being started".to_owned(),
            |end| describe_end(end.ended_by, end.exit_code, end.signal.as_deref()),
        )
    }

    /// Returns the error of a request that needs it to run.
    #[must_use]
    pub fn not_running(&self) -> Error {
        Error::NotRunning { pid: self.pid(), how: self.describe_end() }
    }

    /// Returns the error of a kill.
    #[must_use]
    pub fn already_ended(&self) -> Error {
        Error::AlreadyEnded { pid: self.pid(), how: self.describe_end() }
    }

    /// Returns the pid of its own process; 0 if it is not known.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.record.leader.map_or(0, |leader| leader.pid)
    }
}

impl ProcessManager {
    /// Sets the limits of its logs from now on.
    pub fn keep_logs_to(&self, keep: Keep) {
        self.folder.set_keep(keep);
    }

    /// Returns the ledger's records of all runs, the newest first.
    #[must_use]
    pub fn run_records(&self) -> Vec<RunRecord> {
        self.folder.ledger().runs()
    }

    /// Returns the log of one run. Reads all of it unless it was read before.
    ///
    /// # Errors
    /// `NoSuchRun`; `LogGone`; `Log` if it cannot be read.
    pub fn log_of(&self, run_id: &str) -> Result<Arc<RunLog>> {
        if let Some(last) = self.last_run_of(run_id) {
            return Ok(Arc::clone(last.log()));
        }
        let record = self.record_of(run_id)?;
        let gone = || Error::LogGone { run_id: run_id.to_owned() };
        if record.is_log_gone {
            return Err(gone());
        }
        let entry = self.old_logs.entry(run_id);
        let mut entry = entry.lock();
        if let Some(log) = &*entry {
            return Ok(Arc::clone(log));
        }
        let log = self.folder.old_log(&record).map_err(|error| match error {
            // Removed by somebody, or by retention in the meantime.
            logs::Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound => gone(),
            error => error.into(),
        });
        let log = Arc::new(log?);
        *entry = Some(Arc::clone(&log));
        Ok(log)
    }

    /// Returns the logs of all known runs as one, or as much of them as `range` needs. Reads all of
    /// an old log unless it was read before.
    ///
    /// # Errors
    /// `Log` if a log cannot be read.
    pub fn log_series(&self, range: Range) -> Result<LogSeries> {
        let reaches = |record: &RunRecord| match range {
            Range::All | Range::Last(_) => false,
            Range::After(lines) => record.lines_before <= lines,
            Range::Since(instant) => record.created_at <= instant,
        };
        let (records, lines_before) = self.folder.ledger().runs_down_to(reaches);
        let (mut logs, mut lines, mut first) = (Vec::new(), 0, None);
        for record in &records {
            let log = match self.log_of(&record.run_id) {
                // Older logs are left out, so that the numbers have no gap.
                Err(Error::NoSuchRun { .. } | Error::LogGone { .. }) => break,
                log => log?,
            };
            let snapshot = log.snapshot();
            let has_begin = snapshot.lines_gone <= record.lines_before;
            lines = snapshot.lines.max(lines);
            logs.push(log);
            // If a log has dropped its oldest lines, those before them are left out as well.
            if !has_begin {
                break;
            }
            let is_far_enough = match range {
                Range::Last(count) => lines.saturating_sub(record.lines_before) >= count,
                _ => reaches(record),
            };
            if is_far_enough {
                first = Some(record.lines_before);
                break;
            }
        }
        logs.reverse();
        Ok(match first {
            Some(first) => LogSeries::newest(logs, first, lines_before),
            None => LogSeries::whole(logs),
        })
    }

    /// Returns the number of lines of all runs. Reads all of the last one's log if that is of an
    /// earlier server and was not read before.
    #[must_use]
    pub fn lines_total(&self) -> u64 {
        if let Ok(last) = self.last_run() {
            return last.log().line_numbers().end;
        }
        let Some(newest) = self.folder.ledger().last_runs(1).pop() else { return 0 };
        let log = self.log_of(&newest.run_id);
        log.map_or(newest.lines_before.max(newest.lines_rotated), |log| log.line_numbers().end)
    }

    /// Returns a number that grows with each start and end of a run, after `run_records` has it.
    /// Does not block.
    #[must_use]
    pub fn transition_count(&self) -> u64 {
        self.transition_count.load(Ordering::SeqCst)
    }

    /// Waits until a run starts or ends after `transition_count` returned `seen`, or until
    /// `deadline`.
    pub fn wait_for_transition(&self, seen: u64, deadline: Instant) {
        let unchanged = |_: &mut Inner| self.transition_count() == seen;
        self.changed.wait_while_until(&mut self.inner(), unchanged, deadline);
    }

    /// Waits until `is_news` returns true for the last run's log, which is called at each change,
    /// or until a run starts or ends, or until `deadline`.
    pub fn wait_for_output(
        &self,
        deadline: Instant,
        is_news: &mut dyn FnMut(&LogSnapshot) -> bool,
    ) {
        let transition_count = self.transition_count();
        let Ok(run) = self.last_run() else {
            let none = |inner: &mut Inner| inner.run.is_none() && !inner.state.is_closed();
            self.changed.wait_while_until(&mut self.inner(), none, deadline);
            return;
        };
        let has_transition = || self.transition_count() != transition_count;
        run.log().wait_until(deadline, |snapshot| is_news(snapshot) || has_transition());
    }

    /// Returns the number of lines of the runs before the next one, if its numbers continue theirs.
    pub(super) fn lines_before(&self) -> u64 {
        let newest = self.folder.ledger().last_runs(1).pop();
        let Some(newest) = newest.filter(|_| self.config.numbering == Numbering::Continuous) else {
            return 0;
        };
        match self.log_of(&newest.run_id) {
            Ok(log) => {
                // What was left of that run is ended by now, and its trailing output is on its way.
                log.wait_until(Instant::now() + TRAILING_OUTPUT_TIMEOUT, |snapshot| {
                    snapshot.is_closed
                });
                let snapshot = log.snapshot();
                snapshot.lines + u64::from(snapshot.is_line_open)
            }
            Err(error) => {
                log::error!("{error}");
                newest.lines_before.max(newest.lines_rotated)
            }
        }
    }

    /// Records a run that is about to be launched, so that it is known whatever happens to this
    /// server.
    pub(super) fn record_start(&self, id: &str, begin: RunStart<'_>, log: &RunLog) {
        self.folder.ledger().started(RunRecord {
            run_id: id.to_owned(),
            command: begin.command.to_string(),
            cwd: begin.directory.to_string_lossy().into_owned(),
            pty: begin.is_on_terminal,
            name: begin.name.map(str::to_owned),
            leader: None,
            boot_id: boot_id().to_owned(),
            created_at: begin.at,
            log: log.file_name().to_owned(),
            lines_before: log.snapshot().lines,
            lines_rotated: 0,
            older_part: OlderPart::Unknown,
            end: None,
            ended_as: 0,
            lines_missing: 0,
            is_log_gone: false,
        });
    }

    fn last_run_of(&self, run_id: &str) -> Option<RunView> {
        self.last_run().ok().filter(|last| last.run.id == run_id)
    }

    fn record_of(&self, run_id: &str) -> Result<RunRecord> {
        let record = self.folder.ledger().run(run_id);
        record.ok_or_else(|| Error::NoSuchRun { run_id: run_id.to_owned() })
    }
}

/// Ends what an earlier server on this log directory left, and records the runs that it was killed
/// over as lost. `lock_id` is the id of the directory. Called once, before anything is started.
/// Blocks until all of it is gone, a second at most.
pub fn recover(folders: &[Arc<LogFolder>], lock_id: &str) {
    let runs = folders.iter().map(|folder| folder.ledger().runs());
    let runs: Vec<Vec<RunRecord>> = runs.collect();
    // Those that had ended too: they may have left processes behind.
    let strays: Vec<StrayRun> = runs.iter().flatten().map(stray).collect();
    let ended = end_strays(&strays, lock_id, STRAYS_TIMEOUT);
    let mut lost_count = 0;
    for (folder, runs) in folders.iter().zip(&runs) {
        for run in runs.iter().filter(|run| run.end.is_none()) {
            lost_count += 1;
            let end = EndRecord {
                at: now(),
                exit_code: None,
                signal: None,
                ended_by: EndedBy::Lost,
                dropped_lines: run.lines_missing,
                lasted_ms: None,
                output_at: None,
            };
            folder.ledger().ended(&run.run_id, end);
        }
        folder.ledger().save();
    }
    if ended > 0 || lost_count > 0 {
        log::warn!("{lost_count} runs lost, {ended} processes of old runs ended");
    }
}

fn stray(run: &RunRecord) -> StrayRun {
    StrayRun {
        run_id: run.run_id.clone(),
        leader: run.leader.map(|leader| (leader.pid, leader.start_ticks)),
        boot_id: run.boot_id.clone(),
    }
}
