//! What can go wrong, as facts with their context.

use crate::nearest::nearest;
use crate::protocol::ServiceState;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// The result of everything that can fail below `api`.
pub type Result<T> = std::result::Result<T, Error>;

/// One thing that went wrong. Its text is one sentence that says what, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command without a visible character.
    #[error("The command is empty: give the shell something to run.")]
    CommandBlank,
    /// No shell can be handed a NUL: it ends a C string.
    #[error("The command has a NUL character in it: no shell can take one, so remove it.")]
    CommandHasNul,
    /// The kernel takes no longer argument.
    #[error(
        "The command has {bytes} bytes and the kernel takes at most {bytes_max}: put it into a \
         script and run that."
    )]
    CommandTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A run is under way and there can be only one.
    #[error(
        "Process {pid} of the run {run_id} is still running `{command}`: end it with POST /kill, \
         or wait for it."
    )]
    AlreadyRunning {
        /// The running command's own process.
        pid: i32,
        /// Its run.
        run_id: String,
        /// The running command, shortened.
        command: String,
    },
    /// There was no run yet.
    #[error("No command was started yet: start one with POST /start.")]
    NeverStarted,
    /// There was no run since the server was started, but there were some before.
    #[error(
        "No command was started since this server was: GET /runs/{run_id} is the last one before, \
         and POST /start starts the next."
    )]
    NotStartedSince {
        /// The last run before.
        run_id: String,
    },
    /// The run is over and left nothing behind.
    #[error("Process {pid} has already ended ({how}): there is nothing left to end.")]
    AlreadyEnded {
        /// The ended command's own process.
        pid: i32,
        /// How it ended, in words.
        how: String,
    },
    /// A kill came while a restart waited for the old run to end.
    #[error(
        "A kill ended the command during the restart's grace, so it was not started again: \
         start it with POST /start when it is wanted."
    )]
    RestartCancelled,
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
    #[error(
        "Process {pid} is on no terminal, which alone has a size: start it with \"pty\": true."
    )]
    NoTerminal {
        /// The command's own process.
        pid: i32,
    },
    /// The server is on its way out.
    #[error("The server is shutting down and starts nothing more: ask the next one.")]
    ShuttingDown,
    /// The kernel refused to run the shell.
    #[error("The shell {shell} could not be run ({source}): see LLM_SHELL_SHELL and the limits.")]
    SpawnShell {
        /// The shell that was to run the command.
        shell: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused to run a program.
    #[error(
        "The program {program:?} could not be run ({source}): see that it is there, by its path \
         or by PATH, and that it may be executed."
    )]
    SpawnProgram {
        /// The program that was to run.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Arguments and environment together are more than the kernel hands over.
    #[error(
        "The command and its environment are together more than the kernel takes ({source}): make \
         env smaller, or put it into a file."
    )]
    EnvironmentTooLarge {
        /// What the kernel said.
        source: io::Error,
    },
    /// A command cannot start in what is no directory.
    #[error("The directory {path:?} cannot be started in ({source}): give one that is there.")]
    Directory {
        /// The path, as it was given.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A service cannot start without the variables of its file.
    #[error("The env_file {path:?} cannot be read ({why}): mend it, or take it out.")]
    EnvironmentFile {
        /// The path, as it was given.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What came in a parameter or a body is not usable.
    #[error("{0}")]
    Input(String),
    /// A log file or its directory cannot be used.
    #[error("The log {path} cannot be {doing} ({source}): see LLM_SHELL_LOG_DIR and its rights.")]
    Log {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: `created`, `read`.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A log, its directory, or what belongs to them is not what we would have made.
    #[error(
        "The log {path} is refused, because {why}: remove it, or choose another directory with \
         LLM_SHELL_LOG_DIR."
    )]
    LogRefused {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, as a clause.
        why: &'static str,
    },
    /// Another server has the log directory.
    #[error(
        "The log directory {path} belongs to another server{}: give this one another, see \
         LLM_SHELL_LOG_DIR.",
        holder.map_or(String::new(), |pid: i32| format!(" (process {pid})"))
    )]
    LogFolderTaken {
        /// The directory.
        path: PathBuf,
        /// The other server's process, where that could be read.
        holder: Option<i32>,
    },
    /// The log of a run was removed; the run itself is known.
    #[error(
        "The log of the run {run_id:?} is gone: it was removed, or made room for others (see \
         LLM_SHELL_LOG_KEEP_RUNS and LLM_SHELL_LOG_MAX_BYTES)."
    )]
    LogGone {
        /// The run's id.
        run_id: String,
    },
    /// There is no run of this id, or it was forgotten.
    #[error("There is no run {run_id:?}: GET /runs lists those that there are.")]
    NoSuchRun {
        /// The id.
        run_id: String,
    },
    /// Another run is asked for than the last one.
    #[error(
        "The last command is the run {last:?} and not {run_id:?}: GET /runs/{run_id}/logs reads \
         that one."
    )]
    AnotherRun {
        /// The run that is asked for.
        run_id: String,
        /// The last one.
        last: String,
    },
    /// There is no run of this id in the log of a service.
    #[error(
        "The log of {name} has no run {run_id:?}: leave run out to read all that there are, or \
         follow it as text/event-stream, which names each."
    )]
    NoSuchServiceRun {
        /// The service.
        name: String,
        /// The id.
        run_id: String,
    },
    /// There is no service of this name.
    #[error("There is no service {name:?}: {}.", offer(name, known))]
    NoSuchService {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A service stands in no file, so it cannot be read again.
    #[error(
        "The services file has no {name:?}: add it there, or reload it with the type code, which \
         restarts it as it is."
    )]
    NotInFile {
        /// The service.
        name: String,
    },
    /// A page of another origin that chooses what is run, or how.
    #[error(
        "A page of another origin may not {what} without credentials: set LLM_SHELL_TOKEN, and \
         send it with the request."
    )]
    Restricted {
        /// What it may not do, as an infinitive.
        what: &'static str,
    },
    /// More requests of one kind than may be in progress.
    #[error("{count} {doing} already: {advice}.")]
    TooManyRequests {
        /// How many may be.
        count: usize,
        /// Which requests, and what they do.
        doing: &'static str,
        /// What to do, without a full stop.
        advice: &'static str,
    },
    /// What is asked of a service does not fit its state.
    #[error("{name} is {state}: {advice}.")]
    ServiceState {
        /// The service.
        name: String,
        /// Its state.
        state: ServiceState,
        /// What to do, without a full stop.
        advice: &'static str,
    },
    /// A service that cannot be written to.
    #[error(
        "{name} has no open input: give it \"pty\": true in the services file, or in the config of \
         its start, and start it."
    )]
    ServiceInput {
        /// The service.
        name: String,
    },
    /// A key that came with another request before.
    #[error(
        "The Idempotency-Key {key:?} came with another request within the last 10 minutes: give \
         each request its own."
    )]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A fault of ours came in between.
    #[error("The server failed at this: look into its log, and report what you find.")]
    Panicked,
    /// Something that the program stands on is missing.
    #[error("Cannot {doing} ({source}){}.", way_out(.source))]
    Kernel {
        /// What was tried, as an infinitive.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What to do about what the kernel said.
fn way_out(fault: &io::Error) -> &'static str {
    match Errno::from_io_error(fault) {
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => {
            ": see whether the machine is out of processes, memory or descriptors, and try again"
        }
        Some(Errno::NOSPC | Errno::DQUOT) => ": make room there, and try again",
        Some(Errno::TIMEDOUT | Errno::IO) => ": see whether its disk or its network is there",
        Some(Errno::PERM | Errno::ACCESS) => ": see what the server's user may do",
        _ => ": the kernel's log (dmesg) may say more",
    }
}

/// What an error means to a caller. `api` maps it to a status code; nothing below knows those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input is at fault.
    BadRequest,
    /// The caller may not do it.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// There was such a thing.
    Gone,
    /// It does not fit the state of things.
    Conflict,
    /// It cannot be done now, and may be done later.
    Unavailable,
    /// The fault is ours or the machine's.
    Internal,
}

impl Error {
    /// What this error means to a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::CommandBlank
            | Self::CommandHasNul
            | Self::CommandTooLong { .. }
            | Self::AlreadyEnded { .. }
            | Self::EnvironmentTooLarge { .. }
            | Self::Directory { .. }
            | Self::EnvironmentFile { .. }
            | Self::Input(_) => ErrorKind::BadRequest,
            Self::NeverStarted
            | Self::NotStartedSince { .. }
            | Self::NoSuchRun { .. }
            | Self::NoSuchServiceRun { .. }
            | Self::NoSuchService { .. }
            | Self::NotInFile { .. } => ErrorKind::NotFound,
            Self::Restricted { .. } => ErrorKind::Forbidden,
            Self::LogGone { .. } => ErrorKind::Gone,
            Self::AlreadyRunning { .. }
            | Self::RestartCancelled
            | Self::AnotherRun { .. }
            | Self::NotRunning { .. }
            | Self::StdinNotOpen { .. }
            | Self::NoTerminal { .. }
            | Self::KeyReused { .. }
            | Self::ServiceInput { .. }
            | Self::ServiceState { .. } => ErrorKind::Conflict,
            Self::ShuttingDown | Self::TooManyRequests { .. } => ErrorKind::Unavailable,
            Self::SpawnShell { .. }
            | Self::SpawnProgram { .. }
            | Self::Log { .. }
            | Self::LogRefused { .. }
            | Self::LogFolderTaken { .. }
            | Self::Panicked
            | Self::Kernel { .. } => ErrorKind::Internal,
        }
    }

    /// Whether a search was ended because its client did not wait for the answer. Nobody reads
    /// this error, and nothing has failed.
    #[must_use]
    pub fn is_of_client_that_left(&self) -> bool {
        matches!(
            self,
            Self::Log { source, .. } | Self::Kernel { source, .. }
                if source.kind() == io::ErrorKind::ConnectionAborted
        )
    }

    /// The same to a caller who has tools and no routes.
    #[must_use]
    pub fn for_tools(&self) -> String {
        let advice = match self {
            Self::AlreadyRunning { .. } => "end it with kill, or wait for it with wait",
            Self::NeverStarted => "start one with start_command",
            Self::NotStartedSince { run_id } => &format!(
                "read_logs run_id={run_id} reads the last one before, and start_command starts \
                 the next"
            ),
            Self::RestartCancelled => "start it with start_command when it is wanted",
            Self::NoSuchRun { .. } => "leave run_id out for the last command",
            Self::NoSuchServiceRun { .. } => "leave run out to read all that there are",
            _ => return self.to_string(),
        };
        let said = self.to_string();
        let fact = said.rsplit_once(": ").map_or(&*said, |(fact, _)| fact);
        format!("{fact}: {advice}.")
    }

    /// Wraps what the kernel said while we were `doing` something (an infinitive).
    pub fn kernel(doing: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Kernel { doing, source: source.into() }
    }
}

/// Names in a row, as far as that helps.
fn offer(name: &str, known: &[String]) -> String {
    let offered = nearest(name, known.iter().map(String::as_str));
    match (&offered[..], known.len()) {
        ([], _) => "there are none".to_owned(),
        (all, count) if all.len() == count => format!("there are {}", all.join(", ")),
        (some, count) => format!("of {count} the nearest are {}", some.join(", ")),
    }
}
