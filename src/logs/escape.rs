//! JSON string escaping at the speed of memory.
//!
//! What the AVX2 form gains shows in docs/BENCHMARKS.md, rows "ingest, 20 quotes a line" and
//! "ingest, ANSI colours".

use std::ops::Range;

/// Number of bytes that are handled together. Input is read up to this much past a line's end, and
/// output written as much past the text's: both buffers must own that space.
pub const LANES: usize = 32;

/// The longest escape (`\u0000`), in bytes.
pub const ESCAPE_BYTES_MAX: usize = 6;

/// The form of a byte in a JSON string: the text, and its length.
type Escape = ([u8; 8], u8);

/// Writes the escaped text of a range of the first buffer into the second, from a position on, and
/// returns where it ends.
///
/// The first buffer must own at least `LANES` bytes after the range, and the second have space for
/// the longest escaped text and `LANES` bytes more; otherwise it panics.
pub type EscapeLine = fn(&[u8], Range<usize>, &mut [u8], usize) -> usize;

/// Returns the fastest implementation for this machine.
pub fn escape_line() -> EscapeLine {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function needs.
        return |source, line, target, at| unsafe { escape_avx2(source, line, target, at) };
    }
    escape_anywhere
}

fn escape_anywhere(source: &[u8], line: Range<usize>, target: &mut [u8], at: usize) -> usize {
    escape(find_special_anywhere, source, line, target, at)
}

/// The whole loop compiled for AVX2: a call for each 32 bytes would cost as much as its work.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn escape_avx2(source: &[u8], line: Range<usize>, target: &mut [u8], at: usize) -> usize {
    escape(|bytes| find_special_avx2(bytes), source, line, target, at)
}

/// Escapes with `find`, which finds the bytes among 32 that may not stand in a JSON string as they
/// are; bit N is byte N.
#[inline(always)]
#[allow(clippy::inline_always, reason = "it becomes part of a function for one kind of processor")]
fn escape(
    find: impl Fn(&[u8; LANES]) -> u32,
    source: &[u8],
    line: Range<usize>,
    target: &mut [u8],
    mut at: usize,
) -> usize {
    let mut from = line.start;
    while from < line.end {
        let lanes = lanes(source, from);
        let left = (line.end - from).min(LANES);
        let within = if left == LANES { u32::MAX } else { (1 << left) - 1 };
        let mut special = find(&lanes) & within;
        put(target, at, lanes);
        let mut done = 0;
        // Each special byte is replaced, and what follows it copied again to its new position.
        while special != 0 {
            let index = special.trailing_zeros() as usize;
            let (text, length) = &ESCAPES[usize::from(lanes[index])];
            at += index - done;
            put(target, at, *text);
            at += usize::from(*length);
            done = index + 1;
            if done < LANES {
                put(target, at, self::lanes(source, from + done));
            }
            special &= special - 1;
        }
        at += left - done;
        from += left;
    }
    at
}

#[inline]
fn lanes(source: &[u8], from: usize) -> [u8; LANES] {
    let mut lanes = [0; LANES];
    lanes.copy_from_slice(&source[from..from + LANES]);
    lanes
}

#[inline]
fn put<const N: usize>(target: &mut [u8], at: usize, bytes: [u8; N]) {
    target[at..at + N].copy_from_slice(&bytes);
}

fn find_special_anywhere(bytes: &[u8; LANES]) -> u32 {
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let bits = bytes.iter().enumerate().map(|(index, byte)| u32::from(is_special(*byte)) << index);
    bits.fold(0, |all, bit| all | bit)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn find_special_avx2(bytes: &[u8; LANES]) -> u32 {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set1_epi8,
    };
    // SAFETY: reads the 32 bytes of the array, aligned or not.
    let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"'.cast_signed()));
    let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\'.cast_signed()));
    let control_max = _mm256_set1_epi8(0x1f);
    let control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, control_max), bytes);
    let special = _mm256_or_si256(_mm256_or_si256(quote, backslash), control);
    _mm256_movemask_epi8(special).cast_unsigned()
}

static ESCAPES: [Escape; 256] = escapes();

const fn escapes() -> [Escape; 256] {
    let mut table = [([0; 8], 1); 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = escape_of(byte);
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn escape_of(byte: u8) -> Escape {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0x00..0x20 => {
            let (high, low) = (HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]);
            return ([b'\\', b'u', b'0', b'0', high, low, 0, 0], 6);
        }
        _ => return ([byte, 0, 0, 0, 0, 0, 0, 0], 1),
    };
    ([b'\\', short, 0, 0, 0, 0, 0, 0], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(escape: EscapeLine, line: &[u8]) -> Vec<u8> {
        let source = [line, &[b'"'; LANES]].concat();
        let mut target = vec![0; line.len() * ESCAPE_BYTES_MAX + LANES];
        let end = escape(&source, 0..line.len(), &mut target, 0);
        target.truncate(end);
        target
    }

    /// Printable text, ASCII with its control characters, and mostly escapes.
    const LINES: &str = "\\PC*|[\\x00-\\x7f]{0,200}|[\"\\\\\n]{0,100}";

    proptest! {
        #[test]
        fn escaped_text_is_that_of_serde_json(line in LINES) {
            let expected = serde_json::to_string(&line).unwrap();
            let expected = &expected.as_bytes()[1..expected.len() - 1];
            prop_assert_eq!(escaped(escape_line(), line.as_bytes()), expected);
            prop_assert_eq!(escaped(escape_anywhere, line.as_bytes()), expected);
        }

        #[test]
        fn both_implementations_agree(line: Vec<u8>) {
            prop_assert_eq!(escaped(escape_line(), &line), escaped(escape_anywhere, &line));
        }
    }
}
