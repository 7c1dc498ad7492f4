//! Listening sockets: TCP or Unix, created here or inherited.

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::path::Path;

/// The mode of a Unix socket created here: only the server's own user may connect.
const UNIX_MODE: u32 = 0o600;

/// The number of connections that may wait to be accepted; the kernel caps it at
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The IP address reported for a Unix socket.
pub(crate) const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The address of a listening socket.
#[derive(Clone, Debug)]
pub enum Place {
    /// An IP address and port.
    Internet(SocketAddr),
    /// A path, or an abstract name.
    Unix(UnixAddress),
}

impl Place {
    /// Returns whether other machines can connect.
    #[must_use]
    pub fn is_beyond_this_machine(&self) -> bool {
        matches!(self, Self::Internet(address) if !address.ip().is_loopback())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(address) => write!(out, "http://{address}"),
            Self::Unix(address) => match (address.as_pathname(), address.as_abstract_name()) {
                (Some(path), _) => write!(out, "{}", path.display()),
                (None, Some(name)) => write!(out, "@{}", String::from_utf8_lossy(name)),
                (None, None) => out.write_str("a Unix socket without a name"),
            },
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    descriptor: OwnedFd,
    place: Place,
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap_or(NO_ADDRESS);
        // The standard library sets a backlog of 128; clients beyond that connect a second later,
        // when the kernel retries. If the backlog cannot be raised, nothing worse happens.
        let _ = listen(&listener, BACKLOG);
        Self { descriptor: listener.into(), place: Place::Internet(address) }
    }
}

impl TryFrom<UnixListener> for Listener {
    type Error = io::Error;

    fn try_from(listener: UnixListener) -> io::Result<Self> {
        let place = Place::Unix(listener.local_addr()?);
        Ok(Self { descriptor: listener.into(), place })
    }
}

impl Listener {
    /// Listens on a new Unix socket at `path`, which only this user can connect to from the moment
    /// it exists. A stale socket of a dead server is replaced. The file is not removed on
    /// shutdown: the next server replaces it.
    ///
    /// # Errors
    /// `AddrInUse` if another server listens there or the path is not a socket, and any error of
    /// the kernel about the path.
    pub fn unix(path: &Path) -> io::Result<Self> {
        remove_dead_socket(path)?;
        let stream = SocketType::STREAM;
        let socket = socket_with(AddressFamily::UNIX, stream, SocketFlags::CLOEXEC, None)?;
        // Linux gives the file the socket's own mode, so there is no moment with a wider one.
        let socket = File::from(socket);
        socket.set_permissions(Permissions::from_mode(UNIX_MODE))?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, BACKLOG)?;
        let place = Place::Unix(UnixAddress::from_pathname(path)?);
        Ok(Self { descriptor: socket.into(), place })
    }

    /// Returns the listening address.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Returns whether this is a Unix socket that other users can connect to: by the mode of its
    /// file, or because it has no file. Restrictions of parent directories do not count.
    #[must_use]
    pub fn is_for_others(&self) -> bool {
        let Place::Unix(address) = &self.place else { return false };
        let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode());
        match address.as_pathname().map(mode) {
            Some(Ok(mode)) => mode & 0o022 != 0,
            // An abstract name has no mode; the mode of a removed file is unknown.
            Some(Err(_)) | None => true,
        }
    }

    /// Returns the socket's descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Removes the file of a Unix socket that nobody listens on. Any other file stays, and makes the
/// bind fail.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        _ => return Ok(()),
    }
    // Connecting to a regular file is refused as well.
    if is_socket(path) { fs::remove_file(path) } else { Ok(()) }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_is_private_to_its_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let _listener = Listener::unix(&path).expect("a listener");
        let mode = fs::metadata(&path).expect("the socket").permissions().mode();
        assert_eq!(mode & 0o777, UNIX_MODE);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        drop(Listener::unix(&path).expect("the first"));
        let living = Listener::unix(&path).expect("the second");
        let taken = Listener::unix(&path).expect_err("a third");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).expect("the second is still there");
        drop(living);
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        fs::write(&path, "precious").expect("a file");
        let taken = Listener::unix(&path).expect_err("no socket");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).expect("the file"), b"precious");
    }
}
