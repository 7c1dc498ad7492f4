//! Whose process is whose, for many trees by one look at /proc.

use super::cgroup::run_id_of;
use super::procfs::{Seen, environment_value};
use super::reaper::Reaper;
use super::tree::Tree;
use std::collections::HashMap;

/// The living processes of each of these trees. One that is forked meanwhile may be missing.
pub(super) fn members_of(trees: &[Tree], reaper: &Reaper) -> Vec<Vec<Seen>> {
    let procfs = reaper.procfs();
    let all = procfs.all();
    let by_number: HashMap<i32, &Seen> = all.iter().map(|seen| (seen.number, seen)).collect();
    let leaders =
        trees.iter().enumerate().filter_map(|(tree, it)| Some((it.leader_number()?, tree)));
    let leaders: HashMap<i32, usize> = leaders.collect();
    let mut members = vec![Vec::new(); trees.len()];
    let own = procfs.own_number();
    let owners_of = Owners::of(trees);
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
    by_session: HashMap<i32, usize>,
    by_mark: HashMap<&'a [u8], usize>,
}

impl<'a> Owners<'a> {
    fn of(trees: &'a [Tree]) -> Self {
        let sessions = trees.iter().enumerate().filter_map(|(i, tree)| Some((tree.session()?, i)));
        let marks = trees.iter().enumerate().map(|(index, tree)| (tree.mark(), index));
        Self { by_session: sessions.collect(), by_mark: marks.collect() }
    }

    fn find(&self, orphan: Seen) -> Option<usize> {
        self.by_session.get(&orphan.session).copied().or_else(|| {
            let marked = environment_value(orphan.number, b"RUN_ID");
            marked.and_then(|id| self.marked(&id)).or_else(|| {
                let grouped = run_id_of(orphan.number)?;
                self.marked(grouped.as_bytes())
            })
        })
    }

    fn marked(&self, run_id: &[u8]) -> Option<usize> {
        self.by_mark.get([b"RUN_ID=", run_id].concat().as_slice()).copied()
    }
}
