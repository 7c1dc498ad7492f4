//! The output of a terminal as printed, and the screen that it makes.

use super::disk::DiskMonitor;
use super::emulator::{Emulator, Screen};
use super::error::{Error, Result};
use super::names::raw_name;
use super::raw_file::{RawFile, SIZES_MAX, ScreenSize, SizeFrom};
use crate::catch_panic::catch_panic;
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of bytes that are kept of one run.
pub const RAW_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Number of replaced files that wait for the emulator. A program that prints faster than the
/// emulator reads loses what is before them: its screen is right again when it is redrawn.
const REPLACED_MAX: usize = 2;

/// Time after a failure before a file is created again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Number of bytes of one read.
const BLOCK_BYTES: usize = 64 * 1024;

/// The last bytes that a terminal got, on disk, and an emulator that has seen all of them. The
/// writer appends; readers feed the emulator what is new when they want the screen.
#[derive(Debug)]
pub struct RawOutput {
    path: PathBuf,
    bytes_max: u64,
    /// Locked for a copy or an assignment.
    kept: Mutex<Kept>,
    /// Created by the first reader. Locked while it is fed, before `kept`.
    emulator: Mutex<Option<Emulator>>,
}

#[derive(Debug)]
struct Kept {
    /// `None` before the first output, and while there is no memory either.
    file: Option<RawFile>,
    /// Files that were replaced, until the emulator has seen their end.
    replaced: VecDeque<RawFile>,
    /// Number of bytes that were printed.
    end: u64,
    /// The sizes of the terminal, at least one, in order.
    sizes: Vec<SizeFrom>,
    /// Whether a thread feeds the emulator.
    is_feeding: bool,
}

impl RawOutput {
    /// Creates the store of a terminal of this size, in a file at `path` that the first output
    /// creates.
    pub(super) fn new(path: PathBuf, bytes_max: u64, size: ScreenSize) -> Self {
        let sizes = vec![SizeFrom { at: 0, size }];
        Self::of(path, bytes_max.min(RAW_BYTES_MAX), None, sizes)
    }

    /// Opens the store of an old run.
    ///
    /// # Errors
    /// `File` if it cannot be read; `Refused` if it is not ours alone.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let (file, sizes) = RawFile::open(&path)?;
        Ok(Self::of(path, RAW_BYTES_MAX, Some(file), sizes))
    }

    fn of(path: PathBuf, bytes_max: u64, file: Option<RawFile>, sizes: Vec<SizeFrom>) -> Self {
        let end = file.as_ref().map_or(0, |file| file.end);
        let kept = Kept { file, replaced: VecDeque::new(), end, sizes, is_feeding: false };
        Self { path, bytes_max, kept: Mutex::new(kept), emulator: Mutex::new(None) }
    }

    /// Returns the positions of the bytes that are kept. Does not block.
    #[must_use]
    pub fn positions(&self) -> Range<u64> {
        let kept = self.kept();
        kept.file.as_ref().map_or(kept.end, |file| file.base)..kept.end
    }

    /// Reads bytes from a position on, as many as are kept but at most `bytes_max`. Returns also
    /// the position of the first of them: that of the first byte kept, if `from` is not kept.
    ///
    /// # Errors
    /// `File` if they cannot be read.
    pub fn read(&self, from: u64, bytes_max: usize) -> Result<(u64, Vec<u8>)> {
        let (file, end) = {
            let kept = self.kept();
            (kept.file.clone(), kept.end)
        };
        let Some(file) = file else { return Ok((end, Vec::new())) };
        let from = if (file.base..=file.end).contains(&from) { from } else { file.base };
        let left = usize::try_from(file.end - from).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(bytes_max)];
        let failed = |source| Error::File { path: self.path.clone(), doing: "read", source };
        let read = file.read(from, &mut bytes).map_err(failed)?;
        bytes.truncate(read);
        Ok((from, bytes))
    }

    /// Sets the size from here on. Does not block.
    pub fn resize(&self, size: ScreenSize) {
        let mut kept = self.kept();
        let at = kept.end;
        kept.sizes.retain(|it| it.at < at);
        if kept.sizes.len() >= SIZES_MAX {
            // The first of the others then counts from the beginning.
            kept.sizes.remove(0);
        }
        kept.sizes.push(SizeFrom { at, size });
    }

    /// Returns the screen as it is now. Takes time for what was printed since the last call.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.with_emulator(Emulator::screen)
    }

    /// Whether the program has asked for the other codes of the cursor keys (DECCKM). Takes time
    /// like [`Self::screen`].
    #[must_use]
    pub fn has_application_cursor(&self) -> bool {
        self.with_emulator(Emulator::has_application_cursor)
    }

    fn with_emulator<T>(&self, read: impl FnOnce(&mut Emulator) -> T) -> T {
        let mut emulator = self.emulator.lock();
        let emulator = emulator.get_or_insert_with(|| Emulator::new(self.kept().size_at(0)));
        self.feed(emulator);
        read(emulator)
    }

    /// Feeds the emulator all that was printed until now.
    fn feed(&self, emulator: &mut Emulator) {
        let (files, sizes, end) = {
            let kept = self.kept();
            let files: Vec<RawFile> = kept.replaced.iter().chain(&kept.file).cloned().collect();
            (files, kept.sizes.clone(), kept.end)
        };
        let mut block = vec![0; BLOCK_BYTES];
        for file in &files {
            while emulator.position() < file.end {
                let at = emulator.position().max(file.base);
                emulator.resize(size_at(&sizes, at));
                let next = sizes.iter().map(|it| it.at).find(|next| *next > at).unwrap_or(u64::MAX);
                let wanted = usize::try_from(next - at).unwrap_or(usize::MAX).min(block.len());
                match file.read(at, &mut block[..wanted]) {
                    Ok(bytes @ 1..) => emulator.feed(at, &block[..bytes]),
                    // The file was damaged, or cannot be read.
                    Ok(0) | Err(_) => emulator.skip_to(file.end),
                }
            }
        }
        emulator.skip_to(end);
        emulator.resize(size_at(&sizes, end));
        self.kept().replaced.retain(|file| file.end > end);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }
}

impl Kept {
    fn size_at(&self, at: u64) -> ScreenSize {
        size_at(&self.sizes, at)
    }
}

fn size_at(sizes: &[SizeFrom], at: u64) -> ScreenSize {
    let current = sizes.iter().rev().find(|it| it.at <= at).or(sizes.first());
    current.map_or(ScreenSize { rows: 24, cols: 80 }, |it| it.size)
}

/// The only writing side of a store. What can be neither written nor held is lost, never waited
/// for.
#[derive(Debug)]
pub struct RawWriter {
    raw: Arc<RawOutput>,
    disk: Arc<DiskMonitor>,
    file: Option<RawFile>,
    /// The sizes in the header of the file.
    sizes: Vec<SizeFrom>,
    failed_at: Option<Instant>,
}

impl RawWriter {
    /// Creates the writing side of a store that is empty.
    pub fn new(raw: Arc<RawOutput>, disk: Arc<DiskMonitor>) -> Self {
        Self { raw, disk, file: None, sizes: Vec::new(), failed_at: None }
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) {
        let disk = Arc::clone(&self.disk);
        let _operation = disk.begin();
        let half = usize::try_from(self.raw.bytes_max / 2).unwrap_or(usize::MAX).max(1);
        for bytes in bytes.chunks(half) {
            let begin = self.raw.kept().end;
            let appended = self
                .prepare(begin, bytes.len() as u64)
                .and_then(|()| self.file.as_mut().map_or(Ok(()), |file| file.append(bytes)));
            if let Err(error) = appended {
                self.continue_in_memory(begin, bytes, &error);
            }
            let mut kept = self.raw.kept();
            kept.end += bytes.len() as u64;
            kept.file.clone_from(&self.file);
        }
    }

    /// Continues in memory, because the disk is full or gone. The next time that the file is full,
    /// the disk is tried again.
    fn continue_in_memory(&mut self, begin: u64, bytes: &[u8], error: &io::Error) {
        if self.failed_at.replace(Instant::now()).is_none() {
            log::error!("cannot write {}, keeping it in memory: {error}", self.raw.path.display());
        }
        // What it holds is no longer the end of the output.
        let _missing = std::fs::remove_file(&self.raw.path);
        self.sizes.clone_from(&self.raw.kept().sizes);
        let in_memory = RawFile::create_in_memory(begin, &self.sizes);
        let in_memory = in_memory.and_then(|mut file| file.append(bytes).map(|()| file));
        self.replace(in_memory.ok());
        self.start_feeding();
    }

    /// Writes the last size of the terminal, because no more output will come.
    pub fn finish(&mut self) {
        let disk = Arc::clone(&self.disk);
        let _operation = disk.begin();
        // Without it, an old run is shown in the size before.
        let _unwritten = self.write_sizes();
    }

    /// Makes space for `bytes` at position `begin`, in a new file if the present one is full.
    fn prepare(&mut self, begin: u64, bytes: u64) -> io::Result<()> {
        let bytes_max = self.raw.bytes_max;
        match &self.file {
            Some(file) if file.bytes() + bytes <= bytes_max => self.write_sizes(),
            Some(file) => {
                let full = file.clone();
                let base = begin - full.bytes().min(bytes_max / 2);
                let new = self.create(base)?;
                let new = copy(&full, base, new)?;
                self.replace(Some(new));
                self.failed_at = None;
                self.start_feeding();
                Ok(())
            }
            None if self.failed_at.is_some_and(|at| at.elapsed() < RETRY_INTERVAL) => Ok(()),
            None => {
                self.file = Some(self.create(begin)?);
                Ok(())
            }
        }
    }

    fn create(&mut self, base: u64) -> io::Result<RawFile> {
        self.sizes.clone_from(&self.raw.kept().sizes);
        RawFile::create(&self.raw.path, base, &self.sizes)
    }

    fn write_sizes(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let sizes = {
            let kept = self.raw.kept();
            if kept.sizes == self.sizes {
                return Ok(());
            }
            kept.sizes.clone()
        };
        self.sizes = sizes;
        file.write_header(&self.sizes)
    }

    /// Continues in another file. The present one stays open until the emulator has seen it.
    fn replace(&mut self, new: Option<RawFile>) {
        let old = std::mem::replace(&mut self.file, new);
        let mut kept = self.raw.kept();
        kept.replaced.extend(old);
        while kept.replaced.len() > REPLACED_MAX {
            kept.replaced.pop_front();
        }
        kept.file.clone_from(&self.file);
    }

    /// Starts a thread that feeds the emulator before the replaced file is closed.
    fn start_feeding(&self) {
        if std::mem::replace(&mut self.raw.kept().is_feeding, true) {
            return;
        }
        let raw = Arc::clone(&self.raw);
        let feed = move || {
            let _panicked = catch_panic("The feeding of a screen", || raw.with_emulator(|_| ()));
            raw.kept().is_feeding = false;
        };
        let started = thread::Builder::new().name("screen-feeder".into()).spawn(feed);
        if let Err(error) = started {
            log::debug!("cannot start a thread for the screen: {error}");
            self.raw.kept().is_feeding = false;
        }
    }
}

/// Copies what a file holds from `base` on to a new file.
fn copy(from: &RawFile, base: u64, mut to: RawFile) -> io::Result<RawFile> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut at = base;
    while at < from.end {
        let bytes = from.read(at, &mut block)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.append(&block[..bytes])?;
        at += bytes as u64;
    }
    Ok(to)
}

/// Returns the name of the file beside a log.
pub fn raw_path(log: &Path) -> PathBuf {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    log.with_file_name(raw_name(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const SIZE: ScreenSize = ScreenSize { rows: 4, cols: 10 };

    fn store(path: &Path, bytes_max: u64) -> (Arc<RawOutput>, RawWriter) {
        let raw = Arc::new(RawOutput::new(path.to_owned(), bytes_max, SIZE));
        let writer = RawWriter::new(Arc::clone(&raw), Arc::default());
        (raw, writer)
    }

    #[test]
    fn screen_shows_what_was_printed_before_bytes_were_dropped() {
        let place = tempfile::tempdir().unwrap();
        let (raw, mut writer) = store(&place.path().join("raw"), 1000);
        writer.append(b"\x1b]0;a title\x07top line\x1b[4;1H");
        for number in 0..1000 {
            writer.append(format!("\r{number}").as_bytes());
            if number % 50 == 0 {
                // The test does not depend on how fast the feeding thread is.
                raw.with_emulator(|_| ());
            }
        }
        let screen = raw.screen();
        assert_eq!(screen.lines, ["top line", "", "", "999"]);
        assert_eq!(screen.title.as_deref(), Some("a title"));
        assert!(raw.positions().start > 0);
        let (from, bytes) = raw.read(0, usize::MAX).unwrap();
        assert_eq!(from..from + bytes.len() as u64, raw.positions());
        assert!(bytes.ends_with(b"\r998\r999") && bytes.len() <= 1000);
    }

    #[test]
    fn resize_takes_effect_at_its_position() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("raw");
        let (raw, mut writer) = store(&path, 1000);
        writer.append(b"0123456789abc");
        raw.resize(ScreenSize { rows: 4, cols: 20 });
        assert_eq!(raw.screen().size, ScreenSize { rows: 4, cols: 20 });
        writer.append(b"\r\n0123456789abc");
        let lines = ["0123456789", "abc", "0123456789abc", ""];
        assert_eq!(raw.screen().lines, lines);
        // An old run is shown the same.
        writer.finish();
        let old = RawOutput::open(path).unwrap();
        assert_eq!(old.screen(), raw.screen());
    }

    #[test]
    fn output_stays_in_memory_while_the_disk_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("folder");
        let path = folder.join("raw");
        let (raw, mut writer) = store(&path, 64);
        writer.append(b"one ");
        assert_eq!((raw.positions(), raw.read(0, 9).unwrap()), (0..4, (0, b"one ".to_vec())));
        assert_eq!(raw.screen().lines[0], "one");
        std::fs::create_dir(&folder).unwrap();
        // The disk is tried again when the file in memory is full.
        (0..20).for_each(|_| writer.append(b"\rtwo "));
        assert!(path.exists());
        assert_eq!(raw.screen().lines[0], "two");
        assert_eq!(RawOutput::open(path).unwrap().positions(), raw.positions());
    }

    #[test]
    fn symbolic_link_is_replaced_never_followed() {
        let place = tempfile::tempdir().unwrap();
        let (target, path) = (place.path().join("target"), place.path().join("raw"));
        std::fs::write(&target, "theirs").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(RawOutput::open(path.clone()).is_err());
        store(&path, 1000).1.append(b"ours");
        assert_eq!(std::fs::read(&target).unwrap(), b"theirs");
        assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    }

    proptest! {
        #[test]
        fn store_keeps_the_end_of_what_was_printed(
            pieces in vec(vec(any::<u8>(), 0..300), 0..30),
            from in 0_u64..5000,
        ) {
            let place = tempfile::tempdir().unwrap();
            let (raw, mut writer) = store(&place.path().join("raw"), 512);
            for piece in &pieces {
                writer.append(piece);
            }
            let all = pieces.concat();
            let kept = raw.positions();
            prop_assert_eq!(kept.end, all.len() as u64);
            let kept_bytes = kept.end - kept.start;
            prop_assert!(kept_bytes <= 512 && (kept_bytes >= 256 || kept.start == 0));
            let (begin, bytes) = raw.read(from, usize::MAX).unwrap();
            let is_kept = (kept.start..=kept.end).contains(&from);
            prop_assert_eq!(begin, if is_kept { from } else { kept.start });
            prop_assert_eq!(&bytes[..], &all[usize::try_from(begin).unwrap()..]);
        }
    }
}
