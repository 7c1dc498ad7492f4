//! Settings files: `.env` in the working directory, or a named one.

use super::error::SettingError;
use super::table::{ENVIRONMENT_PREFIX, is_allowed_in_dotenv};
use crate::env_file::{self, Variable};
use nix::unistd::{Gid, Group, Uid, User};
use rustix::fs::{FileType, Mode, OFlags, Stat, fgetxattr, fstat, lstat, open};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The log filter, which is accepted although it is not a setting.
pub const RUST_LOG: &str = "RUST_LOG";

/// The name of the file in the working directory.
const DOTENV: &str = ".env";

/// The maximum size of a settings file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The settings in a file.
#[derive(Clone, Debug, Default)]
pub struct EnvFile {
    /// The file's name in messages.
    pub(super) name: String,
    /// The accepted variables.
    pub(super) variables: Vec<Variable>,
    /// The names of settings that such a file may not contain.
    pub(super) ignored: Vec<String>,
}

impl EnvFile {
    /// Reads `.env` in the working directory, if there is one. Only this program's settings count,
    /// except those that determine what is run or who has access: a command run by the server can
    /// write that file.
    ///
    /// # Errors
    /// If the file belongs to another user, is writable by others, cannot be read, or contains a
    /// malformed line for one of these settings.
    pub fn in_working_directory() -> Result<Option<Self>, SettingError> {
        let Some(content) = read(Path::new(DOTENV))? else { return Ok(None) };
        let file = Self::parse(DOTENV, &content)?;
        let is_taken = |it: &Variable| it.name == RUST_LOG || is_allowed_in_dotenv(&it.name);
        let (variables, ignored): (Vec<_>, Vec<_>) = file.variables.into_iter().partition(is_taken);
        let ignored = ignored.into_iter().map(|it| it.name).collect();
        Ok(Some(Self { variables, ignored, ..file }))
    }

    /// Reads a named file. Only this program's settings count.
    ///
    /// # Errors
    /// The errors of [`Self::in_working_directory`], and a missing file.
    pub fn named(path: &Path) -> Result<Self, SettingError> {
        let name = path.display().to_string();
        let Some(content) = read(path)? else {
            return Err(error(&name, "no such file"));
        };
        Self::parse(&name, &content)
    }

    /// Parses the lines for this program's settings.
    ///
    /// # Errors
    /// The number of the first such line that is not `NAME=value`.
    pub(super) fn parse(name: &str, content: &[u8]) -> Result<Self, SettingError> {
        let is_ours = |name: &str| name.starts_with(ENVIRONMENT_PREFIX) || name == RUST_LOG;
        let variables = env_file::parse(content, is_ours);
        let variables = variables.map_err(|why| error(name, &why.to_string()))?;
        Ok(Self { name: name.to_owned(), variables, ignored: Vec::new() })
    }

    /// Returns the file's name for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of a variable.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        // The last of two lines counts, as in a shell.
        let mut found = self.variables.iter().rev().filter(|it| it.name == name);
        found.next().map(|it| it.value.as_str())
    }
}

fn error(name: &str, why: &str) -> SettingError {
    SettingError::EnvFile { name: name.to_owned(), why: why.to_owned() }
}

/// Reads a file; returns `None` if it does not exist.
fn read(path: &Path) -> Result<Option<Vec<u8>>, SettingError> {
    let refused = |why: &str| error(&path.display().to_string(), why);
    let link = match lstat(path) {
        Err(Errno::NOENT) => return Ok(None),
        found => found.map_err(|error| refused(&error.to_string()))?,
    };
    // The owner of a link has chosen what is read.
    check_owner(&link).map_err(refused)?;
    // Non-blocking, in case the file is a FIFO.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let descriptor = match open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened.map_err(|error| refused(&error.to_string()))?,
    };
    let status = fstat(&descriptor).map_err(|error| refused(&error.to_string()))?;
    check(&status, has_access_list(&descriptor)).map_err(refused)?;
    let mut content = Vec::new();
    let read = File::from(descriptor).take(FILE_BYTES_MAX + 1).read_to_end(&mut content);
    read.map_err(|error| refused(&error.to_string()))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(refused("larger than 64 KiB"));
    }
    Ok(Some(content))
}

/// Returns whether a file has an access control list (`acl(5)`): its group bits then apply to
/// everyone in that list.
fn has_access_list(file: &OwnedFd) -> bool {
    fgetxattr(file, "system.posix_acl_access", &mut [0; 0]).is_ok_and(|length| length > 0)
}

/// Returns whether other users can write a file, or own it. False if it does not exist.
#[must_use]
pub fn is_writable_by_others(path: &Path) -> bool {
    let Ok(file) = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else { return false };
    fstat(&file).is_ok_and(|status| check_writers(&status, false).is_err())
}

/// Refuses a file that is not regular, or that others may have written.
fn check(status: &Stat, has_access_list: bool) -> Result<(), &'static str> {
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err("not a regular file");
    }
    check_writers(status, has_access_list)
}

fn check_writers(status: &Stat, has_access_list: bool) -> Result<(), &'static str> {
    check_owner(status)?;
    let owner = Uid::from_raw(status.st_uid);
    let may_write = |bits: u32| status.st_mode & bits != 0;
    let group = Gid::from_raw(status.st_gid);
    let is_group_private = !has_access_list && is_private(group, owner);
    if may_write(0o002) || (may_write(0o020) && !is_group_private) {
        return Err("other users can write it: chmod go-w");
    }
    Ok(())
}

fn check_owner(status: &Stat) -> Result<(), &'static str> {
    let owner = Uid::from_raw(status.st_uid);
    if owner != Uid::effective() && !owner.is_root() {
        return Err("belongs to another user: remove it, or change its owner");
    }
    Ok(())
}

/// Returns whether a group is a user's own, as distributions create one for each user. Root's is
/// not: services and containers run with it.
fn is_private(group: Gid, owner: Uid) -> bool {
    if owner.is_root() || is_primary_of_others(group, owner) {
        return false;
    }
    let (Ok(Some(user)), Ok(Some(found))) = (User::from_uid(owner), Group::from_gid(group)) else {
        return false;
    };
    user.gid == group && user.name == found.name && found.mem.iter().all(|it| *it == user.name)
}

/// Returns whether `/etc/passwd` has other users with this primary group, whom the group does not
/// list.
fn is_primary_of_others(group: Gid, owner: Uid) -> bool {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().any(|line| {
        let mut ids = line.split(':').skip(2).map(|id| id.parse::<u32>().ok());
        let (uid, gid) = (ids.next().flatten(), ids.next().flatten());
        gid == Some(group.as_raw()) && uid != Some(owner.as_raw())
    })
}
