//! Watches a log without a pause, and prints how long after its printing each line could be read.
//!
//! `observe --file F --lines N --timeout SECONDS` prints one JSON object, in microseconds. A line
//! is one of `emit --rate`; what a logger writes around its `@nanoseconds@` does not matter.

use limits::{now, option};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

fn main() -> io::Result<()> {
    let file = File::open(option("file", String::new()))?;
    let wanted: usize = option("lines", 1000);
    let end = now() + option("timeout", 60) * 1_000_000_000;
    let mut block = vec![0; 1 << 20];
    let (mut offset, mut unended, mut delays) = (0, Vec::new(), Vec::new());
    while delays.len() < wanted && now() < end {
        let read = file.read_at(&mut block, offset)?;
        if read == 0 {
            continue;
        }
        let seen = now();
        offset += read as u64;
        unended.extend_from_slice(&block[..read]);
        if let Some(newline) = memchr::memrchr(b'\n', &unended) {
            let printed = instants(&unended[..newline]);
            delays.extend(printed.map(|printed| seen.saturating_sub(printed)));
            unended.drain(..=newline);
        }
    }
    delays.sort_unstable();
    let at = |part: usize| delays.get(delays.len() * part / 100).map_or(0.0, |ns| *ns as f64 / 1e3);
    println!("{{\"lines\":{},\"p50_us\":{:.1},\"p99_us\":{:.1}}}", delays.len(), at(50), at(99));
    Ok(())
}

/// What stands between two `@` and is a number. Stamps of s6-log and multilog have an `@` as well,
/// but are followed by letters and a space.
fn instants(lines: &[u8]) -> impl Iterator<Item = u64> {
    let between = lines.split(|byte| *byte == b'@' || *byte == b'\n');
    between.filter_map(|piece| std::str::from_utf8(piece).ok()?.parse().ok())
}
