//! Looking up the user at the other end of a local connection.
//!
//! A loopback address says nothing about who connects: every user of the machine has it. But the
//! kernel knows who created the socket at the other end. The result counts as the user of *this*
//! connection only if both of its ends still exist when the lookup is answered: otherwise the same
//! pair of ports could belong to someone else by then.

use super::socket_diag::{SocketDiag, TcpSocket};
use parking_lot::Mutex;
use rustix::fs::fstat;
use rustix::net::sockopt::{socket_domain, socket_peercred};
use rustix::net::{AddressFamily, getpeername, getsockname};
use rustix::process::geteuid;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

/// `TCP_ESTABLISHED` of `linux/tcp_states.h`, and the states of a side that has ended its sending
/// (`FIN_WAIT1`, `FIN_WAIT2`) and of the side that was notified of it (`CLOSE_WAIT`).
const ESTABLISHED: u8 = 1;
const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const CLOSE_WAIT: u8 = 8;

/// How much of the socket table is read without `sock_diag`: some 100,000 sockets.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The id that stands for users without a mapping in a user namespace, unless the kernel names
/// another one (`/proc/sys/kernel/overflowuid`).
const OVERFLOW_UID: u32 = 65534;

/// A lookup of the users of peers.
#[derive(Debug)]
pub(super) struct PeerUsers {
    table: Mutex<Table>,
    /// The id that may stand for any user, if this process is in a user namespace.
    ambiguous_uid: Option<u32>,
}

/// The source of the lookup.
#[derive(Debug)]
enum Table {
    Diag(SocketDiag),
    /// The text in /proc, if there is no `sock_diag` (a sandboxed kernel, a missing module).
    Text,
}

impl PeerUsers {
    /// Makes a connection to itself to find out which source works.
    pub(super) fn new() -> Self {
        let ambiguous_uid = is_in_user_namespace().then(overflow_uid);
        let with = |table| Self { table: Mutex::new(table), ambiguous_uid };
        if let Ok(diag) = SocketDiag::open() {
            let users = with(Table::Diag(diag));
            if users.self_test() {
                return users;
            }
        }
        let users = with(Table::Text);
        if !users.self_test() {
            log::warn!("cannot determine the users of connections: set LLM_SHELL_TOKEN");
        }
        users
    }

    /// Returns the user at the other end of a connection: for local TCP the one who created the
    /// peer's socket, for a Unix socket the one who connected it. Returns `None` if the kernel
    /// does not know, or if either end is gone. Does not block beyond the kernel's answer.
    pub(super) fn of(&self, socket: BorrowedFd<'_>) -> Option<u32> {
        let uid = match unix_peer_uid(socket) {
            Some(uid) => uid,
            None => self.of_tcp(socket)?,
        };
        (Some(uid) != self.ambiguous_uid).then_some(uid)
    }

    fn of_tcp(&self, socket: BorrowedFd<'_>) -> Option<u32> {
        let (local, remote) = (local_address(socket)?, peer_address(socket)?);
        let inode = fstat(socket).ok()?.st_ino;
        let mut table = self.table.lock();
        let theirs = table.find(remote, local)?;
        // The order matters: an end that still exists now existed when its peer was looked up.
        let ours = table.find(local, remote)?;
        let is_open = ours.inode == inode && matches!(ours.state, ESTABLISHED | CLOSE_WAIT);
        let is_held = theirs.inode != 0;
        let is_theirs = matches!(theirs.state, ESTABLISHED | FIN_WAIT1 | FIN_WAIT2);
        (is_open && is_held && is_theirs).then_some(theirs.uid)
    }

    /// Returns whether a connection to itself is attributed to this process's user.
    fn self_test(&self) -> bool {
        let connect = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .or_else(|_| TcpListener::bind((Ipv6Addr::LOCALHOST, 0)))?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            listener.accept().map(|(accepted, _)| (client, accepted))
        };
        let Ok((_client, accepted)) = connect() else { return false };
        self.of(accepted.as_fd()) == Some(geteuid().as_raw())
    }
}

impl Table {
    fn find(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<TcpSocket> {
        let (local, remote) = (canonical(local), canonical(remote));
        match self {
            Self::Diag(diag) => diag.find(local, remote),
            Self::Text => find_in_text(local, remote),
        }
    }
}

/// Returns the user who connected a Unix socket; `None` for any other.
fn unix_peer_uid(socket: BorrowedFd<'_>) -> Option<u32> {
    let is_unix = socket_domain(socket).ok()? == AddressFamily::UNIX;
    is_unix.then(|| socket_peercred(socket).ok().map(|peer| peer.uid.as_raw()))?
}

/// Returns the address of the other side; `None` for a Unix socket, or if it is gone.
fn peer_address(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    SocketAddr::try_from(getpeername(socket).ok()??).ok()
}

/// Returns the address of this side; `None` for a Unix socket.
fn local_address(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    SocketAddr::try_from(getsockname(socket).ok()?).ok()
}

/// Converts an IPv4-mapped IPv6 address to IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Searches `/proc/thread-self/net/tcp` and `tcp6`, which lists the IPv4 connections of dual-stack
/// sockets.
fn find_in_text(local: SocketAddr, remote: SocketAddr) -> Option<TcpSocket> {
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    tables.iter().find_map(|path| {
        let table = BufReader::new(fs::File::open(path).ok()?.take(TABLE_BYTES_MAX));
        let rows = table.lines().map_while(Result::ok).filter_map(|line| parse_row(&line));
        let mut found = rows.filter(|(ends, _)| *ends == (local, remote));
        found.next().map(|(_, socket)| socket)
    })
}

/// Parses a row: the two addresses, and the socket.
fn parse_row(line: &str) -> Option<((SocketAddr, SocketAddr), TcpSocket)> {
    let mut fields = line.split_whitespace().skip(1);
    let ends = (parse_address(fields.next()?)?, parse_address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    // tx_queue:rx_queue, tr:tm->when, retrnsmt
    let mut fields = fields.skip(3);
    let uid = fields.next()?.parse().ok()?;
    // timeout
    let inode = fields.nth(1)?.parse().ok()?;
    Some((ends, TcpSocket { state, uid, inode }))
}

/// Parses `0100007F:1F90`: groups of four bytes in the machine's byte order, and a port.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    let ip = if address.len() == 8 {
        IpAddr::from(group(0)?.to_ne_bytes())
    } else {
        let groups = [group(0)?, group(8)?, group(16)?, group(24)?].map(u32::to_ne_bytes);
        let bytes: [u8; 16] = groups.concat().try_into().ok()?;
        IpAddr::from(bytes)
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

/// Returns whether the user ids of this process differ from the machine's, which the initial
/// namespace maps onto themselves.
fn is_in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn overflow_uid() -> u32 {
    let text = fs::read_to_string("/proc/sys/kernel/overflowuid").ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(OVERFLOW_UID)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> PeerUsers {
        PeerUsers { table: Mutex::new(Table::Text), ambiguous_uid: None }
    }

    fn pair(address: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn user(users: &PeerUsers, accepted: &TcpStream) -> Option<u32> {
        users.of(accepted.as_fd())
    }

    #[test]
    fn own_connections_are_found_by_both_lookups() {
        let own = Some(geteuid().as_raw());
        for users in [PeerUsers::new(), text()] {
            for address in ["127.0.0.1:0", "[::1]:0"] {
                let (_client, accepted) = pair(address);
                assert_eq!(user(&users, &accepted), own, "{users:?} {address}");
            }
        }
    }

    #[test]
    fn ipv4_client_of_an_ipv6_listener_is_found() {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for users in [PeerUsers::new(), text()] {
            let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let accepted = listener.accept().unwrap().0;
            assert_eq!(user(&users, &accepted), Some(geteuid().as_raw()), "{users:?}");
        }
    }

    #[test]
    fn client_that_closed_has_no_user() {
        for users in [PeerUsers::new(), text()] {
            let (client, accepted) = pair("127.0.0.1:0");
            drop(client);
            assert_eq!(user(&users, &accepted), None, "{users:?}");
        }
    }

    #[test]
    fn a_half_closed_client_has_its_user() {
        for users in [PeerUsers::new(), text()] {
            let (client, accepted) = pair("127.0.0.1:0");
            client.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(user(&users, &accepted), Some(geteuid().as_raw()), "{users:?}");
        }
    }

    #[test]
    fn rows_of_both_tables_are_read() {
        let row = "   4: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  \
                   1000        0 305 1 0000000000000000 20 4 30 10 -1";
        let (ends, socket) = parse_row(row).unwrap();
        assert_eq!(ends.0, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(socket, TcpSocket { state: 1, uid: 1000, inode: 305 });
        let mapped = parse_address("0000000000000000FFFF00000100007F:0050").unwrap();
        assert_eq!(mapped, "127.0.0.1:80".parse().unwrap());
        assert_eq!(parse_row("  sl  local_address rem_address   st"), None);
    }
}
