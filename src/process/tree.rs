//! The tree of a run: its processes found, signalled, and known to be gone.

use super::cgroup::{RunCgroup, run_id_of};
use super::leader::Leader;
use super::mark::{Mark, Marks};
use super::pidfd::open_pidfd;
use super::procfs::{ProcessInfo, Procfs, is_ending};
use super::reaper::Reaper;
use super::siblings::{Launching, Siblings};
use super::signal::Signal;
use nix::errno::Errno;
use nix::libc;
use rustix::process::pidfd_send_signal;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Maximum number of passes of one signal over members that it has not reached yet. A second pass
/// finds what was forked during the first; a tree that outruns eight is left to the SIGKILL that
/// follows.
const PASSES_MAX: usize = 8;

/// Reason for not listing what is left of a tree.
const UNSEEN: &str = "/proc cannot be read, so its other processes are unknown";

/// Reason why the status of a leader that has ended is unknown.
const HELD: &str = "it has ended, but a debugger (strace, gdb) still holds its exit status";

/// Whose our orphans without a sign of their run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanPolicy {
    /// Of our runs: nobody else could have started them.
    Belong,
    /// Unknown: we inherit orphans of programs that we never started.
    AreForeign,
}

impl OrphanPolicy {
    /// Returns the policy of a server at its start. As PID 1 it inherits the orphans of programs
    /// that others started in its namespace; and if it has children before it started any, a
    /// program that ran before it in this process started them (`sh -c 'something & exec
    /// llm-shell'`). Else every orphan is of a run.
    #[must_use]
    pub fn detect() -> Self {
        let is_init = std::process::id() == 1;
        let has_children = Procfs::detect().orphans().is_none_or(|orphans| !orphans.is_empty());
        if is_init || has_children { Self::AreForeign } else { Self::Belong }
    }
}

/// A process that a kill could not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its pid.
    pub pid: i32,
    /// Why it is still there, for people.
    pub why: &'static str,
}

/// The processes of one run: its leader, the leader's descendants, and its orphans.
#[derive(Clone, Debug)]
pub struct Tree(Arc<TreeState>);

#[derive(Debug)]
pub(super) struct TreeState {
    leader: Arc<Leader>,
    /// The mark of all processes of the run.
    mark: Mark,
    orphans: Orphans,
    /// Whether another run has replaced it: orphans are no longer its own.
    is_sealed: AtomicBool,
    /// Whether no process of it was found once: then none ever lives again.
    was_gone: AtomicBool,
    /// The control group of all its processes, if it has one.
    cgroup: Option<Arc<RunCgroup>>,
}

/// The orphans that belong to a run.
#[derive(Clone, Debug)]
pub enum Orphans {
    /// Those that carry a sign of it; and those without any, if no other run could have started
    /// them.
    Strays(Arc<Siblings>),
    /// Only those with its mark, in its control group, or in its session.
    Attributed,
}

impl Orphans {
    /// Announces a run with this id that is about to be launched.
    #[must_use]
    pub fn launching(&self, id: &str) -> Option<Launching> {
        match self {
            Self::Strays(siblings) => Some(siblings.launching(id)),
            Self::Attributed => None,
        }
    }
}

impl Tree {
    /// Creates the tree of a run that was launched with this id as the last of its marks, in this
    /// control group.
    #[must_use]
    pub fn new(
        leader: Arc<Leader>,
        id: &str,
        orphans: Orphans,
        cgroup: Option<Arc<RunCgroup>>,
    ) -> Self {
        let (is_sealed, was_gone) = (AtomicBool::new(false), AtomicBool::new(false));
        let mark = Mark::of(id);
        let state = Arc::new(TreeState { leader, mark, orphans, is_sealed, was_gone, cgroup });
        if let Orphans::Strays(siblings) = &state.orphans {
            siblings.add(&state);
        }
        Self(state)
    }

    pub(super) fn of(state: Arc<TreeState>) -> Self {
        Self(state)
    }

    /// Whether both are the tree of the same run.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether its leader lives.
    pub(super) fn is_running(&self) -> bool {
        !self.0.leader.has_ended()
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.0.is_sealed.load(Ordering::SeqCst)
    }

    pub(super) fn was_gone(&self) -> bool {
        self.0.was_gone.load(Ordering::SeqCst)
    }

    /// Whether the kernel has killed one of its processes because its memory was used up.
    #[must_use]
    pub fn has_run_out_of_memory(&self) -> bool {
        self.0.cgroup.as_ref().is_some_and(|cgroup| cgroup.has_run_out_of_memory())
    }

    /// Marks it as about to be replaced by another run: later orphans are not its own.
    pub fn seal(&self) {
        self.0.is_sealed.store(true, Ordering::SeqCst);
    }

    /// Marks it as not replaced after all.
    pub fn unseal(&self) {
        self.0.is_sealed.store(false, Ordering::SeqCst);
    }

    /// Whether none of its processes lives. Exact: a living process of the tree descends from the
    /// leader or from an orphan, and an orphan is our child before its parent's death is reported.
    /// If /proc shows nothing this returns false, because nobody can know.
    #[must_use]
    pub fn is_gone(&self, reaper: &Reaper) -> bool {
        if self.was_gone() {
            return true;
        }
        // Loaded first: a tree that is sealed meanwhile has orphans that nobody checked.
        let is_sealed = self.is_sealed();
        let is_gone = self.0.leader.has_ended()
            && self.orphans(reaper).is_some_and(|orphans| orphans.is_empty());
        if is_gone && !is_sealed && !self.is_sealed() {
            self.0.was_gone.store(true, Ordering::SeqCst);
        }
        is_gone
    }

    /// Whether /proc shows nothing, so that only the leader can be reached.
    fn is_invisible(&self, reaper: &Reaper) -> bool {
        !self.is_sealed() && reaper.procfs().orphans().is_none()
    }

    /// Returns the pids of all living processes, parents before children. One that is forked
    /// meanwhile may be missing.
    #[must_use]
    pub fn pids(&self, reaper: &Reaper) -> Vec<i32> {
        self.members(reaper).iter().map(|member| member.pid.as_raw()).collect()
    }

    /// Returns the session of the leader, as a number under /proc, unless that was reused.
    pub(super) fn session(&self, procfs: Procfs) -> Option<i32> {
        let session = self.0.leader.info()?.number;
        self.0.leader.has_session(session, procfs).then_some(session)
    }

    /// Returns the mark of its processes.
    pub(super) fn mark(&self) -> &Mark {
        &self.0.mark
    }

    /// Returns the pid of its leader.
    pub(super) fn leader_pid(&self) -> i32 {
        self.0.leader.pid()
    }

    /// Returns the number of its leader under /proc, which differs from the pid if /proc belongs to
    /// another namespace; `None` once the leader has ended.
    pub(super) fn leader_number(&self) -> Option<i32> {
        self.0.leader.info().filter(|_| !self.0.leader.has_ended()).map(|process| process.number)
    }

    /// Sends a signal to the leader alone. Does not wait for the effect.
    ///
    /// # Errors
    /// The error of the kernel.
    pub fn signal_leader(&self, signal: Signal) -> io::Result<()> {
        self.0.leader.signal(signal)
    }

    /// Sends a signal once to every process of the tree, parents first: a shell whose child ends
    /// before it would continue with its next line. Does not wait for the effect.
    pub fn signal(&self, reaper: &Reaper, signal: Signal) {
        if self.is_invisible(reaper) {
            return self.signal_leader_alone(signal);
        }
        self.for_each_member(reaper, |member| {
            // A process that refuses a signal is found by `left_behind`, when it matters.
            let _refused = send_signal(reaper.procfs(), member, signal);
        });
    }

    /// Sends every process of the tree a signal that asks it to end, and SIGCONT to those that are
    /// stopped, so that they can act on it.
    pub fn terminate(&self, reaper: &Reaper, signal: Signal) {
        if self.is_invisible(reaper) {
            return self.signal_leader_alone(signal);
        }
        self.for_each_member(reaper, |member| {
            let _refused = send_signal(reaper.procfs(), member, signal);
            if member.state == 'T' {
                let _refused = send_signal(reaper.procfs(), member, Signal::CONTINUE);
            }
        });
    }

    /// Sends SIGKILL to all that is left and returns it with the reasons, as far as they can be
    /// known.
    #[must_use]
    pub fn left_behind(&self, reaper: &Reaper) -> Vec<LeftBehind> {
        if let Some(cgroup) = &self.0.cgroup {
            cgroup.kill();
        }
        if self.is_invisible(reaper) {
            self.signal_leader_alone(Signal::KILL);
            return vec![LeftBehind { pid: self.0.leader.pid(), why: UNSEEN }];
        }
        let explain = |member: ProcessInfo| {
            let sent = send_signal(reaper.procfs(), member, Signal::KILL);
            LeftBehind { pid: member.pid.as_raw(), why: reason(member, sent) }
        };
        self.members(reaper).into_iter().map(explain).collect()
    }

    /// Returns the leader as held by a debugger, for one that has ended without a known status.
    #[must_use]
    pub fn held_by_debugger(&self) -> LeftBehind {
        LeftBehind { pid: self.0.leader.pid(), why: HELD }
    }

    /// Sends a signal to the leader by its pidfd: the only process that can be reached if /proc
    /// shows nothing.
    fn signal_leader_alone(&self, signal: Signal) {
        // It fails only if the leader has ended.
        let _ended = self.0.leader.signal(signal);
    }

    /// Calls `act` once for every process of the tree, parents first.
    fn for_each_member(&self, reaper: &Reaper, act: impl Fn(ProcessInfo)) {
        let mut reached = BTreeSet::new();
        for _ in 0..PASSES_MAX {
            let members = self.members(reaper).into_iter();
            let new: Vec<_> =
                members.filter(|m| reached.insert((m.pid.as_raw(), m.start_ticks))).collect();
            if new.is_empty() {
                return;
            }
            new.into_iter().for_each(&act);
        }
    }

    pub(super) fn members(&self, reaper: &Reaper) -> Vec<ProcessInfo> {
        let procfs = reaper.procfs();
        let leader = self.0.leader.info().filter(|_| !self.0.leader.has_ended());
        let orphans = self.orphans(reaper).unwrap_or_default();
        let mut members: Vec<ProcessInfo> = leader.into_iter().chain(orphans).collect();
        let mut next = 0;
        while let Some(parent) = members.get(next).copied() {
            members.extend(living_children(procfs, parent));
            next += 1;
        }
        // The leader was read at its launch; its state may have changed since.
        members.iter().filter_map(|m| recheck(procfs, *m)).filter(|m| m.state != 'Z').collect()
    }

    /// Returns its living orphans; `None` if /proc shows nothing.
    fn orphans(&self, reaper: &Reaper) -> Option<Vec<ProcessInfo>> {
        if self.is_sealed() {
            return Some(Vec::new());
        }
        let orphans = reaper.living_orphans()?.into_iter().filter(|orphan| orphan.state != 'Z');
        let procfs = reaper.procfs();
        match &self.0.orphans {
            Orphans::Attributed => Some(orphans.filter(|it| self.has(*it, procfs)).collect()),
            Orphans::Strays(siblings) => {
                let others = siblings.others(self);
                if others.is_empty() {
                    return Some(orphans.collect());
                }
                let is_own = |it: &ProcessInfo| self.has(*it, procfs) || others.leave(*it, procfs);
                Some(orphans.filter(is_own).collect())
            }
        }
    }

    /// Whether an orphan carries a sign of this tree. One that is ending shows no environment: it
    /// counts as long as it is there, because its children are not ours before it is gone.
    fn has(&self, orphan: ProcessInfo, procfs: Procfs) -> bool {
        self.owns(orphan, &Marks::read(orphan.number), procfs) || is_ending(orphan.number)
    }

    /// Whether an orphan with these marks belongs to this tree. A session counts only without a
    /// mark, since its number may have been reused.
    pub(super) fn owns(&self, orphan: ProcessInfo, marks: &Marks, procfs: Procfs) -> bool {
        marks.has(&self.0.mark)
            || self.0.cgroup.as_ref().is_some_and(|cgroup| cgroup.has(orphan.number))
            || (marks.is_empty() && self.0.leader.has_session(orphan.session, procfs))
    }
}

/// Returns the children of a process, if that is still the one that was read.
pub(super) fn living_children(procfs: Procfs, parent: ProcessInfo) -> Vec<ProcessInfo> {
    let children = Procfs::children(parent.number);
    let children: Vec<_> = children.into_iter().filter_map(|n| procfs.read(n)).collect();
    // Checked after the list was read: had the pid been reused in between, these would be the
    // children of another process.
    if recheck(procfs, parent).is_some() { children } else { Vec::new() }
}

/// Returns the present entry of a process, if its pid was not reused.
pub(super) fn recheck(procfs: Procfs, member: ProcessInfo) -> Option<ProcessInfo> {
    procfs.read(member.number).filter(|now| now.start_ticks == member.start_ticks)
}

/// Sends a signal to exactly the process that was read.
pub(super) fn send_signal(procfs: Procfs, member: ProcessInfo, signal: Signal) -> io::Result<()> {
    let pidfd = open_pidfd(member.pid)?;
    // The descriptor holds whatever process has the pid now: the right one, if that started when
    // the member did. From here on the pid does not matter.
    if recheck(procfs, member).is_none() {
        return Err(Errno::ESRCH.into());
    }
    Ok(pidfd_send_signal(&pidfd, signal.raw())?)
}

pub(super) fn reason(member: ProcessInfo, sent: io::Result<()>) -> &'static str {
    match sent {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            "the kernel does not let us signal it: it runs as another user (a setuid program)"
        }
        _ if member.state == 'D' => "it is in an uninterruptible wait inside the kernel",
        _ => "SIGKILL was sent and it has not ended yet",
    }
}

/// Returns the living processes of each of these trees, by one scan of /proc. One that is forked
/// meanwhile may be missing.
pub(super) fn group_by_tree(trees: &[Tree], reaper: &Reaper) -> Vec<Vec<ProcessInfo>> {
    let procfs = reaper.procfs();
    let all = procfs.all();
    let by_number: HashMap<i32, &ProcessInfo> =
        all.iter().map(|process| (process.number, process)).collect();
    let leaders =
        trees.iter().enumerate().filter_map(|(tree, it)| Some((it.leader_number()?, tree)));
    let leaders: HashMap<i32, usize> = leaders.collect();
    let mut members = vec![Vec::new(); trees.len()];
    let own = procfs.own_number();
    let owners_of = Owners::of(trees, procfs);
    // The owner of an orphan is determined once, however many descend from it.
    let mut owners: HashMap<i32, Option<usize>> = HashMap::new();
    for process in all.iter().filter(|process| process.state != 'Z') {
        let mut eldest = process;
        while !leaders.contains_key(&eldest.number) && eldest.parent != own {
            let Some(parent) = by_number.get(&eldest.parent) else { break };
            eldest = parent;
        }
        let owner = owners.entry(eldest.number).or_insert_with(|| {
            let led = leaders.get(&eldest.number).copied();
            led.or_else(|| if eldest.parent == own { owners_of.find(*eldest) } else { None })
        });
        if let Some(owner) = *owner {
            members[owner].push(*process);
        }
    }
    members
}

/// What attributes an orphan to a tree.
struct Owners<'a> {
    sessions: HashMap<i32, usize>,
    ids: HashMap<&'a str, usize>,
    limits: HashMap<u64, usize>,
}

impl<'a> Owners<'a> {
    fn of(trees: &'a [Tree], procfs: Procfs) -> Self {
        let each = || trees.iter().enumerate();
        Self {
            sessions: each().filter_map(|(i, tree)| Some((tree.session(procfs)?, i))).collect(),
            ids: each().map(|(index, tree)| (tree.mark().id(), index)).collect(),
            limits: each().map(|(index, tree)| (tree.mark().limit(), index)).collect(),
        }
    }

    fn find(&self, orphan: ProcessInfo) -> Option<usize> {
        let marks = Marks::read(orphan.number);
        let by_limit = marks.limit().and_then(|limit| self.limits.get(&limit));
        let by_id = || marks.ids().rev().find_map(|id| self.ids.get(id));
        by_limit.or_else(by_id).copied().or_else(|| {
            let grouped = run_id_of(orphan.number);
            let by_group = grouped.and_then(|id| self.ids.get(id.as_str()).copied());
            let by_session = || self.sessions.get(&orphan.session).copied();
            by_group.or_else(|| if marks.is_empty() { by_session() } else { None })
        })
    }
}
