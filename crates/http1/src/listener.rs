//! What connections come from: a listening socket, TCP or Unix, our own or inherited.

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

/// Who may connect to a Unix socket of ours: the user that the server runs as.
const UNIX_MODE: u32 = 0o600;

/// How many connections may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// What a Unix socket has for an address of the internet.
pub(crate) const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Where a socket listens.
#[derive(Clone, Debug)]
pub enum Place {
    /// At an address of the internet, or of this machine.
    Internet(SocketAddr),
    /// At a path, or at a name that is no file's.
    Unix(UnixAddress),
}

impl Place {
    /// Whether other machines can connect.
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
        // The standard library has 128 wait; a crowd over that is let in a second later, by the
        // kernel's second try. Where we may not raise it, that is all that happens.
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
    /// Listens on a new Unix socket at `path`, which only this user can connect to from its first
    /// moment on. A socket that a dead server left there is replaced. The file is not removed at
    /// the end: the next server replaces it.
    ///
    /// # Errors
    /// `AddrInUse` where somebody listens there or the path is something else, and whatever the
    /// kernel says about the path.
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

    /// Where it listens.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Whether it is a Unix socket that other users can connect to: by the mode of its file, or
    /// because it has none. What the directories above it forbid does not count.
    #[must_use]
    pub fn is_for_others(&self) -> bool {
        let Place::Unix(address) = &self.place else { return false };
        let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode());
        match address.as_pathname().map(mode) {
            Some(Ok(mode)) => mode & 0o022 != 0,
            // A name that is no file's has no mode; of a file that is gone nobody knows.
            Some(Err(_)) | None => true,
        }
    }

    /// The socket.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Removes the file of a Unix socket that nobody listens on. Anything else stays, and makes the
/// bind fail.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        _ => return Ok(()),
    }
    // A connect to a plain file is refused as well.
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
    fn a_unix_socket_is_this_user_s_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let _listener = Listener::unix(&path).expect("a listener");
        let mode = fs::metadata(&path).expect("the socket").permissions().mode();
        assert_eq!(mode & 0o777, UNIX_MODE);
    }

    #[test]
    fn a_dead_server_s_socket_is_replaced_and_a_living_one_s_is_not() {
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
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        fs::write(&path, "precious").expect("a file");
        let taken = Listener::unix(&path).expect_err("no socket");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).expect("the file"), b"precious");
    }
}
