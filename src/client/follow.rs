//! Output as it arrives: of one source, or of several with their names before each line.

use super::console::Tone;
use super::error::ClientError;
use super::request::is_timeout;
use super::server::Server;
use super::terminal::TerminalText;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::thread;
use std::time::Duration;

/// The name of a source, and its formatting.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The name.
    pub name: &'a str,
    /// The index among several sources.
    pub number: usize,
    /// The width of the longest name.
    pub width: usize,
}

/// Prints what a path streams, until it ends or stdout is closed.
pub fn copy(
    server: &Server<'_>,
    target: &str,
    named: Option<Named<'_>>,
) -> Result<(), ClientError> {
    let accept = if server.command.is_json { "application/x-ndjson" } else { "text/plain" };
    let stream = server.stream(target, accept, None)?;
    finish(match named {
        None => copy_bytes(server, stream),
        Some(named) => copy_lines(server, BufReader::new(stream), named),
    })
}

/// Prints the text that a path streams, until it ends, stdout is closed, or the time is up.
pub fn copy_within(server: &Server<'_>, target: &str, within: Duration) -> Result<(), ClientError> {
    match copy_bytes(server, server.stream(target, "text/plain", Some(within))?) {
        Err(error) if is_timeout(&error) => Ok(()),
        done => finish(done),
    }
}

fn finish(done: io::Result<()>) -> Result<(), ClientError> {
    match done {
        // The reader has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => {
            done.map_err(|error| ClientError::Failed(format!("the stream ended early: {error}")))
        }
    }
}

/// Prints several streams at once, each as it arrives.
pub fn copy_all(server: &Server<'_>, targets: &[(Named<'_>, String)]) -> Result<(), ClientError> {
    thread::scope(|threads| {
        let copies = targets.iter().map(|(named, target)| {
            threads.spawn(|| {
                copy(server, target, Some(*named)).inspect_err(|error| {
                    // The others may go on forever.
                    eprintln!("llm-shell: {error}");
                })
            })
        });
        let copies: Vec<_> = copies.collect();
        let ends = copies.into_iter().map(|copy| match copy.join() {
            Ok(end) => end,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ends.fold(Ok(()), Result::and)
    })
}

fn copy_bytes(server: &Server<'_>, stream: impl io::Read) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut out = io::stdout().lock();
    let mut safe = server.console.is_terminal.then(TerminalText::default);
    let mut is_ended = true;
    loop {
        let bytes = reader.fill_buf()?;
        let Some(end) = bytes.last() else { break };
        is_ended = *end == b'\n';
        let count = bytes.len();
        match &mut safe {
            Some(safe) => out.write_all(safe.push(bytes).as_bytes())?,
            None => out.write_all(bytes)?,
        }
        out.flush()?;
        reader.consume(count);
    }
    if let Some(safe) = &mut safe {
        out.write_all(safe.end().as_bytes())?;
    }
    if is_ended { Ok(()) } else { writeln!(out) }
}

fn copy_lines(server: &Server<'_>, reader: impl BufRead, named: Named<'_>) -> io::Result<()> {
    let name = format!("{:width$} |", named.name, width = named.width);
    let name = server.console.tinted(&name, Tone::Name(named.number));
    for line in reader.lines() {
        if !server.console.say(&format!("{name} {}", line?)) {
            return Err(ErrorKind::BrokenPipe.into());
        }
    }
    Ok(())
}
