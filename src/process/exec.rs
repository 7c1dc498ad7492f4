//! What execve(2) is given: where a program may be, its arguments, its environment.

use nix::errno::Errno;
use nix::libc::{self, c_char};
use nix::unistd::{AccessFlags, access};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::{fs, io};

/// Where programs are looked for by a command without `PATH`: what confstr(3) says of Linux.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Runs a text without a `#!` line, as execvp(3) does.
const SHELL: &str = "/bin/sh";

/// A program with all that it is started with, in the form that the kernel takes.
#[derive(Debug)]
pub(super) struct ExecArgs {
    /// Where it may be, in the order in which it is looked for.
    paths: Vec<CString>,
    /// All that the pointers below lead to.
    _strings: Vec<CString>,
    arguments: Vec<*const c_char>,
    /// The same after `sh` and a path, which the child fills in.
    script: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

impl ExecArgs {
    /// That of a program, which is looked for in the `PATH` of its environment unless its name has
    /// a slash. Of two variables of one name the later counts.
    ///
    /// # Errors
    /// `InvalidInput` where a part has a NUL in it.
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

    /// Executes the program: only why it cannot be is ever given. Async-signal-safe, for between
    /// clone and exec.
    pub fn execute(&mut self) -> Errno {
        let mut refused = Errno::ENOENT;
        for path in &self.paths {
            match execve(path.as_ptr(), &self.arguments, &self.environment) {
                // What execvp(3) does: the next directory may have one that can be executed.
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
    // SAFETY: all three lead to strings with a NUL at their end that `ExecArgs` holds, and both
    // lists end with a null pointer.
    unsafe { libc::execve(path, arguments.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

fn paths(program: &OsStr, search: Option<&OsStr>) -> io::Result<Vec<CString>> {
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(program)?]);
    }
    let directories =
        search.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|byte| *byte == b':');
    // An empty name is no program, and would be the directory itself.
    let directories = directories.filter(|_| !program.is_empty());
    // An empty directory is the one that the command starts in.
    let directories =
        directories.map(|directory| if directory.is_empty() { b"." } else { directory });
    directories
        .map(|directory| Ok(CString::new([directory, b"/", program.as_bytes()].concat())?))
        .collect()
}

/// Whether there is a program of this name that we may execute: by its path, or in one of the
/// directories of `search`, as `PATH` lists them. Blocks for the file system.
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

fn c_string(word: &OsStr) -> io::Result<CString> {
    Ok(CString::new(word.as_bytes())?)
}

/// With the null pointer that ends such a list.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search_paths(program: &str, search: Option<&str>) -> Vec<String> {
        let paths = paths(OsStr::new(program), search.map(OsStr::new)).unwrap();
        paths.into_iter().map(|path| path.into_string().unwrap()).collect()
    }

    #[test]
    fn a_program_is_looked_for_as_execvp_does() {
        assert_eq!(search_paths("./a", Some("/x")), ["./a"]);
        assert_eq!(search_paths("a", Some("/x::/y")), ["/x/a", "./a", "/y/a"]);
        assert_eq!(search_paths("a", None), ["/bin/a", "/usr/bin/a"]);
        assert_eq!(search_paths("", None), [""; 0]);
    }
}
