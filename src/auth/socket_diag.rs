//! Asks the kernel about TCP sockets of this machine by their addresses (`sock_diag(7)`).

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

/// `AF_INET` and `AF_INET6`, which are a byte here.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `IPPROTO_TCP`.
const TCP: u8 = 6;

/// The size of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// The size of a question: a header, and `struct inet_diag_req_v2`.
const QUESTION_BYTES: u32 = 16 + 56;

/// The size of `struct inet_diag_msg`.
const ANSWER_BYTES: usize = 72;

/// What the kernel knows of one TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TcpSocket {
    /// Its state, by the numbers of `linux/tcp_states.h`.
    pub(super) state: u8,
    /// The user who made it.
    pub(super) uid: u32,
    /// Its inode; 0 once no process holds it.
    pub(super) inode: u64,
}

/// A netlink socket for such questions. The kernel answers within the call that asks, so nothing
/// here waits.
#[derive(Debug)]
pub(super) struct SocketDiag {
    descriptor: OwnedFd,
    sequence: u32,
}

impl SocketDiag {
    /// Opens the socket.
    ///
    /// # Errors
    /// Where the kernel has no netlink, or no descriptor.
    pub(super) fn open() -> io::Result<Self> {
        let kind = SocketType::DGRAM;
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        Ok(Self { descriptor: socket_with(family, kind, flags, Some(SOCK_DIAG))?, sequence: 0 })
    }

    /// The socket whose own address is `local` and whose peer is `remote`; `None` where there is
    /// none, or where the kernel does not say.
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
            // An answer to an earlier question, if one was left unread, is passed over.
            if u32_at(answer, 8)? == self.sequence {
                return parse(answer, local.port(), remote.port());
            }
        }
    }
}

/// A `nlmsghdr` and an `inet_diag_req_v2` for one socket.
fn request(sequence: u32, local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(QUESTION_BYTES as usize);
    bytes.extend(QUESTION_BYTES.to_ne_bytes());
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

/// Reads an `inet_diag_msg` about a socket with these ports.
fn parse(answer: &[u8], local_port: u16, remote_port: u16) -> Option<TcpSocket> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let message = answer.get(HEADER_BYTES..HEADER_BYTES + ANSWER_BYTES)?;
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
