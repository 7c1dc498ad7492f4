//! Prints lines: `emit --lines N --bytes N --kind KIND --writes blocks|lines`.
//!
//! KIND is plain, quotes, cyrillic or colours.
//! `--rate N` prints N lines a second, each with the instant of its printing, `@nanoseconds@`.
//! `--delay-ms N` waits first. `--stamp FILE` gets the instant before the first line. The last line
//! is `END@nanoseconds@`; `--then hold` stays after it, so that nobody restarts it.

use limits::{now, option};
use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::thread::sleep;
use std::time::Duration;

const BLOCK_BYTES: usize = 65536;

fn main() -> io::Result<()> {
    let lines: u64 = option("lines", 1_000_000);
    let rate: u64 = option("rate", 0);
    let stamp: String = option("stamp", String::new());
    let line = line(&option("kind", "plain".to_owned()), option("bytes", 100));
    sleep(Duration::from_millis(option("delay-ms", 0)));
    // SAFETY: nothing else uses descriptor 1, and it is never closed. Rust's stdout would buffer.
    let mut out = ManuallyDrop::new(unsafe { File::from_raw_fd(1) });
    if !stamp.is_empty() {
        std::fs::write(stamp, now().to_string())?;
    }
    match option("writes", "blocks".to_owned()).as_str() {
        _ if rate > 0 => at_a_rate(&mut out, &line, lines, rate)?,
        "lines" => (0..lines).try_for_each(|_| out.write_all(&line))?,
        _ => in_blocks(&mut out, &line, lines)?,
    }
    out.write_all(format!("END@{}@\n", now()).as_bytes())?;
    while option("then", String::new()) == "hold" {
        sleep(Duration::from_secs(3600));
    }
    Ok(())
}

/// A line of so many bytes, its newline among them.
fn line(kind: &str, bytes: usize) -> Vec<u8> {
    let unit = match kind {
        "quotes" => {
            r#"{"level":"info","message":"request done","path":"/v1/items","code":200,"good":true} "#
        }
        "cyrillic" => "Запуск сервиса brain: подключение к Redis выполнено, готов. ",
        "colours" => "\x1b[32mINFO\x1b[0m server: \x1b[1mGET\x1b[0m /items 200 in 12ms ",
        _ => "2026-01-20 10:30:15 INFO brain.main: ready to accept connections on port 7030; ",
    };
    let mut line: Vec<u8> = unit.bytes().cycle().take(bytes - 1).collect();
    while std::str::from_utf8(&line).is_err() {
        line.pop();
    }
    line.resize(bytes - 1, b'.');
    line.push(b'\n');
    line
}

fn in_blocks(out: &mut File, line: &[u8], lines: u64) -> io::Result<()> {
    let in_a_block = (BLOCK_BYTES / line.len()).max(1) as u64;
    let block = line.repeat(in_a_block as usize);
    let mut left = lines;
    while left > 0 {
        let now = left.min(in_a_block);
        out.write_all(&block[..now as usize * line.len()])?;
        left -= now;
    }
    Ok(())
}

fn at_a_rate(out: &mut File, line: &[u8], lines: u64, rate: u64) -> io::Result<()> {
    let began = now();
    let mut line = line.to_vec();
    for number in 0..lines {
        let due = began + number * 1_000_000_000 / rate;
        sleep(Duration::from_nanos(due.saturating_sub(now())));
        let tag = format!("@{}@", now());
        line[..tag.len()].copy_from_slice(tag.as_bytes());
        out.write_all(&line)?;
    }
    Ok(())
}
