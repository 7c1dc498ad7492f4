//! A control group of its own for each run, where we were given one to divide.
//!
//! The kernel takes no processes in a group whose children have controllers, so this process moves
//! into a leaf, `server`, beside which the runs get theirs, `run-ID`.

use super::leader::{open_pidfd, retry};
use super::own_cgroup::{NoCgroup, find_own, is_empty, numbers};
use super::resource_limits::{Controller, ResourceLimits, SWAP};
use super::signal::Signal;
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
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

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
        let is_offered = |it: &Controller| offered.split_whitespace().any(|name| name == it.word());
        let take = |it: &Controller| {
            let wanted = format!("+{}", it.word());
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
        missing.next().map(|controller| (controller.limit(), controller.word()))
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
            thread::sleep(LOOK_INTERVAL);
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
    pub(super) fn door(&self) -> io::Result<OwnedFd> {
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
    let groups = fs::read_to_string(format!("/proc/{number}/cgroup")).ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    path.split('/').find_map(|name| name.strip_prefix(RUN)).map(str::to_owned)
}

/// Puts the calling process into the group whose door this is. Async-signal-safe, for between fork
/// and exec.
pub(super) fn enter(door: &OwnedFd) -> io::Result<()> {
    let written: Result<usize, rustix::io::Errno> = retry(|| rustix::io::write(door, b"0"));
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
