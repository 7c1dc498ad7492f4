//! Queries about local TCP sockets by their addresses (`sock_diag(7)`).

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, send, socket_with};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// `NLM_F_REQUEST` of `linux/netlink.h`.
const NLM_F_REQUEST: u16 = 1;

/// `AF_INET` and `AF_INET6`, which are single bytes here.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `IPPROTO_TCP`.
const TCP: u8 = 6;

/// The size of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// The size of a request: a header, and `struct inet_diag_req_v2`.
const REQUEST_BYTES: u32 = 16 + 56;

/// The size of `struct inet_diag_msg`.
const MESSAGE_BYTES: usize = 72;

/// The kernel's data about a TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TcpSocket {
    /// The state, as in `linux/tcp_states.h`.
    pub(super) state: u8,
    /// The user who created it.
    pub(super) uid: u32,
    /// The inode; 0 once no process holds it.
    pub(super) inode: u64,
}

/// A netlink socket for such queries. The kernel answers within `send`, so nothing here blocks.
#[derive(Debug)]
pub(super) struct SocketDiag {
    descriptor: OwnedFd,
    sequence: u32,
}

impl SocketDiag {
    /// Opens the socket.
    ///
    /// # Errors
    /// If the kernel lacks netlink, or a descriptor.
    pub(super) fn open() -> io::Result<Self> {
        let kind = SocketType::DGRAM;
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        Ok(Self { descriptor: socket_with(family, kind, flags, Some(SOCK_DIAG))?, sequence: 0 })
    }

    /// Returns the socket whose own address is `local` and whose peer is `remote`; `None` if there
    /// is none, or if the kernel does not answer.
    pub(super) fn find(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<TcpSocket> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(self.sequence, local, remote);
        let sent = send(&self.descriptor, &request, SendFlags::DONTWAIT).ok()?;
        if sent != request.len() {
            return None;
        }
        let mut buffer = [0; 512];
        loop {
            let (count, _) = recv(&self.descriptor, &mut buffer[..], RecvFlags::DONTWAIT).ok()?;
            let answer = &buffer[..count];
            // Answers to earlier queries that were left unread are skipped.
            if u32_at(answer, 8)? == self.sequence {
                return parse(answer, local.port(), remote.port());
            }
        }
    }
}

/// Builds a `nlmsghdr` and an `inet_diag_req_v2` for one socket.
fn request(sequence: u32, local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REQUEST_BYTES as usize);
    bytes.extend(REQUEST_BYTES.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    bytes.extend([family, TCP, 0, 0]);
    // Any state.
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    bytes.extend(address_bytes(local.ip()));
    bytes.extend(address_bytes(remote.ip()));
    // Any interface, and no cookie (INET_DIAG_NOCOOKIE).
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(u64::MAX.to_ne_bytes());
    bytes
}

fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// Parses an `inet_diag_msg` about a socket with these ports.
fn parse(answer: &[u8], local_port: u16, remote_port: u16) -> Option<TcpSocket> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let message = answer.get(HEADER_BYTES..HEADER_BYTES + MESSAGE_BYTES)?;
    let port = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    if kind != SOCK_DIAG_BY_FAMILY || port(4) != local_port || port(6) != remote_port {
        return None;
    }
    let (uid, inode) = (u32_at(message, 64)?, u32_at(message, 68)?);
    Some(TcpSocket { state: message[1], uid, inode: inode.into() })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
