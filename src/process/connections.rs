//! Number of network connections that trees have open.

use super::procfs::{network_inodes, open_sockets};
use super::reaper::Reaper;
use super::tree::{Tree, group_by_tree};
use std::collections::{HashMap, HashSet};

/// Returns how many TCP and UDP sockets each of these trees has open, those that listen included,
/// by the pid of its leader. Blocks for one scan of all of /proc.
#[must_use]
pub fn connections_of(trees: &[Tree], reaper: &Reaper) -> HashMap<i32, usize> {
    let inodes = network_inodes();
    let counted = group_by_tree(trees, reaper).into_iter().map(|members| {
        let sockets = members.iter().flat_map(|member| open_sockets(member.number));
        // An inherited socket counts once, however many processes have it open.
        sockets.filter(|inode| inodes.contains(inode)).collect::<HashSet<u64>>().len()
    });
    trees.iter().map(Tree::leader_pid).zip(counted).collect()
}
