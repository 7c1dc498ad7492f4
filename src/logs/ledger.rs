//! The ledger of runs: what was started and how it ended, so that it is known after a restart of
//! the server, however that ended.

use super::directory::open_file;
use super::retention::is_log;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file's name in the log directory.
const FILE_NAME: &str = ".runs";

/// How many lines the file may have beside a start, a launch, a rotation and an end a run, before
/// it is written anew without the runs that were forgotten.
const SPARE_LINES: usize = 1000;

/// What is known of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's id.
    pub run_id: String,
    /// What the shell was given to run.
    pub command: String,
    /// The directory that it was started in.
    pub cwd: String,
    /// Whether it was started on a terminal.
    #[serde(default)]
    pub pty: bool,
    /// The number of its own process; 0 while it is being launched.
    pub pid: i32,
    /// When that process started, in clock ticks since the boot.
    pub start_ticks: u64,
    /// The boot that both belong to.
    pub boot_id: String,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// The name of its log in the log directory.
    pub log: String,
    /// How many lines ended before its first, in the runs before it.
    #[serde(default)]
    pub lines_before: u64,
    /// How many lines ended before the present file of its log, once that was rotated.
    #[serde(default)]
    pub lines_rotated: u64,
    /// Its end; `None` while nobody has seen one.
    #[serde(default)]
    pub end: Option<EndRecord>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndRecord {
    /// When that was noticed.
    pub at: DateTime<Utc>,
    /// The exit status, or minus the signal's number; `None` where nobody knows.
    pub exit_code: Option<i32>,
    /// The signal's name, where one ended it.
    pub signal: Option<String>,
    /// What ended it, in the word that clients see.
    pub ended_by: String,
    /// Lines of its output that could not be written.
    #[serde(default)]
    pub dropped_lines: u64,
}

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Started(RunRecord),
    Launched { run_id: String, pid: i32, start_ticks: u64 },
    Failed { run_id: String },
    Ended { run_id: String, end: EndRecord },
    Rotated { log: String, lines: u64 },
}

/// The runs of one log directory, the oldest first.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` where the file cannot be written: then it is in memory alone.
    file: Option<File>,
    runs: Vec<RunRecord>,
    /// How many lines the file has.
    lines: usize,
    /// Whether its last line may be a part of one.
    is_torn: bool,
}

impl Ledger {
    /// Whether a directory has one.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(FILE_NAME).symlink_metadata().is_ok()
    }

    /// Reads the ledger of a directory and writes it anew, without what is no longer true: runs
    /// whose log is gone, and lines that a crash tore.
    ///
    /// # Errors
    /// `LogRefused` where it is not ours alone, and `Log` where it cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let mut runs = Vec::new();
        for line in read(&path)?.split(|byte| *byte == b'\n') {
            // A torn line tells nothing.
            if let Ok(event) = serde_json::from_slice(line) {
                apply(&mut runs, event);
            }
        }
        let known = runs.len();
        runs.retain(RunRecord::is_ours);
        if runs.len() < known {
            log::warn!("{} names {} runs that are not ours", path.display(), known - runs.len());
        }
        // What has no end is still to be looked for, whether its log is there or not.
        runs.retain(|run: &RunRecord| run.end.is_none() || folder.join(&run.log).exists());
        let mut inner = Inner { file: None, lines: runs.len(), runs, is_torn: false };
        inner.write_anew(&path);
        Ok(Self { path, inner: Mutex::new(inner) })
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
    /// before the oldest of all.
    #[must_use]
    pub fn runs_down_to(&self, is_last: impl Fn(&RunRecord) -> bool) -> (Vec<RunRecord>, u64) {
        let inner = self.inner();
        let newest_first = inner.runs.iter().rev();
        let count =
            newest_first.clone().position(is_last).map_or(inner.runs.len(), |last| last + 1);
        let lines_before = inner.runs.first().map_or(0, |oldest| oldest.lines_before);
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

    /// Takes note of an end.
    pub fn ended(&self, run_id: &str, end: EndRecord) {
        self.record(Event::Ended { run_id: run_id.to_owned(), end });
    }

    /// Takes note that a log goes on in a new file behind so many lines.
    pub(super) fn rotated(&self, log: &str, lines: u64) {
        self.record(Event::Rotated { log: log.to_owned(), lines });
    }

    /// Writes the file once more, where somebody removed it.
    pub(super) fn restore_lost(&self) {
        if !self.path.exists() {
            self.inner().write_anew(&self.path);
        }
    }

    /// Forgets the runs of these logs.
    pub(super) fn forget(&self, logs: &[String]) {
        self.inner().runs.retain(|run| !logs.contains(&run.log));
    }

    fn record(&self, event: Event) {
        let line = serde_json::to_string(&event).map(|line| line + "\n");
        let mut inner = self.inner();
        if let (Some(file), Ok(line)) = (&mut inner.file, line)
            && let Err(error) = file.write_all(line.as_bytes())
        {
            log::error!("{} cannot be written: {error}", self.path.display());
            // A part of the line may be there: the next event does not go behind it.
            inner.is_torn = true;
        }
        apply(&mut inner.runs, event);
        inner.lines += 1;
        if inner.is_torn || inner.lines > 4 * inner.runs.len() + SPARE_LINES {
            inner.write_anew(&self.path);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Puts a file of the runs that are still known in the place of the present one.
    fn write_anew(&mut self, path: &Path) {
        match write_anew(path, &self.runs) {
            Ok(file) => {
                (self.file, self.lines, self.is_torn) = (Some(file), self.runs.len(), false);
            }
            Err(error) => log::error!("{error}"),
        }
    }
}

impl RunRecord {
    /// Whether its names are such as we give: the log is in this directory, and the id is one that
    /// no other program gives to its processes.
    fn is_ours(&self) -> bool {
        let is_id = |id: &str| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id(&self.run_id) && is_log(&self.log)
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

fn apply(runs: &mut Vec<RunRecord>, event: Event) {
    match event {
        Event::Started(run) => {
            if runs.is_empty() {
                // Most services are started once: room for four would be for nothing.
                runs.reserve_exact(1);
            }
            runs.push(run);
        }
        Event::Launched { run_id, pid, start_ticks } => {
            if let Some(run) = runs.iter_mut().rev().find(|run| run.run_id == run_id) {
                (run.pid, run.start_ticks) = (pid, start_ticks);
            }
        }
        Event::Failed { run_id } => runs.retain(|run| run.run_id != run_id),
        Event::Ended { run_id, end } => {
            if let Some(run) = runs.iter_mut().rev().find(|run| run.run_id == run_id) {
                run.end = Some(end);
            }
        }
        Event::Rotated { log, lines } => {
            if let Some(run) = runs.iter_mut().rev().find(|run| run.log == log) {
                run.lines_rotated = lines;
            }
        }
    }
}

/// Puts a new file in the place of the old one, all of it or nothing.
fn write_anew(path: &Path, runs: &[RunRecord]) -> Result<File> {
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
mod tests {
    use super::*;

    fn log_name(number: u32) -> String {
        format!("2026-01-02_03-04-05_{number}.log")
    }

    fn run(number: u32) -> RunRecord {
        RunRecord {
            run_id: format!("{number:016x}"),
            command: "true".into(),
            cwd: "/".into(),
            pty: false,
            pid: 0,
            start_ticks: 0,
            boot_id: "boot".into(),
            created_at: DateTime::UNIX_EPOCH,
            log: log_name(number),
            lines_before: 0,
            lines_rotated: 0,
            end: None,
        }
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written_without_what_was_torn_or_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        for number in [1, 3, 4] {
            File::create(folder.path().join(log_name(number))).unwrap();
        }
        let ledger = Ledger::open(folder.path()).unwrap();
        (1..=4).for_each(|number| ledger.started(run(number)));
        let end = EndRecord {
            at: DateTime::UNIX_EPOCH,
            exit_code: Some(-9),
            signal: Some("SIGKILL".into()),
            ended_by: "kill".into(),
            dropped_lines: 0,
        };
        ledger.ended(&run(3).run_id, end.clone());
        ledger.launched(&run(1).run_id, 7, 9);
        ledger.started(RunRecord { log: log_name(1), ..run(5) });
        ledger.failed(&run(5).run_id);
        ledger.rotated(&log_name(4), 12);
        drop(ledger);
        let path = folder.path().join(FILE_NAME);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"event\":\"ended\",\"run_id\":\"0000000000000001\",\"en").unwrap();
        for _ in 0..2 {
            let runs = Ledger::open(folder.path()).unwrap().runs();
            let expected = [
                RunRecord { lines_rotated: 12, ..run(4) },
                RunRecord { end: Some(end.clone()), ..run(3) },
                run(2),
                RunRecord { pid: 7, start_ticks: 9, ..run(1) },
            ];
            assert_eq!(runs, expected);
        }
    }

    #[test]
    fn names_that_we_do_not_give_are_not_taken_from_a_ledger() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x"), "secret").unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        ledger.started(run(1));
        for log in ["../x", "x", "/etc/passwd", "2026-01-02_03-04-05.log/../x"] {
            ledger.started(RunRecord { log: log.into(), ..run(2) });
        }
        for run_id in ["1", "", "000000000000000g", "../../0000000000"] {
            ledger.started(RunRecord { run_id: run_id.into(), ..run(3) });
        }
        drop(ledger);
        assert_eq!(Ledger::open(folder.path()).unwrap().runs(), [run(1)]);
    }

    #[test]
    fn a_ledger_does_not_grow_with_runs_that_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        for number in 0..5000 {
            ledger.started(run(number));
            ledger.forget(&[log_name(number)]);
        }
        let content = fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
        assert!(content.lines().count() <= SPARE_LINES + 1, "{}", content.lines().count());
    }
}
