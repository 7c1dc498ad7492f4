//! The log directory of one command or service: its ledger, its limits, its retention.

use super::directory::{check_file, open_directory};
use super::disk::DiskMonitor;
use super::error::Result;
use super::ledger::Ledger;
use super::lock::FolderLock;
use super::retention::{self, Keep};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A directory for logs. It belongs to one server at a time.
#[derive(Debug)]
pub struct LogFolder {
    pub(super) path: PathBuf,
    keep: Mutex<Keep>,
    ledger: Ledger,
    /// The second of the last log, and its number within that.
    pub(super) latest: Mutex<(String, u64)>,
    /// The lock that keeps other servers out.
    lock: Arc<FolderLock>,
    output: OutputWatch,
}

/// The callback for output of any run.
#[derive(Default)]
struct OutputWatch {
    /// Number of threads that wait for output.
    watchers: AtomicUsize,
    callback: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// A registration of a thread that waits for output of any run.
#[derive(Debug)]
pub struct OutputWatcher(Arc<LogFolder>);

impl Drop for OutputWatcher {
    fn drop(&mut self) {
        self.0.output.watchers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for OutputWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OutputWatch").field(&self.watchers).finish()
    }
}

impl LogFolder {
    /// Takes a directory, created with mode 0700 unless it exists; one that others can write to
    /// gets that mode.
    ///
    /// # Errors
    /// `File` if it cannot be created or is not a directory; `Refused` if it or a file in it is
    /// not ours alone; `FolderTaken` if another server has it.
    pub fn open(path: &Path, keep: Keep) -> Result<Self> {
        Self::under(&Arc::new(FolderLock::take(path)?), path, keep)
    }

    /// Takes a directory in one that is locked already.
    ///
    /// # Errors
    /// `File` if it cannot be created or is not a directory; `Refused` if it or a file in it is
    /// not ours alone.
    pub fn under(lock: &Arc<FolderLock>, path: &Path, keep: Keep) -> Result<Self> {
        open_directory(path)?;
        for name in retention::files_of_logs(path) {
            check_file(&path.join(name))?;
        }
        let ledger = Ledger::open(path, keep.records_max, Arc::clone(lock.disk()))?;
        let (latest, lock) = (Mutex::default(), Arc::clone(lock));
        let (path, keep) = (path.to_owned(), Mutex::new(keep));
        Ok(Self { path, keep, ledger, latest, lock, output: OutputWatch::default() })
    }

    /// Takes all directories with a ledger in one that is locked already.
    ///
    /// # Errors
    /// Those of `under`.
    pub fn all_under(lock: &Arc<FolderLock>, path: &Path, keep: Keep) -> Result<Vec<Arc<Self>>> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let with_ledger = paths.filter(|path| Ledger::is_in(path));
        with_ledger.map(|path| Self::under(lock, &path, keep).map(Arc::new)).collect()
    }

    /// Returns the ledger of the runs whose logs are here.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns the id of the locked directory. The server that holds the lock started every living
    /// process that carries it as a mark, or one before it did.
    #[must_use]
    pub fn lock_id(&self) -> &str {
        self.lock.id()
    }

    /// Returns the marks of what a run starts: the id of the directory, and the run's own.
    #[must_use]
    pub fn marks(&self, run_id: &str) -> Vec<String> {
        vec![self.lock_id().to_owned(), run_id.to_owned()]
    }

    /// Returns the name of a log for users: the directory as it was set, and the file in it.
    #[must_use]
    pub fn shown_name(&self, log: &str) -> String {
        self.path.join(log).to_string_lossy().into_owned()
    }

    /// Sets what is called at each output of a run while there is an `OutputWatcher`. It must not
    /// block. Only the first call has an effect.
    pub fn on_output(&self, callback: Box<dyn Fn() + Send + Sync>) {
        let _set_before = self.output.callback.set(callback);
    }

    /// Has the callback of `on_output` called until the registration is dropped.
    #[must_use]
    pub fn watch_output(self: &Arc<Self>) -> OutputWatcher {
        self.output.watchers.fetch_add(1, Ordering::SeqCst);
        OutputWatcher(Arc::clone(self))
    }

    /// Announces output of a run.
    pub(super) fn announce_output(&self) {
        if self.output.watchers.load(Ordering::SeqCst) > 0
            && let Some(callback) = self.output.callback.get()
        {
            callback();
        }
    }

    /// Removes the log of a run that is over, and forgets the run.
    pub fn forget(&self, run_id: &str) {
        let Some(run) = self.ledger.run(run_id) else { return };
        if !self.disk().is_stalled() {
            let operation = self.disk().begin();
            retention::remove(&self.path, &run.log);
            drop(operation);
        }
        self.ledger.forgotten(run_id);
    }

    /// Returns the monitor of the disk that it is on.
    pub(super) fn disk(&self) -> &Arc<DiskMonitor> {
        self.lock.disk()
    }

    /// Sets the limits from now on.
    pub fn set_keep(&self, keep: Keep) {
        *self.keep.lock() = keep;
        self.ledger.set_runs_max(keep.records_max);
    }

    fn keep(&self) -> Keep {
        *self.keep.lock()
    }

    /// Returns the maximum size of one file of a log: half of what that log may have.
    pub(super) fn part_bytes_max(&self) -> u64 {
        self.keep().run_bytes() / 2
    }

    /// Creates what somebody removed: the directory, the lock, the ledger.
    pub(super) fn restore_lost(&self) -> Result<()> {
        if !std::fs::symlink_metadata(&self.path).is_ok_and(|it| it.is_dir()) {
            open_directory(&self.path)?;
        }
        self.lock.restore_lost()?;
        self.ledger.restore_lost();
        Ok(())
    }

    /// Removes logs of ended runs until the rest fits, `active` never.
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use std::os::unix::fs::PermissionsExt;

    const EVERYTHING: Keep = Keep {
        runs_max: usize::MAX,
        bytes_max: u64::MAX,
        run_bytes_max: u64::MAX,
        records_max: 1000,
    };

    /// Takes a directory that keeps everything.
    fn folder_in(path: &Path) -> Arc<LogFolder> {
        Arc::new(LogFolder::open(path, EVERYTHING).unwrap())
    }

    #[test]
    fn runs_of_one_second_have_distinct_names() {
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
    fn lost_directory_is_created_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder_in(&place.path().join("logs"));
        std::fs::remove_dir_all(place.path().join("logs")).unwrap();
        assert!(folder.new_log(Utc::now(), 0).is_ok());
    }

    #[test]
    fn directory_belongs_to_one_server() {
        let place = tempfile::tempdir().unwrap();
        let first = folder_in(place.path());
        let taken = LogFolder::open(place.path(), EVERYTHING).unwrap_err().to_string();
        assert!(taken.contains(&std::process::id().to_string()), "{taken}");
        drop(first);
        assert!(LogFolder::open(place.path(), EVERYTHING).is_ok());
    }
}
