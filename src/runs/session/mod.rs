//! Sessions: runs whose process is an interactive shell that keeps its state from command to
//! command.
//!
//! Each command is a script that the shell sources, so that `cd`, variables, functions, aliases and
//! options last. Redirections by `exec` last until the end of their command, since each gets
//! streams of its own; descriptors 3 to 7 are the session's. `set -e` ends the shell where a
//! command fails, as it does anywhere.
//!
//! Known limits: a command that takes the shell's last descriptors (`ulimit -n 5`) ends the session
//! with status 125. busybox then neither ends nor reports, and its interrupt handler may block it
//! for ever; bash 5.2 may send itself SIGINT for ever, once in some thousand interrupts at random
//! moments: kill the session then.

mod driver;
mod exec;
mod shell;
#[cfg(test)]
mod tests;

pub use exec::{Exec, ExecState};
pub use shell::SessionShell;

use super::error::{Error, Result};
use crate::error::SystemError;
use crate::logs::{LogWriter, RunLog};
use crate::process::{Leader, Outcome, Reaper, ShellControl, Stdin, Tree};
use parking_lot::{Condvar, Mutex, MutexGuard};
use shell::CommandInput;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The character by which a terminal interrupts its foreground processes.
const CONTROL_C: u8 = 3;

/// A command for a session.
#[derive(Clone, Copy, Debug)]
pub struct ExecRequest<'a> {
    /// The text, of any number of lines.
    pub command: &'a str,
    /// Whether its stdin is what is written to the session, not /dev/null.
    pub stdin: bool,
}

/// A shell that keeps its state, and runs one command at a time.
#[derive(Debug)]
pub struct Session {
    control: ShellControl,
    leader: Arc<Leader>,
    tree: Tree,
    reaper: Arc<Reaper>,
    log: Arc<RunLog>,
    writer: Arc<LogWriter>,
    stdin: Option<Arc<Stdin>>,
    state: Mutex<State>,
    /// Signalled with `state` when the shell's exit status is known.
    changed: Condvar,
}

/// What of a session's run it needs.
#[derive(Debug)]
pub(super) struct SessionParts {
    pub control: ShellControl,
    pub leader: Arc<Leader>,
    pub tree: Tree,
    pub reaper: Arc<Reaper>,
    pub log: Arc<RunLog>,
    pub writer: Arc<LogWriter>,
    pub stdin: Option<Arc<Stdin>>,
    pub cwd: String,
}

#[derive(Debug)]
struct State {
    /// The last command.
    last: Option<Arc<Exec>>,
    /// The command that the driver has not sent yet.
    queued: Option<Queued>,
    /// Whether to interrupt the command.
    is_interrupt_due: bool,
    /// Whether the terminal may have interrupted the shell.
    is_terminal_interrupted: bool,
    /// The directory after the last command.
    cwd: String,
    /// The shell's exit status, once it is recorded.
    outcome: Option<Outcome>,
    /// Whether the driver has ended: no command is accepted any more.
    is_over: bool,
}

#[derive(Debug)]
struct Queued {
    exec: Arc<Exec>,
    command: String,
    input: CommandInput,
}

impl Session {
    /// Creates the session of a shell that was launched. Its thread is started by `start`.
    pub(super) fn new(parts: SessionParts) -> Arc<Self> {
        let SessionParts { control, leader, tree, reaper, log, writer, stdin, cwd } = parts;
        let state = State {
            last: None,
            queued: None,
            is_interrupt_due: false,
            is_terminal_interrupted: false,
            cwd,
            outcome: None,
            is_over: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Arc::new(Self { control, leader, tree, reaper, log, writer, stdin, state, changed })
    }

    /// Starts a command and returns it while it runs. Does not block.
    ///
    /// # Errors
    /// `CommandBlank`; `CommandHasNul`; `SessionBusy` while another command runs; `SessionEnded`;
    /// `System` if its input cannot be opened.
    pub fn exec(&self, request: ExecRequest<'_>) -> Result<Arc<Exec>> {
        let ExecRequest { command, stdin } = request;
        if command.trim().is_empty() {
            return Err(Error::CommandBlank);
        }
        if command.contains('\0') {
            return Err(Error::CommandHasNul);
        }
        let mut state = self.state();
        if state.is_over || self.leader.has_ended() {
            return Err(Error::SessionEnded { pid: self.leader.pid() });
        }
        let number = match &state.last {
            Some(last) if last.state().running => {
                return Err(Error::SessionBusy { number: last.number() });
            }
            last => 1 + last.as_ref().map_or(0, |last| last.number()),
        };
        let input = if stdin { CommandInput::Session } else { CommandInput::Nothing };
        if let (Some(stdin), CommandInput::Session) = (&self.stdin, input) {
            let opened = stdin.reopen();
            opened.map_err(|error| SystemError::new("open the input of the command", error))?;
        }
        let exec = Arc::new(Exec::new(number, self.log.line_numbers().end, state.cwd.clone()));
        let command = command.to_owned();
        state.last = Some(Arc::clone(&exec));
        state.queued = Some(Queued { exec: Arc::clone(&exec), command, input });
        state.is_interrupt_due = false;
        drop(state);
        self.control.wake();
        Ok(exec)
    }

    /// Interrupts the command that runs, by SIGINT to the whole tree; the session goes on. Returns
    /// false if none runs. Does not wait for the effect.
    pub fn interrupt(&self) -> bool {
        let mut state = self.state();
        let is_running = state.last.as_ref().is_some_and(|last| last.state().running);
        state.is_interrupt_due = is_running;
        drop(state);
        self.control.wake();
        is_running
    }

    /// Returns the last command, which may still run; `None` before the first.
    #[must_use]
    pub fn last_exec(&self) -> Option<Arc<Exec>> {
        self.state().last.clone()
    }

    /// Returns the working directory of the shell after its last command.
    #[must_use]
    pub fn cwd(&self) -> String {
        self.state().cwd.clone()
    }

    /// Takes note of what is written to its input: a terminal may interrupt the shell by it.
    pub(super) fn note_input(&self, data: &[u8]) {
        let is_terminal = self.stdin.as_ref().is_some_and(|stdin| stdin.is_terminal());
        if is_terminal && data.contains(&CONTROL_C) {
            self.state().is_terminal_interrupted = true;
            self.control.wake();
        }
    }

    /// Records the shell's exit status: a command that it did not report has ended with it.
    pub(super) fn set_outcome(&self, outcome: Outcome) {
        self.state().outcome = Some(outcome);
        self.changed.notify_all();
    }

    /// Waits for the shell's exit status, for `within` at most.
    fn wait_for_outcome(&self, within: Duration) -> Option<Outcome> {
        let mut state = self.state();
        let deadline = Instant::now() + within;
        let is_unknown = |state: &mut State| state.outcome.is_none();
        self.changed.wait_while_until(&mut state, is_unknown, deadline);
        state.outcome
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
