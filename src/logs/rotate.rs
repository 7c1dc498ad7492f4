//! Continuation of a log in a new file: because the present one is full, or because somebody
//! removed it.

use super::directory::create_file;
use super::error::{Error, Result};
use super::index::Index;
use super::names::older_name;
use super::run_log::{Part, RunLog};
use super::run_record::OlderPart;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

impl RunLog {
    /// Begins a new file. The present one becomes the older part, whose file is removed. Line
    /// numbers continue. Readers keep what they have open.
    ///
    /// # Errors
    /// The error of the kernel; the log then continues in its present file.
    pub(super) fn rotate(&self) -> io::Result<()> {
        let (file, lines_before, lines) = {
            let written = self.written();
            (Arc::clone(&written.active.file), written.active.lines_before, written.lines)
        };
        let older_part = OlderPart::Rotated { inode: file.metadata()?.ino(), lines_before };
        // Recorded before it is done: the name that the file then has shows whether it was.
        self.folder().ledger().rotated(self.file_name(), lines, older_part);
        let older_path = self.path().with_file_name(older_name(self.file_name()));
        fs::rename(self.path(), &older_path)?;
        let file = create_file(self.path()).inspect_err(|_| {
            // Back to the known name. If that fails as well, the log continues under the other one.
            let _renamed = fs::rename(&older_path, self.path());
        })?;
        self.continue_in(file);
        Ok(())
    }

    /// Whether the file that is written to still has its name.
    pub(super) fn is_in_place(&self) -> bool {
        let identity = |it: fs::Metadata| (it.dev(), it.ino());
        let named = fs::symlink_metadata(self.path()).map(identity).ok();
        named.is_some() && named == self.file().metadata().map(identity).ok()
    }

    /// Begins a new file in place of one that was removed, with its directory if that is gone as
    /// well. What is in the old one stays readable as long as the log is.
    ///
    /// # Errors
    /// `File` if it cannot be created.
    pub(super) fn replace_removed(&self) -> Result<()> {
        self.folder().restore_lost()?;
        let lines = self.written().lines;
        self.folder().ledger().rotated(self.file_name(), lines, OlderPart::Lost);
        let file = create_file(self.path()).map_err(|source| Error::File {
            path: self.path().to_owned(),
            doing: "created",
            source,
        })?;
        self.continue_in(file);
        Ok(())
    }

    pub(super) fn continue_in(&self, file: File) {
        let mut written = self.written();
        let lines_before = written.lines;
        let new = Part { file: Arc::new(file), lines_before, bytes: 0, begins_run: false };
        let part = std::mem::replace(&mut written.active, new);
        let index = std::mem::replace(&mut written.index, Index::new());
        written.older = Some((part, index));
    }
}
