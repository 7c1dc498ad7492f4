//! How many network connections trees have open.

use super::forest::members_of;
use super::procfs::Seen;
use super::reaper::Reaper;
use super::tree::Tree;
use std::collections::{HashMap, HashSet};
use std::fs;

/// The tables of the kernel that list TCP and UDP sockets, those that listen included.
const TABLES: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];

/// Where a line of such a table has the socket's inode.
const INODE_FIELD: usize = 9;

/// How many TCP and UDP sockets each of these trees has open, those that listen included, by the
/// number of its leader. Blocks for one look at all of /proc.
#[must_use]
pub fn connections_of(trees: &[Tree], reaper: &Reaper) -> HashMap<i32, usize> {
    let inodes = network_inodes();
    let counted = members_of(trees, reaper).into_iter().map(|members| {
        let sockets = members.iter().flat_map(sockets_of);
        // A socket that was inherited is one, however many have it open.
        sockets.filter(|inode| inodes.contains(inode)).collect::<HashSet<u64>>().len()
    });
    trees.iter().map(Tree::leader_pid).zip(counted).collect()
}

fn network_inodes() -> HashSet<u64> {
    let mut inodes = HashSet::new();
    for table in TABLES {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let fields = text.lines().skip(1).map(|line| line.split_ascii_whitespace());
        inodes.extend(fields.filter_map(|mut line| line.nth(INODE_FIELD)?.parse::<u64>().ok()));
    }
    inodes
}

fn sockets_of(process: &Seen) -> Vec<u64> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", process.number)) else {
        return Vec::new();
    };
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let inode = |link: std::path::PathBuf| {
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    links.filter_map(inode).collect()
}
