//! Whose process is whose, for many trees by one look at /proc.

use super::procfs::Seen;
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
            let is_orphan = eldest.parent == own;
            led.or_else(|| trees.iter().position(|tree| is_orphan && tree.has(*eldest)))
        });
        if let Some(owner) = *owner {
            members[owner].push(*seen);
        }
    }
    members
}
