//! The ledger of runs: what was started and how it ended, so that it is known after a restart of
//! the server, however that ended.

use super::directory::open_file;
use super::disk::{DiskMonitor, STALL};
use super::names::{LEDGER_NAME, older_name};
use super::run_record::{EndRecord, Event, OlderPart, RunRecord};
use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many lines the file may have beside a start, a launch, a rotation and an end a run, before
/// it is written anew without the runs that were forgotten.
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

/// Which logs are removed before others, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// That of a run that nobody knows.
    Unknown,
    /// That of a run that has ended.
    Ended {
        /// How many had ended then.
        ended_as: u64,
        /// Where it stands in the ledger, for those of which nobody knows how many had.
        position: usize,
    },
}

#[derive(Debug)]
struct Inner {
    runs: Vec<RunRecord>,
    /// How many runs are known at most, beside those that have a log.
    runs_max: usize,
    /// How many runs have ended.
    ends: u64,
    /// Lines that are still to be written.
    unwritten: Vec<String>,
}

/// The file of a ledger.
#[derive(Debug, Default)]
struct LedgerFile {
    /// `None` where the file cannot be written: then it is in memory alone.
    file: Option<File>,
    /// How many lines it has.
    lines: usize,
    /// Whether its last line may be a part of one.
    is_torn: bool,
}

impl Ledger {
    /// Whether a directory has one.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(LEDGER_NAME).symlink_metadata().is_ok()
    }

    /// Reads the ledger of a directory and writes it anew, without what is no longer true. Keeps
    /// as many runs as `runs_max`, and those that have a log.
    ///
    /// # Errors
    /// `LogRefused` where it is not ours alone, and `Log` where it cannot be read.
    pub fn open(folder: &Path, runs_max: usize, disk: Arc<DiskMonitor>) -> Result<Self> {
        let path = folder.join(LEDGER_NAME);
        let mut runs = Vec::new();
        for line in read(&path)?.split(|byte| *byte == b'\n') {
            // A torn line tells nothing.
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

    /// The runs, the newest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunRecord> {
        self.last_runs(usize::MAX)
    }

    /// The last `count` runs, the newest first.
    #[must_use]
    pub fn last_runs(&self, count: usize) -> Vec<RunRecord> {
        self.inner().runs.iter().rev().take(count).cloned().collect()
    }

    /// The runs, the newest first, down to the first that `is_last`; and how many lines ended
    /// before the oldest of all that have a log.
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

    /// One run.
    #[must_use]
    pub fn run(&self, run_id: &str) -> Option<RunRecord> {
        self.inner().runs.iter().find(|run| run.run_id == run_id).cloned()
    }

    /// Takes note of a run that is about to be launched: were the server killed in the middle of
    /// that, its processes are found by its id.
    pub fn started(&self, run: RunRecord) {
        self.record(Event::Started(run));
    }

    /// Takes note of the process of a run that was launched.
    pub fn launched(&self, run_id: &str, pid: i32, start_ticks: u64) {
        self.record(Event::Launched { run_id: run_id.to_owned(), pid, start_ticks });
    }

    /// Takes note that a run could not be launched: there is none.
    pub fn failed(&self, run_id: &str) {
        self.record(Event::Failed { run_id: run_id.to_owned() });
    }

    /// Takes note of an end; `save` has it written.
    pub fn ended(&self, run_id: &str, end: EndRecord) {
        let ended_as = {
            let mut inner = self.inner();
            inner.ends += 1;
            inner.ends
        };
        self.note(Event::Ended { run_id: run_id.to_owned(), end, ended_as });
    }

    /// Takes note that a log goes on, or is about to, in a new file behind so many lines.
    pub(super) fn rotated(&self, log: &str, lines: u64, older_part: OlderPart) {
        self.record(Event::Rotated { log: log.to_owned(), lines, older_part });
    }

    /// When each of these logs may be removed: those that nobody knows first, then those of ended
    /// runs in the order of their ends; never that of a run without an end.
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

    /// How many runs are known from now on, beside those that have a log.
    pub(super) fn set_runs_max(&self, runs_max: usize) {
        self.inner().runs_max = runs_max;
    }

    /// Writes the file once more, where somebody removed it.
    pub(super) fn restore_lost(&self) {
        if !self.path.exists() {
            let runs = self.inner().runs.clone();
            self.file().rewrite(&self.path, &runs);
        }
    }

    /// Takes note that these logs are gone. How their runs ended is kept for a while.
    pub(super) fn removed(&self, logs: &[String]) {
        self.record(Event::Removed { logs: logs.to_vec() });
    }

    fn record(&self, event: Event) {
        self.note(event);
        self.save();
    }

    /// Has the runs be as they are after an event, which is still to be written. Does not block.
    fn note(&self, event: Event) {
        let line = serde_json::to_string(&event).map(|line| line + "\n");
        let mut inner = self.inner();
        inner.unwritten.extend(line);
        event.apply_to(&mut inner.runs);
        inner.forget_oldest();
    }

    /// Writes what was noted. Where the disk does not answer that is left to the thread that waits
    /// for it, or to whoever comes next; blocks for a moment at most then, unless it is the first.
    pub fn save(&self) {
        if self.inner().unwritten.is_empty() || !self.may_write() {
            return;
        }
        loop {
            let lines = std::mem::take(&mut self.inner().unwritten);
            if lines.is_empty() {
                break;
            }
            // Ended before the next look: who sees it end comes to write himself.
            let operation = self.disk.begin();
            self.write(&lines);
            drop(operation);
        }
        *self.is_writing.lock() = false;
        self.written.notify_one();
    }

    /// Waits until nobody writes, and is then the one who does. False where the disk does not
    /// answer.
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
            && let Err(error) = writer.write_all(lines.concat().as_bytes())
        {
            log::error!("cannot write {}: {error}", self.path.display());
            // A part of the line may be there: the next event does not go behind it.
            file.is_torn = true;
        }
        file.lines += lines.len();
        let mut inner = self.inner();
        if file.is_torn || file.lines > 4 * inner.runs.len() + SPARE_LINES {
            // What was noted meanwhile is written with the rest.
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
    /// Forgets the oldest of the runs that have ended and have no log, while there are too many.
    fn forget_oldest(&mut self) {
        let mut spare = self.runs.len().saturating_sub(self.runs_max);
        if spare > 0 {
            self.runs.retain(|run| {
                let goes = spare > 0 && run.is_log_gone && run.end.is_some();
                spare -= usize::from(goes);
                !goes
            });
        }
    }
}

impl LedgerFile {
    /// Puts a file of these runs in the place of the present one.
    fn rewrite(&mut self, path: &Path, runs: &[RunRecord]) {
        match rewrite(path, runs) {
            Ok(file) => *self = Self { file: Some(file), lines: runs.len(), is_torn: false },
            Err(error) => log::error!("{error}"),
        }
    }
}

/// The content of the file; nothing where there is none.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    if path.symlink_metadata().is_err() {
        return Ok(content);
    }
    let mut file = open_file(path, OpenOptions::new().read(true), "read")?;
    let read = file.read_to_end(&mut content);
    read.map_err(|source| Error::Log { path: path.to_owned(), doing: "read", source })?;
    Ok(content)
}

/// Puts a new file in the place of the old one, all of it or nothing.
fn rewrite(path: &Path, runs: &[RunRecord]) -> Result<File> {
    // Of nothing, all or nothing is the same: a first ledger, of which there may be a thousand at
    // once, is made in its place.
    let new = if runs.is_empty() { path.to_owned() } else { path.with_extension("new") };
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(0o600);
    if new != path {
        // What a crash left there, whatever it is.
        let _missing = fs::remove_file(&new);
        options.create_new(true);
    }
    let mut file = open_file(&new, options, "written")?;
    let write = |file: &mut File| {
        file.set_len(0)?;
        for run in runs {
            let line = serde_json::to_string(&Event::Started(run.clone()))?;
            file.write_all((line + "\n").as_bytes())?;
        }
        if new == path { Ok(()) } else { fs::rename(&new, path) }
    };
    let written: io::Result<()> = write(&mut file);
    written.map_err(|source| Error::Log { path: path.to_owned(), doing: "written", source })?;
    Ok(file)
}

#[cfg(test)]
mod tests;
