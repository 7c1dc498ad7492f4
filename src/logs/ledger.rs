//! The ledger of runs: what was started and how it ended, known after a restart of the server,
//! however that ended.

use super::directory::open_file;
use super::disk::{DiskMonitor, STALL};
use super::error::{Error, Result};
use super::names::{LEDGER_NAME, older_name};
use super::run_record::{EndRecord, Event, Leader, OlderPart, RunRecord};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Number of lines that the file may have beside a start, a launch, a rotation and an end for each
/// run, before it is rewritten without the runs that were forgotten.
const SPARE_LINES: usize = 1000;

/// The runs of one log directory, the oldest first.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    disk: Arc<DiskMonitor>,
    inner: Mutex<Inner>,
    file: Mutex<LedgerFile>,
    /// Whether a thread writes to the file, which may take as long as the disk is frozen.
    is_writing: Mutex<bool>,
    written: Condvar,
}

/// The order in which logs are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// A log of an unknown run.
    Unknown,
    /// A log of a run that has ended.
    Ended {
        /// Number of runs that had ended then.
        ended_as: u64,
        /// Its position in the ledger, for runs without such a number.
        position: usize,
    },
}

#[derive(Debug)]
struct Inner {
    runs: Vec<RunRecord>,
    /// Maximum number of known runs, beside those that have a log.
    runs_max: usize,
    /// Number of runs that have ended.
    ends: u64,
    /// Lines that are still to be written.
    unwritten: Vec<String>,
}

/// The file of a ledger.
#[derive(Debug, Default)]
struct LedgerFile {
    /// `None` if the file cannot be written: then the ledger is in memory alone.
    file: Option<File>,
    /// Number of its lines.
    lines: usize,
    /// Whether its last line may be torn.
    is_torn: bool,
}

impl Ledger {
    /// Whether a directory has a ledger.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(LEDGER_NAME).symlink_metadata().is_ok()
    }

    /// Reads the ledger of a directory and rewrites it, without what is no longer true. Keeps
    /// `runs_max` runs, and those that have a log.
    ///
    /// # Errors
    /// `Refused` if it is not ours alone; `File` if it cannot be read.
    pub fn open(folder: &Path, runs_max: usize, disk: Arc<DiskMonitor>) -> Result<Self> {
        let path = folder.join(LEDGER_NAME);
        let mut runs = Vec::new();
        for line in read(&path)?.split(|byte| *byte == b'\n') {
            // A torn line is ignored.
            if let Ok(event) = serde_json::from_slice::<Event>(line) {
                event.apply_to(&mut runs);
            }
        }
        let known = runs.len();
        runs.retain(RunRecord::has_valid_names);
        if runs.len() < known {
            log::warn!(
                "{}: ignoring {} runs of another server",
                path.display(),
                known - runs.len()
            );
        }
        for run in &mut runs {
            let has_file = |name: &str| folder.join(name).exists();
            run.is_log_gone = !has_file(&run.log) && !has_file(&older_name(&run.log));
        }
        let ends = runs.iter().map(|run| run.ended_as).max().unwrap_or_default();
        let mut inner = Inner { runs, runs_max, ends, unwritten: Vec::new() };
        inner.forget_oldest();
        let mut file = LedgerFile::default();
        file.rewrite(&path, &inner.runs);
        let (inner, file) = (Mutex::new(inner), Mutex::new(file));
        let (is_writing, written) = (Mutex::default(), Condvar::new());
        Ok(Self { path, disk, inner, file, is_writing, written })
    }

    /// Returns the runs, the newest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunRecord> {
        self.last_runs(usize::MAX)
    }

    /// Returns the last `count` runs, the newest first.
    #[must_use]
    pub fn last_runs(&self, count: usize) -> Vec<RunRecord> {
        self.inner().runs.iter().rev().take(count).cloned().collect()
    }

    /// Returns the runs, the newest first, down to the first that `is_last`; and the number of
    /// lines before the oldest of all that have a log.
    #[must_use]
    pub fn runs_down_to(&self, is_last: impl Fn(&RunRecord) -> bool) -> (Vec<RunRecord>, u64) {
        let inner = self.inner();
        let newest_first = inner.runs.iter().rev();
        let count =
            newest_first.clone().position(is_last).map_or(inner.runs.len(), |last| last + 1);
        let oldest = inner.runs.iter().find(|run| !run.is_log_gone);
        let lines_before = oldest.map_or(0, |oldest| oldest.lines_before);
        (newest_first.take(count).cloned().collect(), lines_before)
    }

    /// Returns one run.
    #[must_use]
    pub fn run(&self, run_id: &str) -> Option<RunRecord> {
        self.inner().runs.iter().find(|run| run.run_id == run_id).cloned()
    }

    /// Returns the newest run with this name.
    #[must_use]
    pub fn newest_named(&self, name: &str) -> Option<RunRecord> {
        let inner = self.inner();
        inner.runs.iter().rev().find(|run| run.name.as_deref() == Some(name)).cloned()
    }

    /// Records a run that is about to be launched: if the server is killed in the middle of that,
    /// its processes are found by its id.
    pub fn started(&self, run: RunRecord) {
        self.record(Event::Started(Box::new(run)));
    }

    /// Records the process of a run that was launched.
    pub fn launched(&self, run_id: &str, leader: Leader) {
        self.record(Event::Launched { run_id: run_id.to_owned(), leader });
    }

    /// Records that a run could not be launched, which removes it.
    pub fn failed(&self, run_id: &str) {
        self.record(Event::Failed { run_id: run_id.to_owned() });
    }

    /// Forgets a run that is over.
    pub(super) fn forgotten(&self, run_id: &str) {
        self.record(Event::Forgotten { run_id: run_id.to_owned() });
    }

    /// Records an end in memory; `save` writes it.
    pub fn ended(&self, run_id: &str, end: EndRecord) {
        let ended_as = {
            let mut inner = self.inner();
            inner.ends += 1;
            inner.ends
        };
        self.note(Event::Ended { run_id: run_id.to_owned(), end, ended_as });
    }

    /// Records that a log continues, or is about to, in a new file after this many lines.
    pub(super) fn rotated(&self, log: &str, lines: u64, older_part: OlderPart) {
        self.record(Event::Rotated { log: log.to_owned(), lines, older_part });
    }

    /// Records how many lines a log tells as missing: if the server is killed, its run has no end
    /// that says so.
    pub(super) fn missing(&self, log: &str, lines: u64) {
        self.record(Event::Missing { log: log.to_owned(), lines });
    }

    /// Returns the removal order of these logs: those of unknown runs first, then those of ended
    /// runs in the order of their ends; `None` for that of a run without an end.
    pub(super) fn removal_order(&self, logs: &[String]) -> Vec<Option<Removal>> {
        let inner = self.inner();
        let known = inner.runs.iter().enumerate();
        let removal = |(position, run): (usize, &RunRecord)| {
            run.end.as_ref().map(|_| Removal::Ended { ended_as: run.ended_as, position })
        };
        let known: HashMap<&str, Option<Removal>> =
            known.map(|it| (it.1.log.as_str(), removal(it))).collect();
        let of = |log: &String| known.get(log.as_str()).copied().unwrap_or(Some(Removal::Unknown));
        logs.iter().map(of).collect()
    }

    /// Sets how many runs are known from now on, beside those that have a log.
    pub(super) fn set_runs_max(&self, runs_max: usize) {
        self.inner().runs_max = runs_max;
    }

    /// Writes the file again if somebody removed it.
    pub(super) fn restore_lost(&self) {
        if !self.path.exists() {
            let runs = self.inner().runs.clone();
            self.file().rewrite(&self.path, &runs);
        }
    }

    /// Records that these logs are gone. How their runs ended is kept for a while.
    pub(super) fn removed(&self, logs: &[String]) {
        self.record(Event::Removed { logs: logs.to_vec() });
    }

    fn record(&self, event: Event) {
        self.note(event);
        self.save();
    }

    /// Applies an event to the runs, and queues it to be written. Does not block.
    fn note(&self, event: Event) {
        let line = serde_json::to_string(&event).map(|line| line + "\n");
        let mut inner = self.inner();
        inner.unwritten.extend(line);
        event.apply_to(&mut inner.runs);
        inner.forget_oldest();
    }

    /// Writes what is queued. If the disk is stalled that is left to the thread that waits for it,
    /// or to the next caller; then this blocks for a moment at most, unless it is the first.
    pub fn save(&self) {
        if self.inner().unwritten.is_empty() || !self.may_write() {
            return;
        }
        loop {
            let lines = std::mem::take(&mut self.inner().unwritten);
            if lines.is_empty() {
                break;
            }
            // Ended before the next check: whoever sees it end comes to write itself.
            let operation = self.disk.begin();
            self.write(&lines);
            drop(operation);
        }
        *self.is_writing.lock() = false;
        self.written.notify_one();
    }

    /// Waits until nobody writes, and claims the writing. Returns false if the disk is stalled.
    fn may_write(&self) -> bool {
        let mut is_writing = self.is_writing.lock();
        loop {
            if self.disk.is_stalled() {
                return false;
            }
            if !std::mem::replace(&mut *is_writing, true) {
                return true;
            }
            self.written.wait_for(&mut is_writing, STALL);
        }
    }

    fn write(&self, lines: &[String]) {
        let mut file = self.file();
        if let Some(writer) = &mut file.file
            && writer.write_all(lines.concat().as_bytes()).is_err()
        {
            // A part of the line may be there: the next event must not follow it. If the file
            // cannot be written anew either, that is logged.
            file.is_torn = true;
        }
        file.lines += lines.len();
        let mut inner = self.inner();
        if file.is_torn || file.lines > 4 * inner.runs.len() + SPARE_LINES {
            // What was queued meanwhile is written with the rest.
            inner.unwritten.clear();
            let runs = inner.runs.clone();
            drop(inner);
            file.rewrite(&self.path, &runs);
        }
    }

    fn file(&self) -> MutexGuard<'_, LedgerFile> {
        self.file.lock()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    /// Forgets the oldest runs that have ended and have no log, while there are too many.
    fn forget_oldest(&mut self) {
        let mut spare = self.runs.len().saturating_sub(self.runs_max);
        if spare > 0 {
            self.runs.retain(|run| {
                let is_forgotten = spare > 0 && run.is_log_gone && run.end.is_some();
                spare -= usize::from(is_forgotten);
                !is_forgotten
            });
        }
    }
}

impl LedgerFile {
    /// Replaces the file by one of these runs.
    fn rewrite(&mut self, path: &Path, runs: &[RunRecord]) {
        match rewrite(path, runs) {
            Ok(file) => *self = Self { file: Some(file), lines: runs.len(), is_torn: false },
            Err(error) => log::error!("{error}"),
        }
    }
}

/// Reads the content of the file; empty without one.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    if path.symlink_metadata().is_err() {
        return Ok(content);
    }
    let mut file = open_file(path, OpenOptions::new().read(true), "read")?;
    let read = file.read_to_end(&mut content);
    read.map_err(|source| Error::File { path: path.to_owned(), doing: "read", source })?;
    Ok(content)
}

/// Replaces the old file by a new one, atomically.
fn rewrite(path: &Path, runs: &[RunRecord]) -> Result<File> {
    // An empty file needs no atomicity: the first ledgers, of which there may be a thousand at
    // once, are created in place.
    let new = if runs.is_empty() { path.to_owned() } else { path.with_extension("new") };
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(0o600);
    if new != path {
        // Left over by a crash.
        let _missing = fs::remove_file(&new);
        options.create_new(true);
    }
    let mut file = open_file(&new, options, "written")?;
    let write = |file: &mut File| {
        file.set_len(0)?;
        for run in runs {
            let line = serde_json::to_string(&Event::Started(Box::new(run.clone())))?;
            file.write_all((line + "\n").as_bytes())?;
        }
        if new == path { Ok(()) } else { fs::rename(&new, path) }
    };
    let written: io::Result<()> = write(&mut file);
    written.map_err(|source| Error::File { path: path.to_owned(), doing: "written", source })?;
    Ok(file)
}

#[cfg(test)]
mod tests;
