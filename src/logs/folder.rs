//! The logs of one command or service: new files, the ledger of runs, what is kept of the old ones.

use super::directory::{check_file, open_directory};
use super::disk::DiskMonitor;
use super::ledger::Ledger;
use super::lock::FolderLock;
use super::reopen::reopen;
use super::retention::{self, Keep};
use super::run_log::RunLog;
use super::run_record::RunRecord;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The first number in the names of logs that are made without a look at the disk.
const UNCHECKED_REPEAT: u64 = 1_000_000;

/// A directory that logs are kept in. It belongs to one server at a time.
#[derive(Debug)]
pub struct LogFolder {
    path: PathBuf,
    keep: Mutex<Keep>,
    ledger: Ledger,
    /// The second of the last log, and which of that second it was.
    latest: Mutex<(String, u64)>,
    /// What keeps other servers out.
    lock: Arc<FolderLock>,
}

impl LogFolder {
    /// Takes a directory, made with mode 0700 where there is none; one that others can write to
    /// gets that mode.
    ///
    /// # Errors
    /// `Log` when it cannot be made, or is something else than a directory; `LogRefused` when it
    /// or a file in it is not ours alone; `LogFolderTaken` when another server has it.
    pub fn open(path: &Path, keep: Keep) -> Result<Self> {
        Self::under(&Arc::new(FolderLock::take(path)?), path, keep)
    }

    /// The same for a directory in one that is locked already.
    ///
    /// # Errors
    /// `Log` when it cannot be made, or is something else than a directory; `LogRefused` when it
    /// or a file in it is not ours alone.
    pub fn under(lock: &Arc<FolderLock>, path: &Path, keep: Keep) -> Result<Self> {
        open_directory(path)?;
        for name in retention::files_of_logs(path) {
            check_file(&path.join(name))?;
        }
        let ledger = Ledger::open(path, keep.records_max, Arc::clone(lock.disk()))?;
        let (latest, lock) = (Mutex::default(), Arc::clone(lock));
        let (path, keep) = (path.to_owned(), Mutex::new(keep));
        Ok(Self { path, keep, ledger, latest, lock })
    }

    /// Those in one that is locked already that have a ledger.
    ///
    /// # Errors
    /// Those of `under`.
    pub fn all_under(lock: &Arc<FolderLock>, path: &Path, keep: Keep) -> Result<Vec<Arc<Self>>> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let with_ledger = paths.filter(|path| Ledger::is_in(path));
        with_ledger.map(|path| Self::under(lock, &path, keep).map(Arc::new)).collect()
    }

    /// What is known of the runs whose logs are here.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The name of a log as users see it: the directory as it was set, and the file in it.
    #[must_use]
    pub fn shown_name(&self, log: &str) -> String {
        self.path.join(log).to_string_lossy().into_owned()
    }

    /// Makes the log of a run that begins at `at`: `YYYY-MM-DD_HH-MM-SS.log`, with `_1`, `_2`, …
    /// for further runs in the same second, mode 0600. Its first line has the number behind
    /// `lines_before`. A directory that was lost is made again, with its lock and its ledger. Where
    /// the disk does not answer the file is made later, with what is printed first.
    ///
    /// # Errors
    /// `Log` when the file cannot be made.
    pub fn new_log(self: &Arc<Self>, at: DateTime<Utc>, lines_before: u64) -> Result<RunLog> {
        let stem = at.format("%Y-%m-%d_%H-%M-%S").to_string();
        if self.disk().is_stalled() {
            return self.log_without_file(&stem, at, lines_before);
        }
        let _operation = self.disk().begin();
        self.restore_lost()?;
        let mut latest = self.latest.lock();
        // A name that retention has freed is not given again: whoever has it means another run.
        let first = if latest.0 == stem { latest.1 + 1 } else { 0 };
        for repeat in first.. {
            let name = log_name(&stem, repeat);
            let path = self.path.join(&name);
            match create(&path) {
                Ok(file) => {
                    *latest = (stem, repeat);
                    return Ok(RunLog::new(path, file, lines_before, Arc::clone(self)));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Log { path, doing: "created", source }),
            }
        }
        unreachable!("a counter of 64 bits does not run out within a second")
    }

    /// A log whose file is still to be made, under a name that none has had in this second.
    fn log_without_file(
        self: &Arc<Self>,
        stem: &str,
        at: DateTime<Utc>,
        lines_before: u64,
    ) -> Result<RunLog> {
        let repeat = UNCHECKED_REPEAT + u64::from(at.timestamp_subsec_micros());
        let path = self.path.join(log_name(stem, repeat));
        let file = rustix::fs::memfd_create("llm-shell-log", rustix::fs::MemfdFlags::CLOEXEC);
        let file = file.map_err(|source| Error::Log {
            path: path.clone(),
            doing: "created",
            source: source.into(),
        })?;
        Ok(RunLog::new(path, File::from(file), lines_before, Arc::clone(self)))
    }

    /// The disk that it is on.
    pub(super) fn disk(&self) -> &Arc<DiskMonitor> {
        self.lock.disk()
    }

    /// Removes the log of a run that never began.
    pub fn discard(&self, log: &RunLog) {
        if self.disk().is_stalled() {
            return;
        }
        let _operation = self.disk().begin();
        // An empty file that stays is a blemish; the run's own error is what the user is told.
        let _stays = std::fs::remove_file(log.path());
    }

    /// The log of a run that was before. Reads all of it once, to find its lines.
    ///
    /// # Errors
    /// `Log` when it cannot be read; `LogRefused` when it is not ours alone.
    pub fn old_log(self: &Arc<Self>, run: &RunRecord) -> Result<RunLog> {
        let path = self.path.join(&run.log);
        reopen(&path, run, Arc::clone(self))
    }

    /// How much is kept from now on.
    pub fn set_keep(&self, keep: Keep) {
        *self.keep.lock() = keep;
        self.ledger.set_runs_max(keep.records_max);
    }

    fn keep(&self) -> Keep {
        *self.keep.lock()
    }

    /// How large one file of a log may get: two of them are as large as that log may be.
    pub(super) fn part_bytes_max(&self) -> u64 {
        self.keep().run_bytes() / 2
    }

    /// Makes what somebody removed once more: the directory, the lock, the ledger.
    pub(super) fn restore_lost(&self) -> Result<()> {
        if !std::fs::symlink_metadata(&self.path).is_ok_and(|it| it.is_dir()) {
            open_directory(&self.path)?;
        }
        self.lock.restore_lost()?;
        self.ledger.restore_lost();
        Ok(())
    }

    /// Removes logs of ended runs, as many as must, `active` never.
    pub fn enforce_retention(&self, active: &str) {
        if self.disk().is_stalled() {
            // The next run that is started, or that prints much, does it.
            return;
        }
        let operation = self.disk().begin();
        let gone = retention::enforce(&self.path, self.keep(), active, &self.ledger);
        drop(operation);
        if !gone.is_empty() {
            log::info!("removed {} old logs", gone.len());
            self.ledger.removed(&gone);
        }
    }
}

fn log_name(stem: &str, repeat: u64) -> String {
    match repeat {
        0 => format!("{stem}.log"),
        repeat => format!("{stem}_{repeat}.log"),
    }
}

/// Makes a new file that is read and appended to.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const EVERYTHING: Keep = Keep {
        runs_max: usize::MAX,
        bytes_max: u64::MAX,
        run_bytes_max: u64::MAX,
        records_max: 1000,
    };

    /// A directory that keeps everything.
    fn folder_in(path: &Path) -> Arc<LogFolder> {
        Arc::new(LogFolder::open(path, EVERYTHING).unwrap())
    }

    #[test]
    fn runs_of_one_second_have_names_of_their_own() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder_in(&place.path().join("deep/logs"));
        let at = "2026-01-02T03:04:05.9Z".parse().unwrap();
        let names: Vec<_> =
            (0..3).map(|_| folder.new_log(at, 0).unwrap().name().to_owned()).collect();
        let expected = ["2026-01-02_03-04-05.log", "2026-01-02_03-04-05_1.log"];
        assert!(names[0].ends_with(expected[0]) && names[1].ends_with(expected[1]), "{names:?}");
        let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&names[0]), 0o600);
        assert_eq!(mode(place.path().join("deep/logs").to_str().unwrap()), 0o700);
    }

    #[test]
    fn a_directory_that_was_lost_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder_in(&place.path().join("logs"));
        std::fs::remove_dir_all(place.path().join("logs")).unwrap();
        assert!(folder.new_log(Utc::now(), 0).is_ok());
    }

    #[test]
    fn a_directory_belongs_to_one() {
        let place = tempfile::tempdir().unwrap();
        let first = folder_in(place.path());
        let taken = LogFolder::open(place.path(), EVERYTHING).unwrap_err().to_string();
        assert!(taken.contains(&std::process::id().to_string()), "{taken}");
        drop(first);
        assert!(LogFolder::open(place.path(), EVERYTHING).is_ok());
    }
}
