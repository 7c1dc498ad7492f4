//! Going on in a new file: because the present one is full, or because somebody removed it.

use super::folder::create;
use super::index::Index;
use super::retention::older_name;
use super::run_log::{Part, RunLog};
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io;
use std::sync::Arc;

impl RunLog {
    /// Begins a new file. The present one gets the name of the older part, whose file goes.
    /// Line numbers go on. Readers keep what they have open.
    ///
    /// # Errors
    /// What the kernel said; the log then goes on in the file that it has.
    pub(super) fn rotate(&self) -> io::Result<()> {
        if self.written().older.is_some() {
            // A part of this run goes: the runs before it go first, so that what is left of all
            // has no hole.
            self.folder().drop_runs_before(self.file_name());
        }
        let older_path = self.path().with_file_name(older_name(self.file_name()));
        fs::rename(self.path(), &older_path)?;
        let file = create(self.path()).inspect_err(|_| {
            // Back to the name that everybody knows it by. Where that fails as well, it is still
            // written to under the other one.
            let _renamed = fs::rename(&older_path, self.path());
        })?;
        self.go_on_in(file);
        Ok(())
    }

    /// Begins a new file in the place of one that was removed, with its directory where that is
    /// gone as well. What is in the old one is read as long as the log is.
    ///
    /// # Errors
    /// `Log` when that cannot be.
    pub(super) fn replace_removed(&self) -> Result<()> {
        self.folder().restore_lost()?;
        let file = create(self.path()).map_err(|source| Error::Log {
            path: self.path().to_owned(),
            doing: "created",
            source,
        })?;
        self.go_on_in(file);
        Ok(())
    }

    pub(super) fn go_on_in(&self, file: File) {
        let lines = {
            let mut written = self.written();
            let lines = written.lines;
            let new =
                Part { file: Arc::new(file), lines_before: lines, bytes: 0, begins_run: false };
            let part = std::mem::replace(&mut written.active, new);
            let index = std::mem::replace(&mut written.index, Index::new());
            written.older = Some((part, index));
            lines
        };
        self.folder().ledger().rotated(self.file_name(), lines);
    }
}
