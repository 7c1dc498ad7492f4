//! Signals, input and terminal sizes for a run.

use super::error::{Error, Result};
use super::process_manager::ProcessManager;
use super::run::RunView;
use crate::process::{Signal, Stdin, TerminalSize};
use std::time::{Duration, Instant};

/// Time for a program to read its input before the writer gets the number of bytes taken.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The parameters that open the input of a command.
const OPENED_BY: &str = "\"stdin\": true or \"pty\": true";

impl ProcessManager {
    /// Sends a signal to the whole tree of the current run. Does not wait for its effect. SIGINT
    /// interrupts the command of a session, if one runs, and not the session.
    ///
    /// # Errors
    /// `NeverStarted`; `NotRunning` if it has ended.
    pub fn signal(&self, signal: Signal) -> Result<RunView> {
        let run = self.living_run()?;
        match run.session() {
            Some(session) if signal == Signal::INTERRUPT => drop(session.interrupt()),
            _ => run.tree().signal(&self.reaper, signal),
        }
        Ok(run)
    }

    /// Writes to the input of the current run, and ends it if `ends` says so. Blocks while the
    /// program does not read, 5 s at most; returns the number of bytes written.
    ///
    /// # Errors
    /// `NeverStarted`, `NotRunning`, or `StdinNotOpen`.
    pub fn write_stdin(&self, data: &[u8], ends: EndsInput) -> Result<usize> {
        let run = self.living_run()?;
        let closed = |_| Error::StdinNotOpen { pid: run.pid(), how: OPENED_BY };
        let stdin = run.stdin().ok_or_else(|| closed(crate::process::StdinClosed))?;
        let deadline = Instant::now() + READ_TIMEOUT;
        let written = stdin.write(data, deadline).map_err(closed)?;
        if let Some(session) = run.session() {
            session.note_input(data);
        }
        if ends == EndsInput::Yes && written == data.len() {
            stdin.end(deadline).map_err(closed)?;
        }
        Ok(written)
    }

    /// Resizes the terminal of the current run. Does not block.
    ///
    /// # Errors
    /// `NeverStarted`, `NotRunning`, or `NoTerminal`.
    pub fn resize(&self, size: TerminalSize) -> Result<RunView> {
        let run = self.living_run()?;
        let terminal = run.stdin().filter(|stdin| stdin.is_terminal());
        let resized = terminal.is_some_and(|terminal: &Stdin| terminal.resize(size).is_ok());
        if resized { Ok(run) } else { Err(Error::NoTerminal { pid: run.pid() }) }
    }

    fn living_run(&self) -> Result<RunView> {
        let run = self.last_run()?;
        match run.end() {
            Some(end) => Err(Error::NotRunning { pid: run.pid(), how: end.describe() }),
            None => Ok(run),
        }
    }
}

/// Whether the input ends after what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsInput {
    /// The input ends.
    Yes,
    /// More may follow.
    No,
}
