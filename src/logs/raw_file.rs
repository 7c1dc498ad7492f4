//! Files with the bytes of a terminal: a header, then the bytes as printed.

use super::directory::{create_rewritable_file, open_file};
use super::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Begin of every such file: its format.
const MAGIC: &[u8; 16] = b"llm-shell raw 1\n";

/// Length of the header, in bytes.
const HEADER_LENGTH: usize = 512;
const HEADER_BYTES: u64 = HEADER_LENGTH as u64;

/// Offset of the sizes, after the magic, the position of the first byte and their number.
const SIZES_AT: usize = 16 + 8 + 2;

/// Length of one size: where it begins, rows and columns.
const SIZE_BYTES: usize = 8 + 2 + 2;

/// Number of sizes that fit into the header. Older ones are forgotten.
pub const SIZES_MAX: usize = (HEADER_LENGTH - SIZES_AT) / SIZE_BYTES;

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenSize {
    /// Number of lines.
    pub rows: u16,
    /// Number of characters in a line.
    pub cols: u16,
}

/// The size that a terminal has from a position in its output on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeFrom {
    /// Number of bytes before it.
    pub at: u64,
    /// The size.
    pub size: ScreenSize,
}

/// A file, and the part of the output that it holds.
#[derive(Clone, Debug)]
pub struct RawFile {
    file: Arc<File>,
    /// Position of its first byte in the output.
    pub base: u64,
    /// Position after its last byte.
    pub end: u64,
}

impl RawFile {
    /// Creates a file for the output from `base` on, in place of one that exists.
    pub fn create(path: &Path, base: u64, sizes: &[SizeFrom]) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = Arc::new(create_rewritable_file(path)?);
        let created = Self { file, base, end: base };
        created.write_header(sizes)?;
        Ok(created)
    }

    /// Creates a file in memory, for while the disk is full.
    pub fn create_in_memory(base: u64, sizes: &[SizeFrom]) -> io::Result<Self> {
        let file = rustix::fs::memfd_create("llm-shell-raw", rustix::fs::MemfdFlags::CLOEXEC)?;
        let created = Self { file: Arc::new(File::from(file)), base, end: base };
        created.write_header(sizes)?;
        Ok(created)
    }

    /// Opens the file of an old run; returns also the sizes of its terminal.
    ///
    /// # Errors
    /// `File` if it cannot be read or has another format; `Refused` if it is not ours alone.
    pub fn open(path: &Path) -> Result<(Self, Vec<SizeFrom>)> {
        let file = open_file(path, OpenOptions::new().read(true), "read")?;
        let failed = |source| Error::File { path: path.to_owned(), doing: "read", source };
        Self::read_header(file).map_err(failed)
    }

    fn read_header(file: File) -> io::Result<(Self, Vec<SizeFrom>)> {
        let mut header = [0; HEADER_LENGTH];
        file.read_exact_at(&mut header, 0)?;
        let base = number(&header[16..24]);
        let count = usize::from(short(&header[24..26]));
        if !header.starts_with(MAGIC) || !(1..=SIZES_MAX).contains(&count) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let sizes = header[SIZES_AT..].chunks_exact(SIZE_BYTES).take(count);
        let sizes = sizes.map(|it| SizeFrom {
            at: number(&it[..8]),
            size: ScreenSize { rows: short(&it[8..10]), cols: short(&it[10..12]) },
        });
        let end = base.saturating_add(file.metadata()?.len().saturating_sub(HEADER_BYTES));
        Ok((Self { file: Arc::new(file), base, end }, sizes.collect()))
    }

    /// Writes the header, with at most `SIZES_MAX` sizes.
    pub fn write_header(&self, sizes: &[SizeFrom]) -> io::Result<()> {
        let sizes = &sizes[sizes.len().saturating_sub(SIZES_MAX)..];
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&self.base.to_le_bytes());
        header.extend_from_slice(&u16::try_from(sizes.len()).unwrap_or(0).to_le_bytes());
        for SizeFrom { at, size: ScreenSize { rows, cols } } in sizes {
            header.extend_from_slice(&at.to_le_bytes());
            header.extend_from_slice(&rows.to_le_bytes());
            header.extend_from_slice(&cols.to_le_bytes());
        }
        header.resize(HEADER_LENGTH, 0);
        self.file.write_all_at(&header, 0)
    }

    /// Returns the number of bytes of output in it.
    pub fn bytes(&self) -> u64 {
        self.end - self.base
    }

    /// Appends bytes. If that fails, none of them count.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, HEADER_BYTES + self.bytes())?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Fills the buffer from this position on, as far as the file goes. Returns the number of
    /// bytes.
    pub fn read(&self, from: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(from)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let mut filled = 0;
        while filled < wanted {
            let at = HEADER_BYTES + (from - self.base) + filled as u64;
            match self.file.read_at(&mut buffer[filled..wanted], at) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
}

fn short(bytes: &[u8]) -> u16 {
    u16::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
}
