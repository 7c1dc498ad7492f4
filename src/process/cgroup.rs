//! A control group of its own for each run, where we were given one to divide.
//!
//! The kernel takes no processes in a group whose children have controllers, so this process moves
//! into a leaf, `server`, beside which the runs get theirs, `run-ID`.

use super::procfs::{Procfs, cgroup_path, own_cgroup_directory};
use super::resource_limits::{Controller, ResourceLimits, SWAP};
use super::signal::Signal;
use super::syscall::{open_pidfd, retry};
use nix::unistd::Pid;
use rustix::process::pidfd_send_signal;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The leaf that this process lives in.
const SERVER: &str = "server";

/// What the group of a run is called, before the run's id.
const RUN: &str = "run-";

/// How often it is looked whether a killed group is empty. Only what a server before this one left
/// behind is waited for so, and nothing tells us of its end.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// What systemd marks a group with that it hands over, with the value `1`: for everybody to read
/// since version 250, and for the privileged before.
const DELEGATION_MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// What is there where systemd manages the machine (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";

/// A control group that is ours to divide.
#[derive(Debug)]
pub struct Cgroups {
    root: PathBuf,
    /// What can be limited in the groups below it.
    controllers: Vec<Controller>,
}

impl Cgroups {
    /// Takes the group that this process is in, if that is ours to divide: version 2, writable,
    /// nobody else's process in it, and handed over by systemd where that runs. Moves this process
    /// into a leaf of it, and ends what a server before this one left in it. Blocks for that,
    /// `within` at most. Called once, before anything is launched.
    ///
    /// # Errors
    /// Why there is none.
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

    /// Which of the wanted limits cannot be held, by its name and the controller that is missing.
    #[must_use]
    pub fn missing_for(&self, limits: &ResourceLimits) -> Option<(&'static str, &'static str)> {
        let wanted = limits.wanted().into_iter();
        let mut missing = wanted.filter(|controller| !self.controllers.contains(controller));
        missing.next().map(|controller| (controller.limit(), controller.as_str()))
    }

    /// A group for a run, which these limits hold for.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn make_for(&self, run_id: &str, limits: &ResourceLimits) -> io::Result<Arc<RunCgroup>> {
        let path = self.root.join(format!("{RUN}{run_id}"));
        make(&path)?;
        // From here on it is removed with what is given.
        let cgroup = RunCgroup { path };
        for (file, value) in limits.files() {
            match fs::write(cgroup.path.join(file), value) {
                Err(error) if file == SWAP && error.kind() == io::ErrorKind::NotFound => {}
                written => written?,
            }
        }
        Ok(Arc::new(cgroup))
    }

    /// Removes the groups of runs that nothing lives in.
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

/// The group of one run. It is removed when nobody holds it any more, if nothing lives in it.
#[derive(Debug)]
pub struct RunCgroup {
    path: PathBuf,
}

impl RunCgroup {
    /// Where a child writes `0` to be in it.
    pub(super) fn open_procs(&self) -> io::Result<OwnedFd> {
        Ok(File::create(self.path.join("cgroup.procs"))?.into())
    }

    /// Whether a process is in it, or in one that was made below it.
    pub(super) fn has(&self, number: i32) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        run_id_of(number).is_some_and(|id| name.strip_prefix(RUN) == Some(&id))
    }

    /// Sends SIGKILL to all that is in it, also to what is being forked meanwhile. Linux before
    /// 5.14 has no such order: then each process is found and sent one.
    pub(super) fn kill(&self) {
        kill(&self.path);
    }

    /// Whether the kernel has ended a process in it because it had used up its memory.
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

/// The id of the run whose group a process is in, if it is in one.
pub(super) fn run_id_of(number: i32) -> Option<String> {
    let path = cgroup_path(number)?;
    path.split('/').find_map(|name| name.strip_prefix(RUN)).map(str::to_owned)
}

/// Puts the calling process into the group whose procs this is. Async-signal-safe, for between fork
/// and exec.
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
        // The descriptor holds whatever has the number now: it is the one meant if that is still
        // in the group.
        if numbers(path).contains(&number) {
            // One that has ended meanwhile needs no signal.
            let _gone = pidfd_send_signal(&pidfd, Signal::KILL.raw());
        }
    }
}

/// Removes a group and those in it, as far as nothing lives there.
fn remove(path: &Path) {
    for inner in fs::read_dir(path).into_iter().flatten().flatten() {
        if inner.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&inner.path());
        }
    }
    // One that something lives in stays, and is ended at the next start.
    let _busy = fs::remove_dir(path);
}

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
    // Who is not root can write only where it was handed over.
    let is_handed_over = || !rustix::process::geteuid().is_root() || is_marked(&path);
    if Path::new(SYSTEMD).exists() && !is_handed_over() {
        return Err(NoCgroup::NotDelegated { path });
    }
    Ok(path)
}

/// Whether nothing lives in a group or below it; also where it is not there.
fn is_empty(path: &Path) -> bool {
    let events = fs::read_to_string(path.join("cgroup.events")).unwrap_or_default();
    !events.lines().any(|line| line == "populated 1")
}

/// The processes in a group, without those below it.
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
