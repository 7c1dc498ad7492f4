//! The lock that reserves a log directory for one server.

use super::directory::{open_directory, open_file};
use super::disk::DiskMonitor;
use super::error::{Error, Result};
use super::names::LOCK_NAME;
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time to wait for a lock whose holder lives, like a server that is being killed.
const LIVING_TIMEOUT: Duration = Duration::from_millis(500);

/// Time to wait if the holder is gone. A launch takes about a millisecond, on an overloaded machine
/// seconds.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two attempts: no event announces that a lock is released.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The lock on a log directory, released when it is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    file: Mutex<File>,
    id: String,
    /// The monitor of the disk that the directory is on.
    disk: Arc<DiskMonitor>,
}

impl FolderLock {
    /// Takes a directory, created with mode 0700 unless it exists.
    ///
    /// # Errors
    /// `File` if it cannot be created or is not a directory; `Refused` if it or its lock is not
    /// ours alone; `FolderTaken` if another server has it.
    pub fn take(folder: &Path) -> Result<Self> {
        Self::take_by(lock_soon, folder)
    }

    /// Takes a directory unless another server has it. Does not wait for that.
    ///
    /// # Errors
    /// Those of [`Self::take`] but `FolderTaken`.
    pub fn take_unused(folder: &Path) -> Result<Option<Self>> {
        match Self::take_by(|file, _| file.try_lock(), folder) {
            Err(Error::FolderTaken { .. }) => Ok(None),
            taken => taken.map(Some),
        }
    }

    fn take_by(try_lock: TryLock, folder: &Path) -> Result<Self> {
        open_directory(folder)?;
        let file = lock(folder, try_lock)?;
        let failed = |source| Error::File { path: folder.to_owned(), doing: "locked", source };
        let about = file.metadata().map_err(failed)?;
        let id = format!("dir-{:x}-{:x}", about.dev(), about.ino());
        let (folder, file, disk) = (folder.to_owned(), Mutex::new(file), Arc::default());
        Ok(Self { folder, file, id, disk })
    }

    /// Returns the id of the directory, which all that is started from it carries as a mark: the
    /// device and the inode of its lock file, so that two directories never share one.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the monitor of the disk that the directory is on.
    pub(super) fn disk(&self) -> &Arc<DiskMonitor> {
        &self.disk
    }

    /// Takes the lock again if somebody removed the file.
    pub(super) fn restore_lost(&self) -> Result<()> {
        if self.folder.join(LOCK_NAME).exists() {
            return Ok(());
        }
        let lock = lock(&self.folder, lock_soon)?;
        *self.file.lock() = lock;
        Ok(())
    }
}

/// Tries to lock a file at a path.
type TryLock = fn(&File, &Path) -> std::result::Result<(), TryLockError>;

fn lock(folder: &Path, try_lock: TryLock) -> Result<File> {
    let path = folder.join(LOCK_NAME);
    let failed = |source| Error::File { path: path.clone(), doing: "locked", source };
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = open_file(&path, options, "locked")?;
    match try_lock(&file, &path) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = holder(&path).map(Pid::as_raw_pid);
            return Err(Error::FolderTaken { path: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", nix::unistd::getpid()));
    written.map_err(failed)?;
    Ok(file)
}

/// Waits for the lock and takes it: a command that a killed server was just launching holds it
/// until its exec. Only then it can be found and killed as a leftover of that server.
fn lock_soon(file: &File, path: &Path) -> std::result::Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < patience(holder(path)) => {
                thread::sleep(RETRY_INTERVAL);
            }
            done => return done,
        }
    }
}

fn patience(holder: Option<Pid>) -> Duration {
    let is_gone = |holder| test_kill_process(holder) == Err(Errno::SRCH);
    if holder.is_some_and(is_gone) { GONE_TIMEOUT } else { LIVING_TIMEOUT }
}

/// Returns the process that has the lock; `None` if it has not written its pid yet.
fn holder(path: &Path) -> Option<Pid> {
    Pid::from_raw(std::fs::read_to_string(path).ok()?.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn launch_of_a_killed_server_is_awaited() {
        let place = tempfile::tempdir().unwrap();
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let path = place.path().join(LOCK_NAME);
        std::fs::write(&path, format!("{}\n", gone.id())).unwrap();
        let launching = File::open(&path).unwrap();
        launching.lock().unwrap();
        let began = Instant::now();
        thread::scope(|threads| {
            let taken = threads.spawn(|| FolderLock::take(place.path()));
            thread::sleep(2 * LIVING_TIMEOUT);
            assert!(!taken.is_finished());
            drop(launching);
            taken.join().unwrap().unwrap();
        });
        assert!(began.elapsed() < GONE_TIMEOUT);
    }

    #[test]
    fn living_holder_is_reported_by_pid() {
        let place = tempfile::tempdir().unwrap();
        let _lock = FolderLock::take(place.path()).unwrap();
        let refused = FolderLock::take(place.path()).unwrap_err().to_string();
        let own = format!("is in use by another server (process {})", std::process::id());
        assert!(refused.contains(&own), "{refused}");
    }
}
