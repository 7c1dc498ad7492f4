//! Going on in a new file: because the present one is full, or because somebody removed it.

use super::directory::create_file;
use super::index::Index;
use super::names::older_name;
use super::run_log::{Part, RunLog};
use super::run_record::OlderPart;
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

impl RunLog {
    /// Begins a new file. The present one gets the name of the older part, whose file goes.
    /// Line numbers go on. Readers keep what they have open.
    ///
    /// # Errors
    /// What the kernel said; the log then goes on in the file that it has.
    pub(super) fn rotate(&self) -> io::Result<()> {
        let (file, lines_before, lines) = {
            let written = self.written();
            (Arc::clone(&written.active.file), written.active.lines_before, written.lines)
        };
        let older_part = OlderPart::Rotated { inode: file.metadata()?.ino(), lines_before };
        // Before it is done: which of both names the file has then tells whether it was.
        self.folder().ledger().rotated(self.file_name(), lines, older_part);
        let older_path = self.path().with_file_name(older_name(self.file_name()));
        fs::rename(self.path(), &older_path)?;
        let file = create_file(self.path()).inspect_err(|_| {
            // Back to the name that everybody knows it by. Where that fails as well, it is still
            // written to under the other one.
            let _renamed = fs::rename(&older_path, self.path());
        })?;
        self.continue_in(file);
        Ok(())
    }

    /// Whether the file that is written to still has its name, and is not somewhere else.
    pub(super) fn is_in_place(&self) -> bool {
        let identity = |it: fs::Metadata| (it.dev(), it.ino());
        let named = fs::symlink_metadata(self.path()).map(identity).ok();
        named.is_some() && named == self.file().metadata().map(identity).ok()
    }

    /// Begins a new file in the place of one that was removed, with its directory where that is
    /// gone as well. What is in the old one is read as long as the log is.
    ///
    /// # Errors
    /// `Log` when that cannot be.
    pub(super) fn replace_removed(&self) -> Result<()> {
        self.folder().restore_lost()?;
        let lines = self.written().lines;
        self.folder().ledger().rotated(self.file_name(), lines, OlderPart::Lost);
        let file = create_file(self.path()).map_err(|source| Error::Log {
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
