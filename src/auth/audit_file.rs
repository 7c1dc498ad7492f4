//! The audit file: lines in the order they come, written by a thread of its own.

use parking_lot::Mutex;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// The size at which the file is renamed to `FILE.1` and a new one begins, in bytes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The number of renamed files: `FILE.1`, the newest, to `FILE.4`.
const OLD_FILES_MAX: u32 = 4;

/// The lines that may wait for a slow disk. Further ones are lost.
const WAITING_LINES_MAX: usize = 4096;

/// The audit file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used as the audit file ({source})", .path.display())]
pub struct AuditFileError {
    path: PathBuf,
    source: io::Error,
}

/// The audit file.
#[derive(Debug)]
pub struct AuditFile {
    lines: Mutex<Option<SyncSender<Vec<u8>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<Losses>,
}

/// The lines that were lost.
#[derive(Debug, Default)]
struct Losses {
    count: AtomicU64,
    /// Whether lines are being lost now, which was logged.
    is_logged: AtomicBool,
}

impl AuditFile {
    /// Opens the file for appending, creates it with mode 0600 if it is missing, and starts the
    /// thread that writes it.
    ///
    /// # Errors
    /// If it cannot be opened, is a symbolic link or no regular file, or no thread can be started.
    pub fn open(path: PathBuf) -> Result<Self, AuditFileError> {
        let lost = Arc::new(Losses::default());
        let (sender, receiver) = sync_channel(WAITING_LINES_MAX);
        let start = || {
            let writer = Writer::open(path.clone(), Arc::clone(&lost))?;
            let builder = thread::Builder::new().name("audit".into()).stack_size(256 * 1024);
            builder.spawn(move || writer.run(&receiver))
        };
        let thread = start().map_err(|source| AuditFileError { path, source })?;
        let (lines, writer) = (Mutex::new(Some(sender)), Mutex::new(Some(thread)));
        Ok(Self { lines, writer, lost })
    }

    /// Adds a line, to which the newline is added. Does not block: a line for which there is no
    /// room is lost, and counted.
    pub fn add(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let lines = self.lines.lock();
        let Some(sender) = &*lines else { return };
        if let Err(error) = sender.try_send(line) {
            self.lost.add(match error {
                TrySendError::Full(_) => "the disk is too slow",
                TrySendError::Disconnected(_) => "its thread has ended",
            });
        }
    }

    /// Returns the number of lines that were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.count.load(Ordering::Relaxed)
    }

    /// Writes what is waiting, and closes the file. Blocks until that is done.
    pub fn finish(&self) {
        drop(self.lines.lock().take());
        if let Some(writer) = self.writer.lock().take() {
            // A panic of the thread was logged.
            let _ended = writer.join();
        }
    }
}

impl Losses {
    /// Counts a line. Only the first after one that was written is logged: the metrics have the
    /// number.
    fn add(&self, why: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            log::error!(
                "the audit file misses requests ({why}); audit_lost_lines_total of GET /metrics \
                 counts them"
            );
        }
    }
}

/// The state of the thread.
struct Writer {
    path: PathBuf,
    /// `None` after a failure: it is opened again for the next line.
    file: Option<File>,
    length: u64,
    /// Whether the file ends in the middle of a line.
    is_torn: bool,
    lost: Arc<Losses>,
}

impl Writer {
    fn open(path: PathBuf, lost: Arc<Losses>) -> io::Result<Self> {
        let mut writer = Self { path, file: None, length: 0, is_torn: false, lost };
        writer.reopen()?;
        Ok(writer)
    }

    fn reopen(&mut self) -> io::Result<()> {
        let (file, length) = open_for_appending(&self.path)?;
        (self.file, self.length) = (Some(file), length);
        self.is_torn &= length > 0;
        Ok(())
    }

    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        for line in lines {
            match self.write(&line) {
                Ok(()) => self.lost.is_logged.store(false, Ordering::Relaxed),
                Err(error) => {
                    self.file = None;
                    self.lost.add(&error.to_string());
                }
            }
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.reopen()?;
        }
        if self.length > 0 && self.length + line.len() as u64 > BYTES_MAX {
            self.rotate()?;
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if self.is_torn {
            file.write_all(b"\n")?;
            (self.is_torn, self.length) = (false, self.length + 1);
        }
        // A line that is cut by a full disk must not run into the next one.
        self.is_torn = true;
        file.write_all(line)?;
        (self.is_torn, self.length) = (false, self.length + line.len() as u64);
        Ok(())
    }

    /// Renames the files, the oldest first, and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..OLD_FILES_MAX).rev() {
            let renamed =
                fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
            match renamed {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        self.reopen()
    }
}

/// Returns the name of a renamed file; 0 stands for the file itself.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Opens a regular file for appending. Returns it with its length.
fn open_for_appending(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR)?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok((File::from(file), u64::try_from(found.st_size).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_appended_to_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        for line in ["first", "second"] {
            let audit = AuditFile::open(path.clone()).unwrap();
            audit.add(line.into());
            audit.finish();
            audit.add(b"late".into());
        }
        assert_eq!(lines(&path), ["first", "second"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn full_files_are_renamed_and_the_oldest_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let lost = Arc::new(Losses::default());
        let mut writer = Writer::open(path.clone(), Arc::clone(&lost)).unwrap();
        let line = vec![b'x'; usize::try_from(BYTES_MAX).unwrap()];
        for _ in 0..=OLD_FILES_MAX + 1 {
            writer.write(&line).unwrap();
        }
        for number in 0..=OLD_FILES_MAX {
            assert_eq!(fs::metadata(numbered(&path, number)).unwrap().len(), BYTES_MAX);
        }
        assert!(!numbered(&path, OLD_FILES_MAX + 1).exists());
    }

    #[test]
    fn only_a_regular_file_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "victim").unwrap();
        symlink(&target, &link).unwrap();
        for wrong in [&link, folder.path(), Path::new("/dev/null"), &target.join("x")] {
            assert!(AuditFile::open(wrong.to_owned()).is_err(), "{}", wrong.display());
        }
        assert_eq!(lines(&target), ["victim"]);
    }

    #[test]
    fn lost_lines_are_counted_and_later_ones_written() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let (path, lost) = (inside.join("audit"), Arc::new(Losses::default()));
        let mut writer = Writer::open(path.clone(), Arc::clone(&lost)).unwrap();
        writer.file = None;
        fs::remove_dir_all(&inside).unwrap();
        let (sender, receiver) = sync_channel(2);
        sender.send(b"lost\n".to_vec()).unwrap();
        drop(sender);
        assert!(writer.write(b"lost\n").is_err());
        writer.run(&receiver);
        assert_eq!(lost.count.load(Ordering::Relaxed), 1);
        fs::create_dir(&inside).unwrap();
        let mut writer = Writer::open(path.clone(), lost).unwrap();
        writer.write(b"written\n").unwrap();
        assert_eq!(lines(&path), ["written"]);
    }
}
