//! The directories of a user for state and for sockets (XDG Base Directory Specification).

use super::StartError;
use rustix::process::geteuid;
use std::env;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Returns the directory for the state of this program: `$XDG_STATE_HOME/llm-shell`, by default
/// `~/.local/state/llm-shell`.
///
/// # Errors
/// `NoStateDirectory`.
pub(super) fn state_directory() -> Result<PathBuf, StartError> {
    let of_home = || Some(absolute("HOME")?.join(".local/state"));
    let state = absolute("XDG_STATE_HOME").or_else(of_home);
    Ok(state.ok_or(StartError::NoStateDirectory)?.join("llm-shell"))
}

/// Returns the directory for the sockets of this user, which nobody else can write to.
///
/// # Errors
/// `NoRuntimeDirectory`.
pub(super) fn runtime_directory() -> Result<PathBuf, StartError> {
    let is_private = |path: &PathBuf| {
        let of_user = |it: Metadata| it.uid() == geteuid().as_raw() && it.mode() & 0o022 == 0;
        path.metadata().is_ok_and(of_user)
    };
    absolute("XDG_RUNTIME_DIR").filter(is_private).ok_or(StartError::NoRuntimeDirectory)
}

/// Returns a variable that is an absolute path; the specification ignores any other.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
