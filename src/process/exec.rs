//! Arguments of execve(2): candidate paths of the program, its arguments, its environment.

use nix::errno::Errno;
use nix::libc::{self, c_char};
use nix::unistd::{AccessFlags, access};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::{fs, io};

/// Search path of a command without `PATH`: that of confstr(3) on Linux.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Interpreter of a script without a `#!` line, as for execvp(3).
const SHELL: &str = "/bin/sh";

/// A program, its arguments and its environment, in the form that the kernel takes.
#[derive(Debug)]
pub(super) struct ExecArgs {
    /// Candidate paths, in the order of the search.
    paths: Vec<CString>,
    /// Owner of the strings that the pointers below lead to.
    _strings: Vec<CString>,
    arguments: Vec<*const c_char>,
    /// The arguments after `sh` and a path, which the child fills in.
    script: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

impl ExecArgs {
    /// Prepares a program, which is searched in the `PATH` of `environment` unless its name has a
    /// slash. Of two variables with one name the later counts.
    ///
    /// # Errors
    /// `InvalidInput` if a string contains a NUL.
    pub fn new<'a>(
        program: &'a OsStr,
        arguments: impl Iterator<Item = &'a OsStr>,
        environment: &[(OsString, OsString)],
    ) -> io::Result<Self> {
        let environment: BTreeMap<&OsStr, &OsStr> =
            environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())).collect();
        let paths = paths(program, environment.get(OsStr::new("PATH")).copied())?;
        let shell = c_string(OsStr::new(SHELL))?;
        let strings: Vec<CString> =
            [program].into_iter().chain(arguments).map(c_string).collect::<io::Result<_>>()?;
        let variables: Vec<CString> =
            environment.into_iter().map(variable).collect::<Result<_, _>>()?;
        let arguments = pointers(&strings);
        let script =
            [shell.as_ptr(), ptr::null()].into_iter().chain(arguments[1..].iter().copied());
        Ok(Self {
            paths,
            script: script.collect(),
            environment: pointers(&variables),
            arguments,
            _strings: strings.into_iter().chain(variables).chain([shell]).collect(),
        })
    }

    /// Executes the program; returns only if that fails, with the reason. Async-signal-safe, for
    /// between clone and exec.
    pub fn execute(&mut self) -> Errno {
        let mut refused = Errno::ENOENT;
        for path in &self.paths {
            match execve(path.as_ptr(), &self.arguments, &self.environment) {
                // As execvp(3) does: a later directory may have one that can be executed.
                Errno::EACCES => refused = Errno::EACCES,
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::ENOEXEC => {
                    self.script[1] = path.as_ptr();
                    return execve(self.script[0], &self.script, &self.environment);
                }
                other => return other,
            }
        }
        refused
    }
}

fn execve(
    path: *const c_char,
    arguments: &[*const c_char],
    environment: &[*const c_char],
) -> Errno {
    // SAFETY: all three lead to NUL-terminated strings that `ExecArgs` owns, and both lists end
    // with a null pointer.
    unsafe { libc::execve(path, arguments.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

fn paths(program: &OsStr, search: Option<&OsStr>) -> io::Result<Vec<CString>> {
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(program)?]);
    }
    let directories =
        search.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|byte| *byte == b':');
    // An empty name is not a program, and would yield the directory itself.
    let directories = directories.filter(|_| !program.is_empty());
    // An empty directory means the one that the command starts in.
    let directories =
        directories.map(|directory| if directory.is_empty() { b"." } else { directory });
    directories
        .map(|directory| Ok(CString::new([directory, b"/", program.as_bytes()].concat())?))
        .collect()
}

/// Whether a program of this name exists and may be executed: at its path, or in one of the
/// directories of `search`, a list as in `PATH`. Blocks for the file system.
#[must_use]
pub fn is_program(name: &OsStr, search: Option<&OsStr>) -> bool {
    let may_be_executed = |path: &CString| {
        let is_file = fs::metadata(OsStr::from_bytes(path.as_bytes())).is_ok_and(|it| it.is_file());
        is_file && access(path.as_c_str(), AccessFlags::X_OK).is_ok()
    };
    paths(name, search).is_ok_and(|paths| paths.iter().any(may_be_executed))
}

fn variable((name, value): (&OsStr, &OsStr)) -> io::Result<CString> {
    Ok(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?)
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

/// Returns pointers to the strings, with a null pointer at the end.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search_paths(program: &str, search: Option<&str>) -> Vec<String> {
        let paths = paths(OsStr::new(program), search.map(OsStr::new)).unwrap();
        paths.into_iter().map(|path| path.into_string().unwrap()).collect()
    }

    #[test]
    fn programs_are_searched_as_execvp_does() {
        assert_eq!(search_paths("./a", Some("/x")), ["./a"]);
        assert_eq!(search_paths("a", Some("/x::/y")), ["/x/a", "./a", "/y/a"]);
        assert_eq!(search_paths("a", None), ["/bin/a", "/usr/bin/a"]);
        assert_eq!(search_paths("", None), [""; 0]);
    }
}
