//! The lock that keeps a log directory to one server.

use super::folder::make_directory;
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The file that a server holds locked while the directory is its own.
const LOCK_NAME: &str = ".lock";

/// How often a lock that somebody has is tried, and how long is waited between two tries: half a
/// second in all, where a launch takes about a millisecond.
const LOCK_LOOKS: u32 = 25;
const LOCK_LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The lock on a log directory, until it is dropped, or with the process at the latest.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    file: Mutex<File>,
}

impl FolderLock {
    /// Takes a directory, made with mode 0700 where there is none.
    ///
    /// # Errors
    /// `Log` when it cannot be made, or is something else than a directory; `LogFolderTaken` when
    /// another server has it.
    pub fn take(folder: &Path) -> Result<Self> {
        make_directory(folder)?;
        let file = Mutex::new(lock(folder)?);
        Ok(Self { folder: folder.to_owned(), file })
    }

    /// Takes it once more where somebody removed the file.
    pub(super) fn restore_lost(&self) -> Result<()> {
        if self.folder.join(LOCK_NAME).exists() {
            return Ok(());
        }
        let lock = lock(&self.folder)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = lock;
        Ok(())
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK_NAME);
    let failed = |source| Error::Log { path: path.clone(), doing: "locked", source };
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match lock_soon(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // A holder that has not written its number yet is told without one.
            let _unknown = file.read_to_string(&mut holder);
            let holder = holder.trim().parse().ok();
            return Err(Error::LogFolderTaken { path: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", nix::unistd::getpid()));
    written.map_err(failed)?;
    Ok(file)
}

/// Takes the lock, waiting a moment for it: a command that a killed server was just launching has
/// it until it is executed, and nothing tells when that is.
fn lock_soon(file: &File) -> std::result::Result<(), TryLockError> {
    for _ in 0..LOCK_LOOKS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_LOOK_INTERVAL),
            done => return done,
        }
    }
    file.try_lock()
}
