//! Log directories side by side, one for each server: a new one for a start, and the removal of old
//! ones.

use super::directory::open_directory;
use super::error::{Error, Result};
use super::folder::LogFolder;
use super::lock::FolderLock;
use super::retention::Keep;
use super::stamp::now;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Creates a directory of its own below `parent`, named after the time and this process. Blocks for
/// the disk.
///
/// # Errors
/// `File` if it cannot be created; `Refused` if `parent` is not ours alone.
pub fn new_folder(parent: &Path) -> Result<PathBuf> {
    open_directory(parent)?;
    let name = format!("{}_{}", now().format("%Y-%m-%d_%H-%M-%S"), nix::unistd::getpid());
    let mut folder = parent.join(&name);
    let mut number = 0;
    loop {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                folder = parent.join(format!("{name}_{number}"));
            }
            Err(source) => return Err(Error::File { path: folder, doing: "created", source }),
        }
    }
}

/// Takes each directory beside `own` that no server uses, and passes it to `recover`. Removes it
/// then, unless it is one of the newest `count_max`. Failures are logged: `own` can be used anyway.
pub fn tidy_folders(own: &Path, keep: Keep, count_max: usize, recover: impl Fn(Arc<LogFolder>)) {
    let Some(parent) = own.parent() else { return };
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|it| it.is_dir());
    let mut folders: Vec<PathBuf> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    // Their names begin with the time.
    folders.sort_unstable_by(|a, b| b.cmp(a));
    for (number, folder) in folders.iter().enumerate().filter(|(_, folder)| *folder != own) {
        let tidied = tidy(folder, keep, number >= count_max, &recover);
        if let Err(error) = tidied {
            log::warn!("{error}");
        }
    }
}

fn tidy(
    folder: &Path,
    keep: Keep,
    is_too_old: bool,
    recover: &impl Fn(Arc<LogFolder>),
) -> Result<()> {
    let Some(lock) = FolderLock::take_unused(folder)?.map(Arc::new) else { return Ok(()) };
    recover(Arc::new(LogFolder::under(&lock, folder, keep)?));
    if is_too_old {
        let removed = std::fs::remove_dir_all(folder);
        let failed = |source| Error::File { path: folder.to_owned(), doing: "removed", source };
        removed.map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Keep =
        Keep { runs_max: 10, bytes_max: 1 << 20, run_bytes_max: 1 << 20, records_max: 10 };

    #[test]
    fn newest_folders_and_used_ones_are_kept() {
        let place = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = (0..5).map(|_| new_folder(place.path()).unwrap()).collect();
        let mut sorted = folders.clone();
        sorted.sort_unstable();
        let in_use = FolderLock::take(&sorted[0]).unwrap();
        let own = sorted.pop().unwrap();
        tidy_folders(&own, KEEP, 2, |_| {});
        let is_there: Vec<bool> = sorted.iter().map(|folder| folder.exists()).collect();
        assert_eq!((is_there, own.exists()), (vec![true, false, false, true], true));
        drop(in_use);
        tidy_folders(&own, KEEP, 2, |_| {});
        assert!(!sorted[0].exists());
    }
}
