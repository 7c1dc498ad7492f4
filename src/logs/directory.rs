//! Opening of the log directory and its files, without being redirected by another user.

use super::error::{Error, Result};
use super::names::LOCK_NAME;
use nix::libc;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

/// Mode of a directory that we create: no access for others.
const PRIVATE: Mode = Mode::RWXU;

/// Permissions of others to write to a directory.
const WRITABLE_BY_OTHERS: Mode = Mode::WGRP.union(Mode::WOTH);

/// Creates a directory, with its parents, unless it exists, and ensures that nobody else can write
/// to it. Symbolic links are followed only in the parents of an absolute path, which whoever set it
/// has named.
///
/// # Errors
/// `File` if it cannot be created or opened; `Refused` if it is a symbolic link, belongs to
/// another user, or is shared by everybody.
pub fn open_directory(path: &Path) -> Result<()> {
    let failed = |doing| move |source: Errno| log_error(path, doing, source.into());
    let directory = walk(path).map_err(|error| match error {
        // The error of the kernel for a symbolic link that it may not follow.
        Errno::NOTDIR if has_link(path) => refused(path, "its path contains a symbolic link"),
        error => failed("created")(error),
    })?;
    let status = rustix::fs::fstat(&directory).map_err(failed("read"))?;
    if status.st_uid != geteuid().as_raw() {
        return Err(refused(path, "it belongs to another user"));
    }
    let mode = Mode::from_raw_mode(status.st_mode);
    if !mode.intersects(WRITABLE_BY_OTHERS) {
        return Ok(());
    }
    if mode.contains(Mode::SVTX) && is_used_for_something_else(path) {
        return Err(refused(path, "everyone can write to it"));
    }
    rustix::fs::fchmod(&directory, PRIVATE).map_err(failed("made private"))?;
    log::warn!("others could write to {}: changed its mode to 0700", path.display());
    Ok(())
}

/// Opens a file of ours with `options`, without following a symbolic link and without waiting for
/// the other end of a FIFO.
///
/// # Errors
/// `File` if it cannot be opened; `Refused` if it is not a regular file of ours with one name.
pub fn open_file(path: &Path, options: &mut OpenOptions, doing: &'static str) -> Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file =
        options.custom_flags(flags).open(path).map_err(|error| {
            match Errno::from_io_error(&error) {
                Some(Errno::LOOP) => refused(path, "it is a symbolic link"),
                Some(Errno::NXIO | Errno::ISDIR) => refused(path, NOT_REGULAR),
                _ => log_error(path, doing, error),
            }
        })?;
    let status = rustix::fs::fstat(&file).map_err(|e| log_error(path, doing, e.into()))?;
    check(&status).map_err(|why| refused(path, why))?;
    Ok(file)
}

/// Creates a new file to be read and appended to, mode 0600.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)
}

/// Creates a new file to be read and written anywhere, mode 0600.
pub fn create_rewritable_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Refuses a file that is not a regular file of ours with one name. A missing file is accepted.
///
/// # Errors
/// `Refused`.
pub fn check_file(path: &Path) -> Result<()> {
    let status = rustix::fs::statat(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    let why = status.map_or(Ok(()), |status| check(&status));
    why.map_err(|why| refused(path, why))
}

const NOT_REGULAR: &str = "it is not a regular file";

fn check(status: &rustix::fs::Stat) -> std::result::Result<(), &'static str> {
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err("it is a symbolic link"),
        _ => return Err(NOT_REGULAR),
    }
    if status.st_uid != geteuid().as_raw() {
        return Err("it belongs to another user");
    }
    if status.st_nlink > 1 {
        return Err("it has another hard link");
    }
    Ok(())
}

/// Opens a directory component by component; creates those that are missing.
fn walk(path: &Path) -> rustix::io::Result<OwnedFd> {
    let open = |at: &OwnedFd, part: Component<'_>, flags| {
        let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(at, part.as_os_str(), flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                match rustix::fs::mkdirat(at, part.as_os_str(), PRIVATE) {
                    // If somebody else has created it meanwhile, it is checked like any other.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
                rustix::fs::openat(at, part.as_os_str(), flags, Mode::empty())
            }
            opened => opened,
        }
    };
    let parents = if path.is_absolute() { OFlags::empty() } else { OFlags::NOFOLLOW };
    let start = if path.is_absolute() { "/" } else { "." };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = rustix::fs::open(start, flags, Mode::empty())?;
    let is_step = |part: &Component<'_>| !matches!(part, Component::RootDir | Component::CurDir);
    let mut parts = path.components().filter(is_step).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let flags = if is_last { OFlags::NOFOLLOW } else { OFlags::PATH | parents };
        directory = open(&directory, part, flags)?;
    }
    if path.components().any(|part| is_step(&part)) {
        return Ok(directory);
    }
    // The path has no component: the directory to start in is meant, opened for reading.
    rustix::fs::open(start, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Whether a component of a path is a symbolic link.
fn has_link(path: &Path) -> bool {
    path.ancestors().any(Path::is_symlink)
}

/// Whether a directory that everybody may write to, like `/tmp`, was never a log directory.
fn is_used_for_something_else(path: &Path) -> bool {
    let is_empty = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    !is_empty && !path.join(LOCK_NAME).exists()
}

fn log_error(path: &Path, doing: &'static str, source: io::Error) -> Error {
    Error::File { path: path.to_owned(), doing, source }
}

fn refused(path: &Path, why: &'static str) -> Error {
    Error::Refused { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn symbolic_link_to_a_directory_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("elsewhere")).unwrap();
        let link = place.path().join("logs");
        symlink(place.path().join("elsewhere"), &link).unwrap();
        let error = open_directory(&link).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        // A link in the parents of an absolute path is the user's own.
        open_directory(&link.join("deep")).unwrap();
        assert!(place.path().join("elsewhere/deep").is_dir());
    }

    #[test]
    fn directory_writable_by_others_becomes_private() {
        let place = tempfile::tempdir().unwrap();
        let mode = |mode| {
            let path = place.path().join("logs");
            let _there = fs::create_dir(&path);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            open_directory(&path).unwrap();
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777
        };
        assert_eq!([mode(0o777), mode(0o770), mode(0o1777)], [0o700; 3]);
        assert_eq!([mode(0o755), mode(0o750)], [0o755, 0o750]);
    }

    #[test]
    fn shared_directory_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file of somebody"), "").unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let error = open_directory(place.path()).unwrap_err().to_string();
        assert!(error.contains("everyone can write to it"), "{error}");
        let mode = fs::metadata(place.path()).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o1777, "it is left as it is");
    }

    #[test]
    fn only_regular_files_with_one_name_are_opened() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::write(path("victim"), "precious").unwrap();
        symlink(path("victim"), path("link")).unwrap();
        nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::write(path("one"), "").unwrap();
        fs::hard_link(path("one"), path("two")).unwrap();
        for (name, why) in [
            ("link", "symbolic link"),
            ("fifo", NOT_REGULAR),
            ("two", "hard link"),
            ("/dev/null", NOT_REGULAR),
        ] {
            let opened = open_file(&path(name), OpenOptions::new().read(true), "read");
            let error = opened.unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
            assert!(check_file(&path(name)).is_err(), "{name}");
        }
        assert!(check_file(&path("victim")).is_ok() && check_file(&path("missing")).is_ok());
    }
}
