//! Launch of a command, in a session of its own, with stdout and stderr as one stream.

use super::cgroup::RunCgroup;
use super::child::{Child, PendingChild};
use super::child_setup::{ChildSetup, PassedDescriptors};
use super::children::ChildRegistry;
use super::command_line::CommandLine;
use super::error::{Error, Result};
use super::exec::ExecArgs;
use super::mark::{Mark, mark_environment, marked_limit};
use super::setup::original_descriptor_limit;
use super::shell_control::{Control, ShellControl};
use super::spawn::SpawnRequest;
use super::stdin::Stdin;
use super::terminal::{self, Input, TERMINAL_TYPE, TerminalSize};
use crate::error::SystemError;
use nix::libc;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The longest command for a shell, in bytes: the kernel's `MAX_ARG_STRLEN` is 131,072 with the NUL
/// that ends it.
pub const COMMAND_BYTES_MAX: usize = 131_071;

/// Capacity of the output pipe, in bytes. Measured: a larger one gains nothing.
const PIPE_BYTES: usize = 256 * 1024;

/// A command to launch.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The command.
    pub command: CommandLine,
    /// The shell that runs the command, with `-c`, if that is text.
    pub shell: PathBuf,
    /// The working directory.
    pub directory: PathBuf,
    /// The whole environment of the command.
    pub environment: Vec<(OsString, OsString)>,
    /// The kind of input.
    pub input: Input,
    /// How the process is controlled.
    pub control: Control,
    /// The control group to start the command in.
    pub cgroup: Option<Arc<RunCgroup>>,
    /// The ids by which the processes of the command are found again: those of what it is a part
    /// of, then its own.
    pub marks: Vec<String>,
}

/// A command that was started.
pub(super) struct Spawned {
    pub child: Child,
    /// Reading end of its stdout and stderr.
    pub output: OwnedFd,
    /// Writing side of its input, if it has any.
    pub stdin: Option<Stdin>,
    /// The command's side of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
    /// Our side of the control of a shell, if it is one.
    pub control: Option<ShellControl>,
}

/// Both sides of a command's streams.
struct Streams {
    /// The command's stdin, and its stdout and stderr.
    theirs: (OwnedFd, OwnedFd),
    output: OwnedFd,
    stdin: Option<Stdin>,
    /// Another descriptor of the command's side, if it is a terminal.
    terminal: Option<OwnedFd>,
}

impl Launch {
    /// Starts the command. Blocks until it was executed, for ever if its program or its directory
    /// is on a file system that hangs.
    ///
    /// # Errors
    /// `Directory`, `SpawnShell` or `SpawnProgram` if it cannot be run, else `System`.
    pub(super) fn spawn(
        &self,
        registry: &ChildRegistry,
        pending: &PendingChild,
    ) -> Result<Spawned> {
        // With `/.`, this succeeds only for a directory that may be entered.
        fs::metadata(self.directory.join("."))
            .map_err(|source| Error::Directory { path: self.directory.clone(), source })?;
        self.make_child(registry, pending).map_err(|source| self.failed(source))
    }

    fn make_child(&self, registry: &ChildRegistry, pending: &PendingChild) -> io::Result<Spawned> {
        let exec_args = self.exec_args()?;
        let directory = CString::new(self.directory.as_os_str().as_bytes())?;
        let Streams { theirs: (input, printed), output, stdin, terminal } = match self.input {
            Input::Terminal(size) => connect_terminal(size)?,
            Input::Nothing | Input::Pipe => self.connect_pipes()?,
        };
        let (control, descriptors) = match self.control {
            Control::None => (None, standard_streams(input, printed)?),
            Control::Shell => {
                let (control, descriptors) = ShellControl::open(input, printed)?;
                (Some(control), descriptors)
            }
        };
        let setup = ChildSetup {
            cgroup_procs: self.cgroup.as_ref().map(|cgroup| cgroup.open_procs()).transpose()?,
            descriptor_limit: original_descriptor_limit(),
            run_mark: self.marks.last().and_then(|id| marked_limit(&Mark::of(id))),
            controlling_terminal: terminal.as_ref().map(OwnedFd::try_clone).transpose()?,
            descriptors,
            directory,
        };
        let child = SpawnRequest { setup, exec_args, pending }.spawn(registry)?;
        Ok(Spawned { child, output, stdin, terminal, control })
    }

    fn exec_args(&self) -> io::Result<ExecArgs> {
        let (program, arguments) = match &self.command {
            CommandLine::Shell(text) => (self.shell.as_os_str(), vec!["-c", text]),
            CommandLine::Arguments(arguments) => {
                let program = arguments.first().map_or("", String::as_str);
                (OsStr::new(program), arguments.iter().skip(1).map(String::as_str).collect())
            }
        };
        let arguments = arguments.into_iter().map(OsStr::new);
        let mut environment = self.environment.clone();
        let has_no_term = environment.iter().all(|(name, _)| name != "TERM");
        if self.input.is_terminal() && has_no_term {
            environment.push(("TERM".into(), TERMINAL_TYPE.into()));
        }
        mark_environment(&mut environment, &self.marks);
        ExecArgs::new(program, arguments, &environment)
    }

    fn connect_pipes(&self) -> io::Result<Streams> {
        let (output, printed) = io::pipe()?;
        // Over the pipe quota an unprivileged user gets EPERM, and the pipe stays at 64 KiB.
        let _smaller = rustix::pipe::fcntl_setpipe_size(&output, PIPE_BYTES);
        let (input, stdin) = match (self.control, self.input) {
            (Control::Shell, _) => {
                let reader = OwnedFd::from(io::pipe()?.0);
                let stdin = Stdin::closed_pipe(&reader)?;
                (reader, Some(stdin))
            }
            (Control::None, Input::Nothing) => (File::open("/dev/null")?.into(), None),
            (Control::None, _) => {
                let (reader, writer) = io::pipe()?;
                (reader.into(), Some(Stdin::pipe(writer.into())?))
            }
        };
        let theirs = (input, printed.into());
        Ok(Streams { theirs, output: output.into(), stdin, terminal: None })
    }

    /// Converts the error of a launch, with its context.
    fn failed(&self, source: io::Error) -> Error {
        if source.raw_os_error() == Some(libc::ENOSYS) {
            return SystemError::new("hold a process by a pidfd (this needs Linux 5.4)", source)
                .into();
        }
        if is_shortage(&source) {
            return SystemError::new("start a process", source).into();
        }
        if source.raw_os_error() == Some(libc::E2BIG) {
            return Error::EnvironmentTooLarge { source };
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

/// Whether the machine or a limit is exhausted, whatever the command.
fn is_shortage(source: &io::Error) -> bool {
    let shortages = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE];
    source.raw_os_error().is_some_and(|error| shortages.contains(&error))
}

/// Returns the streams of a command as descriptors 0, 1 and 2.
fn standard_streams(input: OwnedFd, printed: OwnedFd) -> io::Result<PassedDescriptors> {
    PassedDescriptors::new(vec![
        (input, libc::STDIN_FILENO),
        (printed.try_clone()?, libc::STDOUT_FILENO),
        (printed, libc::STDERR_FILENO),
    ])
}

fn connect_terminal(size: TerminalSize) -> io::Result<Streams> {
    let (ours, theirs) = terminal::open(size)?;
    let stdin = Some(Stdin::terminal(ours.try_clone()?)?);
    let terminal = Some(theirs.try_clone()?);
    Ok(Streams { theirs: (theirs.try_clone()?, theirs), output: ours, stdin, terminal })
}

#[cfg(test)]
mod tests {
    use super::super::procfs::{Procfs, own_thread_number};
    use super::super::tests::{launch_of, reaper};
    use super::super::{Limit, run_with_timeout};
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn failed_exec_leaves_no_child() {
        // On a thread of its own, with a registry of its own: the children of other tests that run
        // at the same time must not be counted.
        let registry = ChildRegistry::new(Procfs::detect());
        let fail = |launch: Launch| {
            let error = launch.spawn(&registry, &PendingChild::default()).map(drop).unwrap_err();
            let thread = own_thread_number().unwrap();
            (error, registry.procfs().children_of_thread(thread))
        };
        for (arguments, directory, error) in [
            (["/nowhere/at/all"], "/", libc::ENOENT),
            (["nowhere-at-all"], "/", libc::ENOENT),
            (["/etc"], "/", libc::EACCES),
            (["/bin/true"], "/nowhere", libc::ENOENT),
        ] {
            let command = CommandLine::Arguments(arguments.map(str::to_owned).into());
            let launch = Launch { directory: directory.into(), ..launch_of(command) };
            let failed = std::thread::scope(|scope| scope.spawn(|| fail(launch)).join().unwrap());
            let (Error::SpawnProgram { source, .. } | Error::Directory { source, .. }, children) =
                failed
            else {
                panic!("{arguments:?} in {directory}: another error");
            };
            assert_eq!(source.raw_os_error(), Some(error), "{arguments:?} in {directory}");
            assert_eq!(children, [0; 0], "{arguments:?} in {directory}");
            assert_eq!(registry.leaders_count(), 0, "{arguments:?} in {directory}");
        }
    }

    #[test]
    fn scripts_without_an_interpreter_are_run_by_sh() {
        let place = tempfile::tempdir().unwrap();
        let script = place.path().join("script");
        fs::write(&script, "echo \"$1\" of $0").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let command = CommandLine::Arguments(vec!["script".into(), "one".into()]);
        let path = ("PATH".into(), format!("/nowhere:{}", place.path().display()).into());
        let launch = Launch { environment: vec![path], ..launch_of(command) };
        let limit = Limit { timeout: Duration::from_secs(20), until: None };
        let ended = run_with_timeout(reaper(), launch, limit).unwrap();
        let expected = format!("one of {}\n", script.display());
        assert_eq!(String::from_utf8(ended.output).unwrap(), expected);
    }
}
