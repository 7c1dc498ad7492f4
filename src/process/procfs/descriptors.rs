//! /proc/PID/fd and /proc/net: open descriptors, and the network sockets among them.
//!
//! `fd` has a link for each open descriptor, named by its number; a socket's leads to
//! `socket:[INODE]`. The tables of /proc/net have a heading and a line for each socket, in which
//! the tenth field is its inode, or 0 if nobody has it open any more.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// The kernel's tables of TCP and UDP sockets, those that listen included.
const TABLES: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];

/// Index of the field in a line of such a table that has the socket's inode.
const INODE_FIELD: usize = 9;

/// Returns the numbers of this process's open descriptors.
pub(in super::super) fn own_descriptors() -> Vec<i32> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Returns the inodes of the sockets that a process has open.
pub(in super::super) fn open_sockets(number: i32) -> Vec<u64> {
    let descriptors = fs::read_dir(format!("/proc/{number}/fd")).into_iter().flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let inode =
        |link: PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    links.filter_map(inode).collect()
}

/// Returns the inodes of all TCP and UDP sockets of our network namespace that somebody has open.
pub(in super::super) fn network_inodes() -> HashSet<u64> {
    let mut inodes = HashSet::new();
    for table in TABLES {
        if let Ok(file) = File::open(format!("/proc/net/{table}")) {
            add_inodes(BufReader::new(file), &mut inodes);
        }
    }
    inodes
}

/// Adds the sockets of a table that somebody has open. Reads line by line, because the table is
/// that of the whole machine: ten thousand connections in `TIME_WAIT` are a megabyte.
fn add_inodes(mut table: impl BufRead, inodes: &mut HashSet<u64>) {
    let mut line = String::new();
    // If a table cannot be read to its end, what was read of it counts.
    while table.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        let inode = line.split_ascii_whitespace().nth(INODE_FIELD);
        let inode = inode.and_then(|inode| inode.parse::<u64>().ok());
        inodes.extend(inode.filter(|inode| *inode != 0));
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_sockets_are_left_out() {
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
