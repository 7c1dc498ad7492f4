//! One command of a session.

use parking_lot::Mutex;

/// A command of a session, which runs or has ended. Who waits for its end waits on the log, whose
/// waiters are woken by it when all that it printed is there.
#[derive(Debug)]
pub struct Exec(Mutex<ExecState>);

/// The state of a command at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecState {
    /// Its number in the session, from 1.
    pub number: u64,
    /// Number of the log's last line before it: its output comes after that.
    pub after: u64,
    /// Number of the log's last line at its end: what follows is of the next command, or of what it
    /// left in the background. `None` while it runs.
    pub end_line: Option<u64>,
    /// Whether it goes on.
    pub running: bool,
    /// Its exit status, as the shell's `$?` has it (128 and the number for a signal); `None` while
    /// it runs, and if the shell ended with it in an unknown way.
    pub exit_code: Option<i32>,
    /// The shell's working directory, before the command while that runs, then after it.
    pub cwd: String,
    /// Whether the shell has ended with it.
    pub has_ended_session: bool,
}

impl Exec {
    /// Creates a command that runs.
    pub(super) fn new(number: u64, after: u64, cwd: String) -> Self {
        Self(Mutex::new(ExecState {
            number,
            after,
            end_line: None,
            running: true,
            exit_code: None,
            cwd,
            has_ended_session: false,
        }))
    }

    /// Returns its number in the session, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.lock().number
    }

    /// Returns its state now. Does not block.
    #[must_use]
    pub fn state(&self) -> ExecState {
        self.0.lock().clone()
    }

    /// Records its end. Only the first call counts.
    pub(super) fn end(&self, end: ExecEnd) {
        let mut state = self.0.lock();
        if std::mem::replace(&mut state.running, false) {
            state.end_line = Some(end.lines);
            state.exit_code = end.exit_code;
            state.cwd = end.cwd;
            state.has_ended_session = end.has_ended_session;
        }
    }
}

/// The end of a command.
#[derive(Debug)]
pub(super) struct ExecEnd {
    pub exit_code: Option<i32>,
    pub cwd: String,
    /// Number of the log's lines.
    pub lines: u64,
    pub has_ended_session: bool,
}
