//! Output as it comes: of one, or of several with their names before each line.

use super::console::Tone;
use super::ctl::Server;
use super::error::ClientError;
use super::request::is_time_up;
use super::terminal::TerminalText;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::thread;
use std::time::Duration;

/// Whose lines are shown, and the tone of its name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which of several it is.
    pub number: usize,
    /// How wide the longest name is.
    pub width: usize,
}

/// Prints what a path streams, until it ends or nobody reads any more.
pub fn copy(
    server: &Server<'_>,
    target: &str,
    named: Option<Named<'_>>,
) -> Result<(), ClientError> {
    let accept = if server.order.is_json { "application/x-ndjson" } else { "text/plain" };
    let stream = server.stream(target, accept, None)?;
    told(match named {
        None => copy_bytes(server, stream),
        Some(named) => copy_lines(server, BufReader::new(stream), named),
    })
}

/// Prints the text that a path streams, until it ends, or nobody reads any more, or so much time
/// has passed.
pub fn copy_within(server: &Server<'_>, target: &str, within: Duration) -> Result<(), ClientError> {
    match copy_bytes(server, server.stream(target, "text/plain", Some(within))?) {
        Err(error) if is_time_up(&error) => Ok(()),
        done => told(done),
    }
}

fn told(done: io::Result<()>) -> Result<(), ClientError> {
    match done {
        // Who reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => {
            done.map_err(|error| ClientError::Failed(format!("The stream broke off ({error}).")))
        }
    }
}

/// Prints several at once, each as it comes.
pub fn copy_all(server: &Server<'_>, targets: &[(Named<'_>, String)]) -> Result<(), ClientError> {
    thread::scope(|threads| {
        let copies = targets.iter().map(|(named, target)| {
            threads.spawn(|| {
                copy(server, target, Some(*named)).inspect_err(|trouble| {
                    // The others may go on for ever.
                    eprintln!("llm-shell: {trouble}");
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
