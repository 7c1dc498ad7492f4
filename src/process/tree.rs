//! Everything that a run started: found, signalled, and known to be gone.

use super::cgroup::{RunCgroup, run_id_of};
use super::leader::Leader;
use super::mark::{Mark, Marks};
use super::procfs::{ProcessInfo, Procfs, is_ending};
use super::reaper::Reaper;
use super::signal::Signal;
use super::syscall::open_pidfd;
use nix::errno::Errno;
use nix::libc;
use rustix::process::pidfd_send_signal;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often one signal looks for members that it has not reached yet. A second look finds what
/// was forked during the first; a tree that outruns eight is left to the SIGKILL that follows.
const PASSES_MAX: usize = 8;

/// Why more may be left of a tree than can be told.
const UNSEEN: &str = "/proc cannot be read, so nobody sees what is left of what it started";

/// Why the end of a leader may not be known although it has ended.
const HELD: &str = "it has ended, but a debugger (strace, gdb) still holds its exit status";

/// Which of the orphans that came to us belong to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanPolicy {
    /// All of them: this server runs one command at a time and is nobody else's init.
    Belong,
    /// Only those with its mark, in its control group, or in its session: we are handed orphans of
    /// programs that we never started.
    AreForeign,
}

impl OrphanPolicy {
    /// What holds for a server that runs one command at a time, as it stands at its start. As
    /// PID 1 it is handed the orphans of programs that others started in its namespace; and where
    /// it has children before it started any, whoever ran before it in this process did
    /// (`sh -c 'something & exec llm-shell'`). Elsewhere every orphan is the command's.
    #[must_use]
    pub fn of_one_command() -> Self {
        let is_init = std::process::id() == 1;
        let has_children = Procfs::detect().orphans().is_none_or(|orphans| !orphans.is_empty());
        if is_init || has_children { Self::AreForeign } else { Self::Belong }
    }
}

/// A process that a kill could not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its number.
    pub pid: i32,
    /// Why it is still there, in words.
    pub why: &'static str,
}

/// The processes of one run: its leader, what descends from it, and its orphans.
#[derive(Clone, Debug)]
pub struct Tree {
    leader: Arc<Leader>,
    /// What all that the run started carries.
    mark: Mark,
    orphan_policy: OrphanPolicy,
    /// Whether another run has taken its place: orphans are no longer its own.
    is_sealed: Arc<AtomicBool>,
    /// Whether nothing of it was found once: then nothing of it ever lives again.
    was_gone: Arc<AtomicBool>,
    /// The control group that all of it is in, if it has one.
    cgroup: Option<Arc<RunCgroup>>,
}

impl Tree {
    /// The tree of a run whose leader is `leader`, and which was launched with this id as the last
    /// of its marks.
    #[must_use]
    pub fn new(leader: Arc<Leader>, id: &str, orphan_policy: OrphanPolicy) -> Self {
        let mark = Mark::of(id);
        let (is_sealed, was_gone) = (Arc::default(), Arc::default());
        Self { leader, mark, orphan_policy, is_sealed, was_gone, cgroup: None }
    }

    /// The same in its control group, if it has one.
    #[must_use]
    pub fn in_cgroup(self, cgroup: Option<Arc<RunCgroup>>) -> Self {
        Self { cgroup, ..self }
    }

    /// Whether the kernel has ended a process of it because its memory was used up.
    #[must_use]
    pub fn has_run_out_of_memory(&self) -> bool {
        self.cgroup.as_ref().is_some_and(|cgroup| cgroup.has_run_out_of_memory())
    }

    /// Says that another run is about to take its place: what becomes an orphan from now on is
    /// not of this one.
    pub fn seal(&self) {
        self.is_sealed.store(true, Ordering::SeqCst);
    }

    /// Says that no other run has taken its place after all.
    pub fn unseal(&self) {
        self.is_sealed.store(false, Ordering::SeqCst);
    }

    /// Whether nothing of it lives. Exact: a living process of the tree descends from the leader
    /// or from an orphan, and an orphan is our child before its parent's death is told. Where
    /// /proc shows nothing it is not said to be gone, because nobody can know.
    #[must_use]
    pub fn is_gone(&self, reaper: &Reaper) -> bool {
        if self.was_gone.load(Ordering::SeqCst) {
            return true;
        }
        // Asked for first: a tree that is sealed meanwhile has orphans that nobody looked for.
        let is_sealed = self.is_sealed.load(Ordering::SeqCst);
        let is_gone = self.leader.has_ended()
            && self.orphans(reaper).is_some_and(|orphans| orphans.is_empty());
        if is_gone && !is_sealed && !self.is_sealed.load(Ordering::SeqCst) {
            self.was_gone.store(true, Ordering::SeqCst);
        }
        is_gone
    }

    /// Whether /proc shows nothing, so that only the leader can be reached.
    fn is_invisible(&self, reaper: &Reaper) -> bool {
        !self.is_sealed.load(Ordering::SeqCst) && reaper.procfs().orphans().is_none()
    }

    /// The numbers of all that lives, parents before children. One that is forked meanwhile may
    /// be missing.
    #[must_use]
    pub fn pids(&self, reaper: &Reaper) -> Vec<i32> {
        self.members(reaper).iter().map(|member| member.pid.as_raw()).collect()
    }

    /// The session that it began, as a number under /proc, as long as nobody else has that.
    pub(super) fn session(&self, procfs: Procfs) -> Option<i32> {
        let session = self.leader.seen()?.number;
        self.leader.has_session(session, procfs).then_some(session)
    }

    /// What its processes carry.
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// The number of its leader.
    pub(super) fn leader_pid(&self) -> i32 {
        self.leader.pid()
    }

    /// The same under /proc, which differs where /proc is another namespace's; `None` once the
    /// leader has ended.
    pub(super) fn leader_number(&self) -> Option<i32> {
        self.leader.seen().filter(|_| !self.leader.has_ended()).map(|seen| seen.number)
    }

    /// Sends a signal to the leader alone. Does not wait for the effect.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn signal_leader(&self, signal: Signal) -> io::Result<()> {
        self.leader.signal(signal)
    }

    /// Sends a signal once to every process of the tree, parents first: a shell whose child is
    /// ended before it would go on to its next line. Does not wait for the effect.
    pub fn signal(&self, reaper: &Reaper, signal: Signal) {
        if self.is_invisible(reaper) {
            return self.signal_leader_alone(signal);
        }
        self.for_each_member(reaper, |member| {
            // What refuses a signal is found by `left_behind`, when it matters.
            let _refused = send_signal(reaper.procfs(), member, signal);
        });
    }

    /// The same with a signal that asks them to end: those that are stopped get SIGCONT as well,
    /// so that they can act on it.
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

    /// Sends SIGKILL to all that is left and says why each is, as far as that can be known.
    #[must_use]
    pub fn left_behind(&self, reaper: &Reaper) -> Vec<LeftBehind> {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        if self.is_invisible(reaper) {
            self.signal_leader_alone(Signal::KILL);
            return vec![LeftBehind { pid: self.leader.pid(), why: UNSEEN }];
        }
        let explain = |member: ProcessInfo| {
            let sent = send_signal(reaper.procfs(), member, Signal::KILL);
            LeftBehind { pid: member.pid.as_raw(), why: reason(member, sent) }
        };
        self.members(reaper).into_iter().map(explain).collect()
    }

    /// Why the end of a leader that has ended is not known yet.
    #[must_use]
    pub fn held_by_debugger(&self) -> LeftBehind {
        LeftBehind { pid: self.leader.pid(), why: HELD }
    }

    /// Sends a signal to the leader, of which we have a descriptor: the only one that can be
    /// reached where /proc shows nothing.
    fn signal_leader_alone(&self, signal: Signal) {
        // It fails where the leader has ended.
        let _ended = self.leader.signal(signal);
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
        let leader = self.leader.seen().filter(|_| !self.leader.has_ended());
        let orphans = self.orphans(reaper).unwrap_or_default();
        let mut members: Vec<ProcessInfo> = leader.into_iter().chain(orphans).collect();
        let mut next = 0;
        while let Some(parent) = members.get(next).copied() {
            members.extend(living_children(procfs, parent));
            next += 1;
        }
        // The leader was seen at its launch; its state may have changed since.
        members.iter().filter_map(|m| recheck(procfs, *m)).filter(|m| m.state != 'Z').collect()
    }

    /// Its orphans that live; `None` where nobody can know.
    fn orphans(&self, reaper: &Reaper) -> Option<Vec<ProcessInfo>> {
        if self.is_sealed.load(Ordering::SeqCst) {
            return Some(Vec::new());
        }
        let seen = reaper.living_orphans()?.into_iter();
        let procfs = reaper.procfs();
        Some(seen.filter(|orphan| orphan.state != 'Z' && self.has(*orphan, procfs)).collect())
    }

    /// Whether an orphan is of this tree. One that is on its way out shows no environment: it is
    /// counted as long as it is there, because its children are not ours before it is gone.
    /// A session counts only where there is no mark: its number may have become another's.
    fn has(&self, orphan: ProcessInfo, procfs: Procfs) -> bool {
        if self.orphan_policy == OrphanPolicy::Belong {
            return true;
        }
        let marks = Marks::read(orphan.number);
        marks.has(&self.mark)
            || self.cgroup.as_ref().is_some_and(|cgroup| cgroup.has(orphan.number))
            || (marks.is_empty() && self.leader.has_session(orphan.session, procfs))
            || is_ending(orphan.number)
    }
}

/// The children of a process that is still the one meant.
pub(super) fn living_children(procfs: Procfs, parent: ProcessInfo) -> Vec<ProcessInfo> {
    let children = Procfs::children(parent.number);
    let children: Vec<_> = children.into_iter().filter_map(|n| procfs.read(n)).collect();
    // ProbeFinished at again after the list was read: had the number passed to a stranger in between,
    // these would be the stranger's children.
    if recheck(procfs, parent).is_some() { children } else { Vec::new() }
}

/// The process as it is now, if its number still means it.
pub(super) fn recheck(procfs: Procfs, member: ProcessInfo) -> Option<ProcessInfo> {
    procfs.read(member.number).filter(|now| now.start_ticks == member.start_ticks)
}

/// Sends a signal to just the process that was seen.
pub(super) fn send_signal(procfs: Procfs, member: ProcessInfo, signal: Signal) -> io::Result<()> {
    let pidfd = open_pidfd(member.pid)?;
    // The descriptor holds whatever has the number now; only if that started when the member did
    // is it the member, and from here on the number no longer matters.
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

/// The living processes of each of these trees. One that is forked meanwhile may be missing.
pub(super) fn group_by_tree(trees: &[Tree], reaper: &Reaper) -> Vec<Vec<ProcessInfo>> {
    let procfs = reaper.procfs();
    let all = procfs.all();
    let by_number: HashMap<i32, &ProcessInfo> =
        all.iter().map(|seen| (seen.number, seen)).collect();
    let leaders =
        trees.iter().enumerate().filter_map(|(tree, it)| Some((it.leader_number()?, tree)));
    let leaders: HashMap<i32, usize> = leaders.collect();
    let mut members = vec![Vec::new(); trees.len()];
    let own = procfs.own_number();
    let owners_of = Owners::of(trees, procfs);
    // Where an orphan belongs is asked once, however many descend from it.
    let mut owners: HashMap<i32, Option<usize>> = HashMap::new();
    for seen in all.iter().filter(|seen| seen.state != 'Z') {
        let mut eldest = seen;
        while !leaders.contains_key(&eldest.number) && eldest.parent != own {
            let Some(parent) = by_number.get(&eldest.parent) else { break };
            eldest = parent;
        }
        let owner = owners.entry(eldest.number).or_insert_with(|| {
            let led = leaders.get(&eldest.number).copied();
            led.or_else(|| if eldest.parent == own { owners_of.find(*eldest) } else { None })
        });
        if let Some(owner) = *owner {
            members[owner].push(*seen);
        }
    }
    members
}

/// By what an orphan is known to be a tree's.
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
