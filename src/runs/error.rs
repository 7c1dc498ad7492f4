//! Errors of operations on commands.

use crate::error::{ErrorKind, SystemError};
use crate::{logs, process};

/// The result of what can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why an operation on a command failed. Texts without a full stop are facts, to which
/// the adapters add what their callers can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command without a visible character.
    #[error("The command is empty: give a command to run.")]
    CommandBlank,
    /// No shell can be handed a NUL: it ends a C string.
    #[error(
        "The command contains a NUL character, which cannot be passed to a program: remove it."
    )]
    CommandHasNul,
    /// The kernel takes no longer argument.
    #[error(
        "The command has {bytes} bytes, but the kernel accepts at most {bytes_max}: put it into a \
         script and run that."
    )]
    CommandTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A run is under way and there can be only one.
    #[error("Process {pid} of the run {run_id} is still running `{command}`")]
    AlreadyRunning {
        /// The running command's own process.
        pid: i32,
        /// Its run.
        run_id: String,
        /// The running command, shortened.
        command: String,
    },
    /// There was no run yet.
    #[error("No command was started yet")]
    NeverStarted,
    /// The run is over and left nothing behind.
    #[error("Process {pid} has already ended ({how}): there is nothing left to end.")]
    AlreadyEnded {
        /// The ended command's own process.
        pid: i32,
        /// How it ended, in words.
        how: String,
    },
    /// A kill came while a restart waited for the old run to end.
    #[error("A kill ended the command during the restart's grace, so it was not started again")]
    RestartCancelled,
    /// Another run is asked for than the last one.
    #[error("The last command is run {last:?}, not {run_id:?}")]
    AnotherRun {
        /// The run that is asked for.
        run_id: String,
        /// The last one.
        last: String,
    },
    /// A live run has the name that another is to have.
    #[error("The run {run_id} is still running with the name {name:?}")]
    NameTaken {
        /// The name.
        name: String,
        /// The run that has it.
        run_id: String,
    },
    /// As many runs live as may.
    #[error("{live} runs are running, which is the maximum (LLM_SHELL_MAX_RUNS)")]
    TooManyRuns {
        /// How many live.
        live: usize,
    },
    /// A run that cannot be forgotten.
    #[error("The run {run_id} is still running, or has left processes behind")]
    StillLives {
        /// The run.
        run_id: String,
    },
    /// A run whose environment is not known any more.
    #[error(
        "The run {run_id} cannot be started again, because its environment is no longer known: \
         start a new one."
    )]
    NotRestartable {
        /// The run.
        run_id: String,
    },
    /// Nothing runs that could be sent something.
    #[error("Process {pid} has ended ({how}): start a command first.")]
    NotRunning {
        /// The ended command's own process.
        pid: i32,
        /// How it ended, in words.
        how: String,
    },
    /// What runs takes no input, or its input was closed.
    #[error("Process {pid} has no open input: start it with {how}.")]
    StdinNotOpen {
        /// The command's own process.
        pid: i32,
        /// What opens it.
        how: &'static str,
    },
    /// What runs is on no terminal.
    #[error("Process {pid} has no terminal to resize: start it with \"pty\": true.")]
    NoTerminal {
        /// The command's own process.
        pid: i32,
    },
    /// The shell of a session is not installed.
    #[error("The shell {shell} is not installed: install it, or start the session with \"sh\".")]
    NoSuchShell {
        /// Its name.
        shell: &'static str,
    },
    /// A session runs a command and can run only one.
    #[error(
        "The session is still running its command {number}: wait for its end, or interrupt it."
    )]
    SessionBusy {
        /// Number of the command in the session.
        number: u64,
    },
    /// A run that takes no commands.
    #[error("The run {run_id} is not a session: start one with POST /runs {{\"session\": true}}.")]
    NoSession {
        /// The run.
        run_id: String,
    },
    /// A session without a command yet.
    #[error("The session {run_id} has run no command yet")]
    NoCommand {
        /// Its run.
        run_id: String,
    },
    /// The shell of a session has ended.
    #[error("The shell of the session, process {pid}, has ended: start another session.")]
    SessionEnded {
        /// The shell.
        pid: i32,
    },
    /// The server is on its way out.
    #[error(
        "The server is shutting down and starts no more commands: try again after its restart."
    )]
    ShuttingDown,
    /// The log of a run was removed; the run itself is known.
    #[error(
        "The log of the run {run_id:?} is gone: it was deleted, possibly to stay within \
         LLM_SHELL_LOG_KEEP_RUNS or LLM_SHELL_LOG_MAX_BYTES."
    )]
    LogGone {
        /// The run's id.
        run_id: String,
    },
    /// There is no run of this id, or it was forgotten.
    #[error("There is no run {run_id:?}")]
    NoSuchRun {
        /// The id.
        run_id: String,
    },
    /// A value that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The process could not be spawned.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] logs::Error),
    /// A request to the kernel failed.
    #[error(transparent)]
    System(#[from] SystemError),
}

impl Error {
    /// Returns what it means to a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::CommandBlank
            | Self::CommandHasNul
            | Self::CommandTooLong { .. }
            | Self::AlreadyEnded { .. }
            | Self::NoSuchShell { .. }
            | Self::Invalid(_) => ErrorKind::BadRequest,
            Self::NeverStarted | Self::NoSuchRun { .. } | Self::NoCommand { .. } => {
                ErrorKind::NotFound
            }
            Self::LogGone { .. } => ErrorKind::Gone,
            Self::TooManyRuns { .. } => ErrorKind::TooMany,
            Self::AlreadyRunning { .. }
            | Self::AnotherRun { .. }
            | Self::NameTaken { .. }
            | Self::StillLives { .. }
            | Self::NoSession { .. }
            | Self::NotRestartable { .. }
            | Self::RestartCancelled
            | Self::NotRunning { .. }
            | Self::StdinNotOpen { .. }
            | Self::NoTerminal { .. }
            | Self::SessionBusy { .. }
            | Self::SessionEnded { .. } => ErrorKind::Conflict,
            Self::ShuttingDown => ErrorKind::Unavailable,
            Self::Process(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::System(_) => ErrorKind::Internal,
        }
    }
}
