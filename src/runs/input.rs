//! Signals, input and terminal sizes for a run.

use super::error::{Error, Result};
use super::process_manager::ProcessManager;
use super::run::RunView;
use crate::logs::{LogSnapshot, ScreenSize};
use crate::process::{Signal, Stdin, TerminalSize};
use std::time::{Duration, Instant};

/// Time for a program to read its input before the writer gets the number of bytes taken.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The parameters that open the input of a command.
const OPENED_BY: &str = "\"stdin\": true or \"pty\": true";

impl ProcessManager {
    /// Sends a signal to the whole tree of the current run, which has the id `only` if that is
    /// given. Does not wait for its effect. SIGINT interrupts the command of a session, if one
    /// runs, and not the session.
    ///
    /// # Errors
    /// `NeverStarted`, `AnotherRun`; `NotRunning` if it has ended.
    pub fn signal(&self, signal: Signal, only: Option<&str>) -> Result<RunView> {
        let run = self.living_run(only)?;
        match run.session() {
            Some(session) if signal == Signal::INTERRUPT => drop(session.interrupt()),
            _ => run.tree().signal(&self.reaper, signal),
        }
        Ok(run)
    }

    /// Writes to the input of the current run, which has the id `only` if that is given, and ends
    /// it if `ends` says so. Blocks while the program does not read, 5 s at most.
    ///
    /// # Errors
    /// `NeverStarted`, `AnotherRun`, `NotRunning`, or `StdinNotOpen`.
    pub fn write_stdin(&self, data: &[u8], ends: EndsInput, only: Option<&str>) -> Result<Written> {
        let run = self.living_run(only)?;
        let closed = |_| Error::StdinNotOpen { pid: run.pid(), how: OPENED_BY };
        let stdin = run.stdin().ok_or_else(|| closed(crate::process::StdinClosed))?;
        let (before, echoed_lines) = (run.log().snapshot(), stdin.echoed_lines(data));
        let deadline = Instant::now() + READ_TIMEOUT;
        let bytes = stdin.write(data, deadline).map_err(closed)?;
        if let Some(session) = run.session() {
            session.note_input(data);
        }
        if ends == EndsInput::Yes && bytes == data.len() {
            stdin.end(deadline).map_err(closed)?;
        }
        Ok(Written { bytes, run, before, echoed_lines })
    }

    /// Resizes the terminal of the current run, which has the id `only` if that is given. Does not
    /// block.
    ///
    /// # Errors
    /// `NeverStarted`, `AnotherRun`, `NotRunning`, or `NoTerminal`.
    pub fn resize(&self, size: TerminalSize, only: Option<&str>) -> Result<RunView> {
        let run = self.living_run(only)?;
        let terminal = run.stdin().filter(|stdin| stdin.is_terminal());
        if let Some(raw) = run.log().raw().filter(|_| terminal.is_some()) {
            // Before the program hears of it: what it then prints is for the new size.
            raw.resize(ScreenSize { rows: size.rows, cols: size.cols });
        }
        let resized = terminal.is_some_and(|terminal: &Stdin| terminal.resize(size).is_ok());
        if resized { Ok(run) } else { Err(Error::NoTerminal { pid: run.pid() }) }
    }

    fn living_run(&self, only: Option<&str>) -> Result<RunView> {
        let run = self.last_run()?;
        run.run.check_is(only)?;
        match run.end() {
            Some(end) => Err(Error::NotRunning { pid: run.pid(), how: end.describe() }),
            None => Ok(run),
        }
    }
}

/// Input that was written to a run.
#[derive(Clone, Debug)]
pub struct Written {
    /// Number of bytes that the program took.
    pub bytes: usize,
    /// The run.
    pub run: RunView,
    /// Its log before that.
    pub before: LogSnapshot,
    /// Number of lines that the terminal, or a program that edits lines itself, prints as the echo
    /// of the input.
    pub echoed_lines: u64,
}

/// Whether the input ends after what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsInput {
    /// The input ends.
    Yes,
    /// More may follow.
    No,
}
