//! A server in the background, which outlives the process that started it.

use crate::syscall::retry;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts a program with these arguments and this whole environment, in the root directory, with
/// its stdout and stderr in `log`. It leaves the caller's session by [`leave_session`].
///
/// # Errors
/// Why it cannot be started.
pub fn spawn_server(
    program: &Path,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    log: File,
) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment).current_dir("/");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn()
}

/// Makes this process the leader of a session of its own, so that signals of a terminal do not
/// reach it. Does nothing if it leads a process group already.
pub fn leave_session() {
    let _leads_already = retry(rustix::process::setsid);
}
