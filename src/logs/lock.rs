//! The lock that keeps a log directory to one server.

use super::folder::make_directory;
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file that a server holds locked while the directory is its own.
const LOCK_NAME: &str = ".lock";

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
    match file.try_lock() {
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
