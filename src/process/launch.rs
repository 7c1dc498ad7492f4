//! Launching a command: a session of its own, one stream for all that it prints.

use super::cgroup::{self, RunCgroup};
use super::command_line::CommandLine;
use super::stdin::Stdin;
use super::surroundings::restore_descriptor_limit;
use super::terminal::{self, Input, TERMINAL_TYPE, TerminalSize};
use crate::error::Error;
use nix::libc;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// The longest command that can be handed to a shell, in bytes: the kernel's `MAX_ARG_STRLEN` is
/// 131,072 with the NUL that ends it.
pub const COMMAND_BYTES_MAX: usize = 131_071;

/// How much the output pipe holds, in bytes. Measured: a larger one gains nothing.
const PIPE_BYTES: usize = 256 * 1024;

/// A command to be launched.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What is run.
    pub command: CommandLine,
    /// The shell that runs it, with `-c`, where it is text.
    pub shell: PathBuf,
    /// The directory that it starts in.
    pub directory: PathBuf,
    /// The whole environment of the command.
    pub environment: Vec<(OsString, OsString)>,
    /// What its input is.
    pub input: Input,
    /// The control group that it is born into, if it has one.
    pub cgroup: Option<Arc<RunCgroup>>,
}

/// A command that was started.
pub(super) struct Spawned {
    pub child: Child,
    /// What it prints, stdout and stderr as one stream.
    pub output: OwnedFd,
    /// Where its input is written to, if it has any.
    pub stdin: Option<Stdin>,
}

impl Launch {
    /// Starts the command. Blocks until it was executed.
    pub(super) fn spawn(&self) -> io::Result<Spawned> {
        let mut command = self.program();
        command.current_dir(&self.directory);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        let (output, stdin) = match self.input {
            Input::Terminal(size) => self.connect_terminal(&mut command, size)?,
            Input::Nothing | Input::Pipe => self.connect_pipes(&mut command)?,
        };
        let begin = match self.input {
            Input::Terminal(_) => begin_on_terminal,
            Input::Nothing | Input::Pipe => begin,
        };
        let door = self.cgroup.as_ref().map(|cgroup| cgroup.door()).transpose()?;
        let begin_in_cgroup = move || {
            door.as_ref().map_or(Ok(()), cgroup::enter)?;
            begin()
        };
        // SAFETY: they make only async-signal-safe calls and touch no memory of ours.
        unsafe { command.pre_exec(begin_in_cgroup) };
        Ok(Spawned { child: command.spawn()?, output, stdin })
    }

    fn connect_pipes(&self, command: &mut Command) -> io::Result<(OwnedFd, Option<Stdin>)> {
        let (output, input) = io::pipe()?;
        // An unprivileged user over the pipe quota gets EPERM: then it stays at 64 KiB.
        let _smaller = rustix::pipe::fcntl_setpipe_size(&output, PIPE_BYTES);
        command.stdout(input.try_clone()?).stderr(input);
        if self.input == Input::Nothing {
            command.stdin(Stdio::null());
            return Ok((output.into(), None));
        }
        let (reader, writer) = io::pipe()?;
        command.stdin(reader);
        Ok((output.into(), Some(Stdin::pipe(writer.into())?)))
    }

    fn connect_terminal(
        &self,
        command: &mut Command,
        size: TerminalSize,
    ) -> io::Result<(OwnedFd, Option<Stdin>)> {
        let (ours, theirs) = terminal::open(size)?;
        command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
        if self.environment.iter().all(|(name, _)| name != "TERM") {
            command.env("TERM", TERMINAL_TYPE);
        }
        let stdin = Stdin::terminal(ours.try_clone()?)?;
        Ok((ours, Some(stdin)))
    }

    fn program(&self) -> Command {
        match &self.command {
            CommandLine::Shell(text) => {
                let mut shell = Command::new(&self.shell);
                shell.arg("-c").arg(text);
                shell
            }
            CommandLine::Arguments(arguments) => {
                let mut program = Command::new(arguments.first().map_or("", String::as_str));
                program.args(arguments.iter().skip(1));
                program
            }
        }
    }

    /// Why it could not be run, as a fact with its context.
    pub(super) fn failed(&self, source: io::Error) -> Error {
        if is_shortage(&source) {
            return Error::kernel("start a process", source);
        }
        match &self.command {
            CommandLine::Shell(_) => Error::SpawnShell { shell: self.shell.clone(), source },
            CommandLine::Arguments(arguments) => {
                let program = arguments.first().cloned().unwrap_or_default();
                Error::SpawnProgram { program, source }
            }
        }
    }
}

/// Whether the machine, or a limit that we are under, has no more to give, whatever is to be run.
fn is_shortage(source: &io::Error) -> bool {
    let shortages = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE];
    source.raw_os_error().is_some_and(|error| shortages.contains(&error))
}

/// Runs in the child before the shell is executed: a session of its own, and every signal at its
/// default. (The standard library has emptied the mask; a handler of ours ends with exec; but a
/// signal that was *ignored* when we were started, by nohup or a background job, would stay so.)
fn begin() -> io::Result<()> {
    nix::unistd::setsid()?;
    restore_descriptor_limit();
    // The kernel's own form of an action, all zeros: SIG_DFL, no flags, an empty mask.
    let default = [0_u64; 4];
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads 32 bytes that are there and installs no code; the mask has the
        // size that it asks for. It refuses SIGKILL and SIGSTOP, which is of no consequence. (The
        // C library's signal(3) refuses its own two as well, and those can be ignored like any.)
        unsafe {
            let old = std::ptr::null_mut::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), old, 8_usize)
        };
    }
    Ok(())
}

/// The same on a terminal, which becomes the session's own: its ^C reaches the command.
fn begin_on_terminal() -> io::Result<()> {
    begin()?;
    terminal::take_control()
}
