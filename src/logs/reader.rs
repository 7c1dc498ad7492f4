//! Reading of a log: backwards from its end, from an instant on, or straight through, never whole.

use super::entry::{ENTRY_BYTES_MAX, Stored};
use super::stamp::Stamp;
use memchr::{memchr, memrchr};
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;

/// Number of bytes of one read: a multiple of the page size that takes little memory.
const BLOCK_BYTES: usize = 64 * 1024;

/// Calls `each` with every entry of a part of the file and its position, in order, until `each`
/// breaks; anything else is skipped. The part begins at a line boundary. Memory is constant: a
/// block, or the longest entry.
pub fn for_each_entry<F>(file: &File, part: Range<u64>, mut each: F) -> io::Result<()>
where
    F: FnMut(Stored<'_>, u64) -> io::Result<ControlFlow<()>>,
{
    let mut block = vec![0; BLOCK_BYTES];
    let (mut held, mut at) = (0, part.start);
    let mut is_too_long = false;
    while at < part.end {
        if held == block.len() {
            // No line end in all of it: make space for a longer entry, unless none is that long.
            if block.len() < ENTRY_BYTES_MAX {
                block.resize((block.len() * 2).min(ENTRY_BYTES_MAX), 0);
            } else {
                (held, is_too_long) = (0, true);
            }
        }
        let space = usize::try_from(part.end - at).unwrap_or(usize::MAX).min(block.len() - held);
        let bytes = read_at(file, &mut block[held..held + space], at)?;
        if bytes == 0 {
            return Ok(());
        }
        at += bytes as u64;
        let end = held + bytes;
        let mut from = 0;
        while let Some(length) = memchr(b'\n', &block[from..end]) {
            if !std::mem::take(&mut is_too_long)
                && let Some(stored) = Stored::parse(&block[from..from + length])
                && each(stored, at - (end - from) as u64)?.is_break()
            {
                return Ok(());
            }
            from += length + 1;
        }
        block.copy_within(from..end, 0);
        held = end - from;
    }
    Ok(())
}

/// Returns where the last `count` lines before `end` begin. Takes time proportional to those lines:
/// blocks are read from the end backwards. `end` is a line boundary.
pub fn start_of_last(file: &File, end: u64, count: u64) -> io::Result<u64> {
    // A line ends with an entry that is not a piece, so that the one after the first too many is
    // the start.
    let mut ends_left = count;
    let found = for_each_entry_reversed(file, end, |stored, behind| {
        if stored.partial {
            return None;
        }
        if ends_left == 0 {
            return Some(behind);
        }
        ends_left -= 1;
        None
    })?;
    Ok(found.unwrap_or(0))
}

/// Returns where the first line that ended at `since` or later begins: by bisection, with a few
/// reads whatever the size. `end` is a line boundary.
pub fn start_since(file: &File, end: u64, since: &Stamp) -> io::Result<u64> {
    // Every entry before `low` is too old; some entry that begins before `high` is recent enough,
    // or `high` is the end.
    let (mut low, mut high) = (0, end);
    while high - low > BLOCK_BYTES as u64 {
        let middle = low + (high - low) / 2;
        match first_entry_after(file, middle, high)? {
            Some((at, stamp)) if stamp < *since => low = at + 1,
            Some(_) | None => high = middle,
        }
    }
    let from = if low == 0 { 0 } else { line_end_after(file, low, end)? };
    let mut start = None;
    for_each_entry(file, from..end, |stored, at| {
        start = (stored.stamp >= &since[..]).then_some(at);
        Ok(start.map_or(ControlFlow::Continue(()), |_| ControlFlow::Break(())))
    })?;
    start.map_or(Ok(end), |start| start_of_line(file, start))
}

/// Returns where the line of the entry at `at` begins.
fn start_of_line(file: &File, at: u64) -> io::Result<u64> {
    let found =
        for_each_entry_reversed(file, at, |stored, behind| (!stored.partial).then_some(behind))?;
    Ok(found.unwrap_or(0))
}

/// Calls `each` with every entry that ends before `end`, the last first, and with where it ends,
/// until that returns something.
fn for_each_entry_reversed<F>(file: &File, end: u64, mut each: F) -> io::Result<Option<u64>>
where
    F: FnMut(Stored<'_>, u64) -> Option<u64>,
{
    // `data` begins at `at`. It is emptied from the back, an entry at a time, and filled from the
    // front, a block at a time.
    let (mut data, mut at) = (Vec::new(), end);
    loop {
        while let Some(last) = memrchr(b'\n', &data) {
            let Some(before) = memrchr(b'\n', &data[..last]) else { break };
            if let Some(stored) = Stored::parse(&data[before + 1..last])
                && let Some(found) = each(stored, at + last as u64 + 1)
            {
                return Ok(Some(found));
            }
            data.truncate(before + 1);
        }
        if at == 0 {
            let newline = memrchr(b'\n', &data);
            let first = newline.and_then(|last| Some((Stored::parse(&data[..last])?, last)));
            return Ok(first.and_then(|(stored, last)| each(stored, last as u64 + 1)));
        }
        if data.len() > ENTRY_BYTES_MAX {
            // Longer than an entry: only its end matters, as the end of what is before it.
            data.clear();
            data.push(b'\n');
        }
        let bytes = BLOCK_BYTES.min(usize::try_from(at).unwrap_or(BLOCK_BYTES));
        at -= bytes as u64;
        let mut block = vec![0; bytes];
        let read = read_at(file, &mut block, at)?;
        block.truncate(read);
        block.extend_from_slice(&data);
        data = block;
    }
}

/// Returns the first entry that begins after `at` and ends before `end`: its position and its
/// stamp.
fn first_entry_after(file: &File, at: u64, end: u64) -> io::Result<Option<(u64, Stamp)>> {
    let mut found = None;
    for_each_entry(file, line_end_after(file, at, end)?..end, |stored, at| {
        found = stored.stamp.first_chunk().map(|stamp| (at, *stamp));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Returns the end of the line that holds the byte at `at`: after its newline, or `end`.
fn line_end_after(file: &File, mut at: u64, end: u64) -> io::Result<u64> {
    let mut block = [0; 4096];
    while at < end {
        let space = usize::try_from(end - at).unwrap_or(block.len()).min(block.len());
        let bytes = read_at(file, &mut block[..space], at)?;
        if let Some(newline) = memchr(b'\n', &block[..bytes]) {
            return Ok(at + newline as u64 + 1);
        }
        if bytes == 0 {
            break;
        }
        at += bytes as u64;
    }
    Ok(end)
}

/// Fills the buffer from `at` on, as far as the file goes.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::super::stamp::stamp_of;
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;
    use std::io::Write;

    /// A stored entry, or bytes that are not one.
    #[derive(Clone, Debug)]
    enum Piece {
        Line(i64, String),
        Part(i64, String),
        Torn(String),
    }

    fn stamp(second: i64) -> Stamp {
        stamp_of(DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap())
    }

    /// Creates a file of these pieces, whose stamps rise by the seconds that each gives. Returns
    /// also, for each line: where it begins, when it ended, its text.
    fn file_of(pieces: &[Piece]) -> (File, u64, Vec<(u64, i64, String)>) {
        let mut bytes = Vec::new();
        let (mut second, mut lines, mut line) = (0, Vec::new(), None);
        for piece in pieces {
            let at = bytes.len() as u64;
            let (rise, text, end) = match piece {
                Piece::Line(rise, text) => (rise, text, "\"}\n"),
                Piece::Part(rise, text) => (rise, text, "\",\"partial\":true}\n"),
                Piece::Torn(text) => {
                    bytes.extend_from_slice(format!("{{\"timestamp\":{text}\n").as_bytes());
                    continue;
                }
            };
            second += rise;
            let stamp = stamp(second);
            let stamp = std::str::from_utf8(&stamp).unwrap();
            bytes.extend_from_slice(
                format!("{{\"timestamp\":\"{stamp}\",\"line\":\"{text}{end}").as_bytes(),
            );
            let (start, _, held) = line.take().unwrap_or((at, 0, String::new()));
            line = Some((start, second, held + text));
            if matches!(piece, Piece::Line(..)) {
                lines.extend(line.take());
            }
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes.len() as u64, lines)
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let text = prop_oneof![9 => "[a-z ]{0,40}", 1 => Just("x".repeat(70_000))];
        let piece = (0..8, 0_i64..3, text).prop_map(|(kind, rise, text)| match kind {
            0 => Piece::Part(rise, text),
            1 => Piece::Torn(text),
            _ => Piece::Line(rise, text),
        });
        proptest::collection::vec(piece, 0..60)
    }

    fn texts(file: &File, part: Range<u64>) -> Vec<String> {
        let (mut texts, mut line) = (Vec::new(), String::new());
        for_each_entry(file, part, |stored, _| {
            line += std::str::from_utf8(stored.text).unwrap();
            if !stored.partial {
                texts.push(std::mem::take(&mut line));
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        texts
    }

    proptest! {
        #[test]
        fn last_lines_are_the_end_of_all_lines(pieces in pieces(), count in 1_usize..70) {
            let (file, end, lines) = file_of(&pieces);
            let start = start_of_last(&file, end, count as u64).unwrap();
            let expected: Vec<_> = lines.into_iter().map(|(_, _, text)| text).collect();
            prop_assert_eq!(texts(&file, 0..end), expected.clone());
            let last = expected[expected.len().saturating_sub(count)..].to_vec();
            prop_assert_eq!(texts(&file, start..end), last);
        }

        #[test]
        fn lines_since_an_instant_are_selected_by_their_end(
            pieces in pieces(), since in 0_i64..90,
        ) {
            let (file, end, lines) = file_of(&pieces);
            let start = start_since(&file, end, &stamp(since)).unwrap();
            let young = lines.into_iter().filter(|(_, ended, _)| *ended >= since);
            let young: Vec<_> = young.map(|(_, _, text)| text).collect();
            prop_assert_eq!(texts(&file, start..end), young);
        }
    }

    #[test]
    fn lines_longer_than_an_entry_are_skipped() {
        let mut pieces = vec![Piece::Line(1, "before".into())];
        pieces.push(Piece::Torn("x".repeat(ENTRY_BYTES_MAX * 2 + 5)));
        pieces.push(Piece::Line(1, "behind".into()));
        let (file, end, _) = file_of(&pieces);
        assert_eq!(texts(&file, 0..end), ["before", "behind"]);
        assert_eq!(start_of_last(&file, end, 2).unwrap(), 0);
        let start = start_of_last(&file, end, 1).unwrap();
        assert_eq!(texts(&file, start..end), ["behind"]);
    }
}
