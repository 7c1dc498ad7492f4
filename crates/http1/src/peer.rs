//! The other end of a connection: its address, its user, and whether it is trusted.

use crate::access_control::AccessControl;
use crate::socket::Socket;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The bits of an IPv6 address that identify a network: providers assign such networks, so one
/// client has all of their addresses.
const IPV6_NETWORK_BITS: u32 = 64;

/// The identity by which clients are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// Any program on this machine: via a loopback address or a Unix socket.
    Local,
    /// An IPv4 address, or an IPv6 network of 64 bits.
    Remote(IpAddr),
}

impl ClientKey {
    /// Returns the key of an address; `None` stands for a Unix socket.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Local,
            Some(address) if address.is_loopback() => Self::Local,
            Some(IpAddr::V4(address)) => Self::Remote(address.into()),
            Some(IpAddr::V6(address)) => {
                let network = u128::MAX << (128 - IPV6_NETWORK_BITS);
                Self::Remote(Ipv6Addr::from(u128::from(address) & network).into())
            }
        }
    }
}

/// The known facts about the client. Used only by the connection's own thread.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    address: Option<SocketAddr>,
    user: OnceCell<Option<u32>>,
    is_trusted: Cell<bool>,
}

impl Peer {
    /// Creates the peer of a socket with this address.
    pub(crate) fn new(address: Option<SocketAddr>) -> Self {
        Self { address, ..Self::default() }
    }

    /// Returns whether a request on this connection was authorized: by its credentials or, if none
    /// are set, by its user.
    pub(crate) fn is_trusted(&self) -> bool {
        self.is_trusted.get()
    }
}

/// `127.0.0.1:40312`, or `unix` for a Unix socket.
impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(out, "{address}"),
            None => out.write_str("unix"),
        }
    }
}

/// The sender of a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    pub(crate) peer: &'c Peer,
    pub(crate) socket: &'c Socket,
    pub(crate) access_control: Option<&'c dyn AccessControl>,
}

impl Caller<'_> {
    /// Returns the user whose program is at the other end, if that is on this machine and the
    /// kernel knows it. The first result is cached.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        let finder = self.access_control.filter(|_| self.is_local());
        let find = || finder.and_then(|finder| finder.find_user(self.socket.descriptor()));
        *self.peer.user.get_or_init(find)
    }

    fn is_local(&self) -> bool {
        self.key() == ClientKey::Local
    }

    /// Returns its address; `None` for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.peer.address
    }

    /// Returns the identity by which clients are counted.
    #[must_use]
    pub fn key(&self) -> ClientKey {
        ClientKey::of(self.peer.address.map(|address| address.ip()))
    }

    /// Returns whether [`Self::trust`] was called on this connection.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.peer.is_trusted()
    }

    /// Marks the connection as trusted: the limits on unauthenticated clients no longer apply to
    /// it.
    pub fn trust(&self) {
        self.peer.is_trusted.set(true);
    }
}

/// `192.0.2.7:40312`, with the user where it is known.
impl fmt::Display for Caller<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.peer)?;
        match self.user() {
            Some(uid) => write!(out, " (uid {uid})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> ClientKey {
        ClientKey::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn all_loopback_addresses_are_one_client() {
        for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(key(local), ClientKey::Local, "{local}");
        }
        assert_eq!(ClientKey::of(None), ClientKey::Local);
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        assert_eq!(key("2001:db8:1:2::7"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::7"), key("2001:db8:1:3::7"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
