//! How many network connections trees have open.

use super::procfs::Seen;
use super::reaper::Reaper;
use super::tree::{Tree, group_by_tree};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};

/// The tables of the kernel that list TCP and UDP sockets, those that listen included.
const TABLES: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];

/// Where a line of such a table has the socket's inode.
const INODE_FIELD: usize = 9;

/// How many TCP and UDP sockets each of these trees has open, those that listen included, by the
/// number of its leader. Blocks for one look at all of /proc.
#[must_use]
pub fn connections_of(trees: &[Tree], reaper: &Reaper) -> HashMap<i32, usize> {
    let inodes = network_inodes();
    let counted = group_by_tree(trees, reaper).into_iter().map(|members| {
        let sockets = members.iter().flat_map(sockets_of);
        // A socket that was inherited is one, however many have it open.
        sockets.filter(|inode| inodes.contains(inode)).collect::<HashSet<u64>>().len()
    });
    trees.iter().map(Tree::leader_pid).zip(counted).collect()
}

fn network_inodes() -> HashSet<u64> {
    let mut inodes = HashSet::new();
    for table in TABLES {
        if let Ok(file) = File::open(format!("/proc/net/{table}")) {
            add_inodes(BufReader::new(file), &mut inodes);
        }
    }
    inodes
}

/// Adds the sockets of a table that somebody has open. It is read line by line, because it is of
/// the whole machine: ten thousand connections that wait for their last packets are a megabyte.
fn add_inodes(mut table: impl BufRead, inodes: &mut HashSet<u64>) {
    let mut line = String::new();
    // A table that cannot be read on is taken as far as it was.
    while table.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        let inode = line.split_ascii_whitespace().nth(INODE_FIELD);
        let inode = inode.and_then(|inode| inode.parse::<u64>().ok());
        // Nobody has open what has none.
        inodes.extend(inode.filter(|inode| *inode != 0));
        line.clear();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_nobody_has_open_are_left_out() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     \
                     0        0 4711 1 0000000000000000 100 0 0 10 0\n   \
                     1: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00001770 00000000     \
                     0        0 0 3 0000000000000000\n";
        let mut inodes = HashSet::new();
        add_inodes(table.as_bytes(), &mut inodes);
        assert_eq!(inodes, HashSet::from([4711]));
    }
}
