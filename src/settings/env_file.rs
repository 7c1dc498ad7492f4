//! The file that settings may stand in: `.env` in the working directory, or one that is named.

use super::load::SettingFault;
use super::table::{ENVIRONMENT_PREFIX, may_stand_in_dotenv};
use crate::env_file::{self, Variable};
use nix::unistd::{Gid, Group, Uid, User};
use rustix::fs::{FileType, Mode, OFlags, Stat, fgetxattr, fstat, lstat, open};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// What is logged; the one variable that is no setting and is taken as well.
pub const RUST_LOG: &str = "RUST_LOG";

/// The file's name in the working directory.
const DOTENV: &str = ".env";

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Settings from a file.
#[derive(Clone, Debug, Default)]
pub struct EnvFile {
    /// The file, as messages call it.
    pub(super) name: String,
    /// The variables that are taken.
    pub(super) variables: Vec<Variable>,
    /// The names of settings that are not taken from such a file.
    pub(super) ignored: Vec<String>,
}

impl EnvFile {
    /// Reads `.env` in the working directory, where there is one. Of what stands there only
    /// settings of ours count, and none that chooses what is run or who may ask: a command of ours
    /// can write that file.
    ///
    /// # Errors
    /// Where the file is somebody else's, can be written by others, cannot be read, or has a line
    /// of ours that is no `NAME=value`.
    pub fn in_working_directory() -> Result<Option<Self>, SettingFault> {
        let Some(content) = read(Path::new(DOTENV))? else { return Ok(None) };
        let file = Self::parse(DOTENV, &content)?;
        let is_taken = |it: &Variable| it.name == RUST_LOG || may_stand_in_dotenv(&it.name);
        let (variables, ignored): (Vec<_>, Vec<_>) = file.variables.into_iter().partition(is_taken);
        let ignored = ignored.into_iter().map(|it| it.name).collect();
        Ok(Some(Self { variables, ignored, ..file }))
    }

    /// Reads a file that was named. Only settings of ours count.
    ///
    /// # Errors
    /// As [`Self::in_working_directory`], and where there is no such file.
    pub fn named(path: &Path) -> Result<Self, SettingFault> {
        let name = path.display().to_string();
        let Some(content) = read(path)? else {
            return Err(fault(&name, "no such file"));
        };
        Self::parse(&name, &content)
    }

    /// What the lines of ours in such a file say.
    ///
    /// # Errors
    /// The first that is no `NAME=value`, by its number.
    pub(super) fn parse(name: &str, content: &[u8]) -> Result<Self, SettingFault> {
        let is_ours = |name: &str| name.starts_with(ENVIRONMENT_PREFIX) || name == RUST_LOG;
        let variables = env_file::parse(content, is_ours);
        let variables = variables.map_err(|error| fault(name, &error.to_string()))?;
        Ok(Self { name: name.to_owned(), variables, ignored: Vec::new() })
    }

    /// The file, as messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a variable.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        // Of two lines the last counts, as in a shell.
        let mut found = self.variables.iter().rev().filter(|it| it.name == name);
        found.next().map(|it| it.value.as_str())
    }
}

fn fault(name: &str, why: &str) -> SettingFault {
    SettingFault::EnvFile { name: name.to_owned(), why: why.to_owned() }
}

/// What a file holds; `None` where there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, SettingFault> {
    let refused = |why: &str| fault(&path.display().to_string(), why);
    let link = match lstat(path) {
        Err(Errno::NOENT) => return Ok(None),
        found => found.map_err(|error| refused(&error.to_string()))?,
    };
    // Whoever made a link has chosen what is read.
    check_owner(&link).map_err(refused)?;
    // Not to wait where somebody has put a FIFO in its place.
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

/// Whether a file has an access control list (`acl(5)`): its group bits then stand for anybody whom
/// that names.
fn has_access_list(file: &OwnedFd) -> bool {
    fgetxattr(file, "system.posix_acl_access", &mut [0; 0]).is_ok_and(|length| length > 0)
}

/// Whether other users can write a file, or own it. False where there is none.
#[must_use]
pub fn is_writable_by_others(path: &Path) -> bool {
    let Ok(file) = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else { return false };
    fstat(&file).is_ok_and(|status| check_writers(&status, false).is_err())
}

/// Refuses what is no file, or may have been written by others.
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

/// Whether a group is a user's own, as distributions make one for each user. Root's is not:
/// services and containers run with it.
fn is_private(group: Gid, owner: Uid) -> bool {
    if owner.is_root() || is_primary_of_others(group, owner) {
        return false;
    }
    let (Ok(Some(user)), Ok(Some(found))) = (User::from_uid(owner), Group::from_gid(group)) else {
        return false;
    };
    user.gid == group && user.name == found.name && found.mem.iter().all(|it| *it == user.name)
}

/// Whether `/etc/passwd` has other users of this primary group, whom the group does not list.
fn is_primary_of_others(group: Gid, owner: Uid) -> bool {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().any(|line| {
        let mut ids = line.split(':').skip(2).map(|id| id.parse::<u32>().ok());
        let (uid, gid) = (ids.next().flatten(), ids.next().flatten());
        gid == Some(group.as_raw()) && uid != Some(owner.as_raw())
    })
}
