//! /proc/PID/cgroup and /proc/PID/mountinfo: the control group of a process, and where it is
//! mounted.
//!
//! `cgroup` has a line `HIERARCHY:CONTROLLERS:PATH` for each hierarchy; that of version 2 begins
//! with `0::`. `mountinfo` has a line for each mount: of the fields before ` - ` the fourth is the
//! part of the file system that is mounted and the fifth where; behind it is the file system type.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the path of a process's control group in the hierarchy of version 2.
pub(in super::super) fn cgroup_path(number: i32) -> Option<String> {
    unified_path(&fs::read_to_string(format!("/proc/{number}/cgroup")).ok()?)
}

/// Returns the directory of this process's own control group, if one of version 2 is mounted.
pub(in super::super) fn own_cgroup_directory() -> Option<PathBuf> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    directory_of(&unified_path(&cgroup)?, &mounts)
}

fn unified_path(cgroup: &str) -> Option<String> {
    cgroup.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

fn directory_of(group: &str, mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, mount_point) = (fields.next()?, fields.next()?);
        let is_version_2 = kind.split(' ').next() == Some("cgroup2");
        let below = Path::new(group).strip_prefix(root).ok()?;
        is_version_2.then(|| Path::new(mount_point).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroups_are_found_below_the_mount_of_version_2() {
        let mounts = "30 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            31 1 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let of = |cgroup: &str| directory_of(&unified_path(cgroup)?, mounts);
        let service = "4:memory:/x\n0::/system.slice/llm-shell.service\n";
        let expected = PathBuf::from("/sys/fs/cgroup/system.slice/llm-shell.service");
        assert_eq!(of(service), Some(expected));
        assert_eq!(of("0::/\n"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(of("4:memory:/x\n"), None);
    }

    #[test]
    fn partial_mounts_contain_the_groups_below_their_root() {
        let mounts = "31 1 0:27 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let of = |cgroup: &str| directory_of(&unified_path(cgroup)?, mounts);
        assert_eq!(of("0::/docker/x/y\n"), Some("/sys/fs/cgroup/y".into()));
        assert_eq!(of("0::/elsewhere\n"), None);
    }
}
