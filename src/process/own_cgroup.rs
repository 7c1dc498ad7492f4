//! The control group that this process was started in, and whether it is ours to divide.

use super::procfs::Procfs;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What systemd marks a group with that it hands over, with the value `1`: for everybody to read
/// since version 250, and for the privileged before.
const DELEGATION_MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// What is there where systemd manages the machine (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";

/// Why there is no control group to divide.
#[derive(Debug, thiserror::Error)]
pub enum NoCgroup {
    /// The kernel, or whoever set this place up, shows none.
    #[error("no control groups of version 2 are mounted here")]
    NotMounted,
    /// Processes are told apart by other numbers than those of our system calls.
    #[error("/proc is that of another pid namespace")]
    ForeignProc,
    /// Other processes live in it, or another server does.
    #[error("other processes live in our control group {path} too: give the server its own")]
    Shared {
        /// Where it is mounted.
        path: PathBuf,
    },
    /// systemd manages it itself.
    #[error("systemd keeps our control group {path} to itself: give the unit Delegate=yes")]
    NotDelegated {
        /// Where it is mounted.
        path: PathBuf,
    },
    /// The kernel does not let us.
    #[error("our control group {path} cannot be divided ({source}): give the unit Delegate=yes")]
    NotWritable {
        /// Where it is mounted.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The directory of the group that this process is in, where it is ours to divide, as far as that
/// can be seen without a try.
pub(super) fn find_own() -> Result<PathBuf, NoCgroup> {
    let procfs = Procfs::look();
    if procfs.is_foreign() {
        return Err(NoCgroup::ForeignProc);
    }
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let path = directory_of(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    let path = path.filter(|path| path.is_dir()).ok_or(NoCgroup::NotMounted)?;
    if rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_err() {
        let source = io::ErrorKind::PermissionDenied.into();
        return Err(NoCgroup::NotWritable { path, source });
    }
    if numbers(&path).iter().any(|number| *number != procfs.own_number()) {
        return Err(NoCgroup::Shared { path });
    }
    // Who is not root can write only where it was handed over.
    let is_handed_over = || !rustix::process::geteuid().is_root() || is_marked(&path);
    if Path::new(SYSTEMD).exists() && !is_handed_over() {
        return Err(NoCgroup::NotDelegated { path });
    }
    Ok(path)
}

/// Whether nothing lives in a group or below it; also where it is not there.
pub(super) fn is_empty(path: &Path) -> bool {
    let events = fs::read_to_string(path.join("cgroup.events")).unwrap_or_default();
    !events.lines().any(|line| line == "populated 1")
}

/// The processes in a group, without those below it.
pub(super) fn numbers(path: &Path) -> Vec<i32> {
    let list = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}

fn is_marked(path: &Path) -> bool {
    let is_one = |mark: &str| {
        let mut value = [0; 8];
        let read = rustix::fs::getxattr(path, mark, &mut value);
        read.is_ok_and(|length| value[..length] == *b"1")
    };
    DELEGATION_MARKS.into_iter().any(is_one)
}

/// Where the group of a process is mounted, by what its `cgroup` and its `mountinfo` say.
fn directory_of(cgroup: &str, mounts: &str) -> Option<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        let is_it = kind.split(' ').next() == Some("cgroup2");
        let below = Path::new(own).strip_prefix(root).ok()?;
        is_it.then(|| Path::new(mount).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_below_where_version_2_is_mounted() {
        let mounts = "30 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            31 1 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let of = |cgroup: &str| directory_of(cgroup, mounts);
        let service = "4:memory:/x\n0::/system.slice/llm-shell.service\n";
        let expected = PathBuf::from("/sys/fs/cgroup/system.slice/llm-shell.service");
        assert_eq!(of(service), Some(expected));
        assert_eq!(of("0::/\n"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(of("4:memory:/x\n"), None);
    }

    #[test]
    fn a_part_that_is_mounted_has_the_groups_of_that_part() {
        let mounts = "31 1 0:27 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let of = |cgroup: &str| directory_of(cgroup, mounts);
        assert_eq!(of("0::/docker/x/y\n"), Some("/sys/fs/cgroup/y".into()));
        assert_eq!(of("0::/elsewhere\n"), None);
    }
}
