//! A control group for a server, as systemd delegates one with `Delegate=yes`.

use crate::harness::{binary, eventually};
use nix::libc;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A control group (version 2), removed on drop with its children.
pub struct Group(PathBuf);

impl Group {
    /// Creates a group; prints a message and returns `None` if that is not possible.
    pub fn make() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
        let root = mount.and_then(|line| line.split(' ').nth(4)).unwrap_or("/none");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("llm-shell-test-{}-{number}", std::process::id());
        let path = Path::new(root).join(name);
        if let Err(error) = fs::create_dir(&path) {
            eprintln!("no control group can be made here ({error}): not tested");
            return None;
        }
        Some(Self(path))
    }

    /// Returns the program under test, to be started in the group.
    pub fn binary(&self) -> Command {
        let mut command = binary();
        let procs = fs::File::create(self.0.join("cgroup.procs")).expect("cgroup.procs");
        // SAFETY: write(2) is async-signal-safe; the descriptor lives as long as the closure.
        unsafe {
            command.pre_exec(move || {
                let written = libc::write(procs.as_raw_fd(), b"0".as_ptr().cast(), 1);
                if written == 1 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            })
        };
        command
    }

    /// Returns the names of its child groups, sorted.
    pub fn inner(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the group is there").flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut names: Vec<_> =
            folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Returns the processes of a child group.
    pub fn pids(&self, inner: &str) -> Vec<u32> {
        let list = fs::read_to_string(self.0.join(inner).join("cgroup.procs")).unwrap_or_default();
        list.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Writes to a file of the group.
    pub fn write(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).expect("the group is ours");
    }

    /// Reads a file of a child group.
    pub fn read(&self, inner: &str, file: &str) -> String {
        fs::read_to_string(self.0.join(inner).join(file)).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Leftovers of a failed test are killed with the group.
            let _old_kernel = fs::write(self.0.join("cgroup.kill"), "1");
        }
        eventually("the group can be removed", || {
            for name in self.inner() {
                let _not_yet = fs::remove_dir(self.0.join(name));
            }
            fs::remove_dir(&self.0).ok()
        });
    }
}
