//! A control group for each run, if the server was given one to divide.
//!
//! The kernel does not allow processes in a group whose children have controllers, so this process
//! moves into a leaf, `server`, and each run gets a sibling of it, `run-ID`.

use super::pidfd::open_pidfd;
use super::procfs::{Procfs, cgroup_path, own_cgroup_directory};
use super::resource_limits::{Controller, ResourceLimits, SWAP};
use super::signal::Signal;
use crate::syscall::retry;
use nix::unistd::Pid;
use rustix::process::pidfd_send_signal;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Name of the leaf for this process.
const SERVER: &str = "server";

/// Prefix of the name of a run's group, before the run's id.
const RUN: &str = "run-";

/// Interval at which killed groups are checked for being empty. Only processes that an earlier
/// server left behind are awaited like this, and no event announces their end.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Extended attributes, with the value `1`, by which systemd marks a group as delegated: readable
/// for everybody since version 250, and for the privileged before.
const DELEGATION_MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// Directory that exists if systemd manages the machine (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";

/// A control group that the server may divide.
#[derive(Debug)]
pub struct Cgroups {
    root: PathBuf,
    /// The controllers that are enabled for the groups below it.
    controllers: Vec<Controller>,
}

impl Cgroups {
    /// Adopts the group that this process is in, if it may be divided: version 2, writable, without
    /// processes of others, and delegated by systemd if that runs. Moves this process into a leaf
    /// of it and kills what an earlier server left in it, for which it blocks for `within` at most.
    /// Called once, before anything is launched.
    ///
    /// # Errors
    /// Why the group cannot be divided.
    pub fn adopt(within: Duration) -> Result<Self, NoCgroup> {
        let root = find_own()?;
        let server = root.join(SERVER);
        if !is_empty(&server) {
            return Err(NoCgroup::Shared { path: root });
        }
        let refused = |source| NoCgroup::NotWritable { path: root.clone(), source };
        make(&server).map_err(refused)?;
        fs::write(server.join("cgroup.procs"), "0").map_err(|source| {
            remove(&server);
            refused(source)
        })?;
        let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        let is_offered =
            |it: &Controller| offered.split_whitespace().any(|name| name == it.as_str());
        let take = |it: &Controller| {
            let wanted = format!("+{}", it.as_str());
            fs::write(root.join("cgroup.subtree_control"), wanted).is_ok()
        };
        let controllers = Controller::ALL.into_iter().filter(is_offered).filter(take).collect();
        let cgroups = Self { root, controllers };
        cgroups.end_strays(within);
        Ok(cgroups)
    }

    /// Returns the first requested limit that cannot be enforced, by its name and the missing
    /// controller.
    #[must_use]
    pub fn missing_for(&self, limits: &ResourceLimits) -> Option<(&'static str, &'static str)> {
        let wanted = limits.wanted().into_iter();
        let mut missing = wanted.filter(|controller| !self.controllers.contains(controller));
        missing.next().map(|controller| (controller.limit(), controller.as_str()))
    }

    /// Creates a group with these limits for a run.
    ///
    /// # Errors
    /// The error of the kernel.
    pub fn make_for(&self, run_id: &str, limits: &ResourceLimits) -> io::Result<Arc<RunCgroup>> {
        let path = self.root.join(format!("{RUN}{run_id}"));
        make(&path)?;
        // From here on it is removed when the value is dropped.
        let cgroup = RunCgroup { path };
        for (file, value) in limits.files() {
            match fs::write(cgroup.path.join(file), value) {
                Err(error) if file == SWAP && error.kind() == io::ErrorKind::NotFound => {}
                written => written?,
            }
        }
        Ok(Arc::new(cgroup))
    }

    /// Removes the groups of runs that have no processes.
    pub fn remove_empty(&self) {
        self.runs().iter().for_each(|run| remove(run));
    }

    fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let is_run = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(RUN);
        entries.filter(is_run).map(|entry| entry.path()).collect()
    }

    fn end_strays(&self, within: Duration) {
        let (runs, deadline) = (self.runs(), Instant::now() + within);
        let strays: Vec<&PathBuf> = runs.iter().filter(|run| !is_empty(run)).collect();
        for run in &strays {
            kill(run);
        }
        while strays.iter().any(|run| !is_empty(run)) && Instant::now() < deadline {
            thread::sleep(CHECK_INTERVAL);
        }
        self.remove_empty();
        if !strays.is_empty() {
            log::warn!("ended {} control groups of old runs", strays.len());
        }
    }
}

/// The group of one run. When it is dropped, the group is removed if it has no processes.
#[derive(Debug)]
pub struct RunCgroup {
    path: PathBuf,
}

impl RunCgroup {
    /// Opens the file into which a child writes `0` to enter the group.
    pub(super) fn open_procs(&self) -> io::Result<OwnedFd> {
        Ok(File::create(self.path.join("cgroup.procs"))?.into())
    }

    /// Whether a process is in the group or in one below it.
    pub(super) fn has(&self, number: i32) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        run_id_of(number).is_some_and(|id| name.strip_prefix(RUN) == Some(&id))
    }

    /// Sends SIGKILL to all processes in the group, those that are being forked meanwhile included.
    /// Linux before 5.14 cannot do that: then each process is found and signalled.
    pub(super) fn kill(&self) {
        kill(&self.path);
    }

    /// Whether the kernel has killed a process in the group because its memory was used up.
    #[must_use]
    pub fn has_run_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for RunCgroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Returns the id of the run whose group a process is in, if it is in one.
pub(super) fn run_id_of(number: i32) -> Option<String> {
    let path = cgroup_path(number)?;
    path.split('/').find_map(|name| name.strip_prefix(RUN)).map(str::to_owned)
}

/// Moves the calling process into the group whose `cgroup.procs` this is. Async-signal-safe, for
/// between fork and exec.
pub(super) fn enter(procs: &OwnedFd) -> io::Result<()> {
    let written: Result<usize, rustix::io::Errno> = retry(|| rustix::io::write(procs, b"0"));
    Ok(written.map(drop)?)
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn kill(path: &Path) {
    if fs::write(path.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for number in numbers(path) {
        let Ok(pidfd) = open_pidfd(Pid::from_raw(number)) else { continue };
        // The descriptor holds whatever process has the pid now: the right one, if that is still in
        // the group.
        if numbers(path).contains(&number) {
            // It fails only if the process has ended meanwhile.
            let _gone = pidfd_send_signal(&pidfd, Signal::KILL.raw());
        }
    }
}

/// Removes a group and those below it, as far as they have no processes.
fn remove(path: &Path) {
    for inner in fs::read_dir(path).into_iter().flatten().flatten() {
        if inner.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&inner.path());
        }
    }
    // A group that has processes stays until the next start of the server.
    let _busy = fs::remove_dir(path);
}

/// The reason why there is no control group to divide.
#[derive(Debug, thiserror::Error)]
pub enum NoCgroup {
    /// No hierarchy of version 2 is mounted.
    #[error("no control groups of version 2 are mounted")]
    NotMounted,
    /// The pids in /proc are not those of our system calls.
    #[error("/proc belongs to another pid namespace")]
    ForeignProc,
    /// Other processes, or another server, are in it too.
    #[error(
        "our control group {path} also contains other processes: give the server a control \
         group of its own"
    )]
    Shared {
        /// Directory of the group.
        path: PathBuf,
    },
    /// systemd manages the group itself.
    #[error("systemd does not delegate our control group {path}: set Delegate=yes in the unit")]
    NotDelegated {
        /// Directory of the group.
        path: PathBuf,
    },
    /// The kernel does not permit it.
    #[error("cannot create control groups below {path} ({source}): set Delegate=yes in the unit")]
    NotWritable {
        /// Directory of the group.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
}

/// Returns the directory of the group that this process is in, if it may be divided, as far as that
/// can be checked without trying.
fn find_own() -> Result<PathBuf, NoCgroup> {
    let procfs = Procfs::detect();
    if procfs.is_foreign() {
        return Err(NoCgroup::ForeignProc);
    }
    let path = own_cgroup_directory();
    let path = path.filter(|path| path.is_dir()).ok_or(NoCgroup::NotMounted)?;
    if rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_err() {
        let source = io::ErrorKind::PermissionDenied.into();
        return Err(NoCgroup::NotWritable { path, source });
    }
    if numbers(&path).iter().any(|number| *number != procfs.own_number()) {
        return Err(NoCgroup::Shared { path });
    }
    // Without root, a writable group was delegated.
    let is_handed_over = || !rustix::process::geteuid().is_root() || is_marked(&path);
    if Path::new(SYSTEMD).exists() && !is_handed_over() {
        return Err(NoCgroup::NotDelegated { path });
    }
    Ok(path)
}

/// Whether a group and those below it have no processes, or the group does not exist.
fn is_empty(path: &Path) -> bool {
    let events = fs::read_to_string(path.join("cgroup.events")).unwrap_or_default();
    !events.lines().any(|line| line == "populated 1")
}

/// Returns the pids in a group, without those in groups below it.
fn numbers(path: &Path) -> Vec<i32> {
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
