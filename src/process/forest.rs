//! Whose process is whose, for many trees by one look at /proc.

use super::cgroup::run_id_of;
use super::mark::Marks;
use super::procfs::{Procfs, Seen};
use super::reaper::Reaper;
use super::tree::Tree;
use std::collections::HashMap;

/// The living processes of each of these trees. One that is forked meanwhile may be missing.
pub(super) fn group_by_tree(trees: &[Tree], reaper: &Reaper) -> Vec<Vec<Seen>> {
    let procfs = reaper.procfs();
    let all = procfs.all();
    let by_number: HashMap<i32, &Seen> = all.iter().map(|seen| (seen.number, seen)).collect();
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

    fn find(&self, orphan: Seen) -> Option<usize> {
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
