//! The log directory: where it is, and a new file in it that nobody else has.

use super::run_log::RunLog;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directory that logs are kept in.
#[derive(Clone, Debug)]
pub struct LogFolder(PathBuf);

impl LogFolder {
    /// Takes a directory, made with mode 0700 where there is none; one that exists is left as it
    /// is.
    ///
    /// # Errors
    /// `Log` when it cannot be made, or is something else than a directory.
    pub fn open(path: &Path) -> Result<Self> {
        make_directory(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Makes the log of a run that begins at `at`: `YYYY-MM-DD_HH-MM-SS.log`, with `_1`, `_2`, …
    /// for further runs in the same second, mode 0600. A directory that was lost is made again.
    ///
    /// # Errors
    /// `Log` when the file cannot be made.
    pub fn new_log(&self, at: DateTime<Utc>) -> Result<RunLog> {
        make_directory(&self.0)?;
        let stem = at.format("%Y-%m-%d_%H-%M-%S").to_string();
        let mut name = format!("{stem}.log");
        for repeat in 1_u64.. {
            let path = self.0.join(&name);
            match create(&path) {
                Ok(file) => return Ok(RunLog::new(path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    name = format!("{stem}_{repeat}.log");
                }
                Err(source) => return Err(Error::Log { path, doing: "created", source }),
            }
        }
        unreachable!("a counter of 64 bits does not run out within a second")
    }

    /// Removes the log of a run that never began.
    pub fn discard(&self, log: &RunLog) {
        // An empty file that stays is a blemish; the run's own error is what the user is told.
        let _stays = std::fs::remove_file(log.path());
    }
}

fn make_directory(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| Error::Log { path: path.to_owned(), doing: "created", source })
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn runs_of_one_second_have_names_of_their_own() {
        let place = tempfile::tempdir().unwrap();
        let folder = LogFolder::open(&place.path().join("deep/logs")).unwrap();
        let at = "2026-01-02T03:04:05.9Z".parse().unwrap();
        let names: Vec<_> = (0..3).map(|_| folder.new_log(at).unwrap().name().to_owned()).collect();
        let expected = ["2026-01-02_03-04-05.log", "2026-01-02_03-04-05_1.log"];
        assert!(names[0].ends_with(expected[0]) && names[1].ends_with(expected[1]), "{names:?}");
        let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&names[0]), 0o600);
        assert_eq!(mode(place.path().join("deep/logs").to_str().unwrap()), 0o700);
    }

    #[test]
    fn a_directory_that_was_lost_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = LogFolder::open(&place.path().join("logs")).unwrap();
        std::fs::remove_dir(place.path().join("logs")).unwrap();
        assert!(folder.new_log(Utc::now()).is_ok());
    }
}
