//! The listening socket: inherited from systemd, or named by the settings.

use super::StartError;
use crate::settings::Settings;
use http1::{Listener, Place};
use listenfd::ListenFd;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// Takes the socket inherited from systemd, or else listens on the address or Unix socket of the
/// settings.
///
/// # Errors
/// `Host`, `Listen`, `Open` for an address beyond loopback without credentials or `--insecure`,
/// and `OpenSocket`.
pub fn listen(settings: &Settings) -> std::result::Result<Listener, StartError> {
    if let Some(listener) = inherited()? {
        match listener.place() {
            Place::Internet(address) => {
                let set_by = "the socket inherited from systemd";
                check_exposure(set_by, &address.ip().to_string(), &[address], settings)?;
            }
            Place::Unix(_) if listener.is_for_others() && !settings.has_credentials() => {
                return Err(StartError::OpenSocket { place: listener.place().to_string() });
            }
            Place::Unix(_) => {}
        }
        return Ok(listener);
    }
    if let Some(path) = &settings.socket {
        let listen = |source| StartError::Listen { address: path.display().to_string(), source };
        return Listener::unix(path).map_err(listen);
    }
    let set_by = settings.set_by.get("LLM_SHELL_HOST").map_or("LLM_SHELL_HOST", String::as_str);
    let host = settings.host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, settings.port).to_socket_addrs();
    let addresses: Vec<SocketAddr> = addresses
        .map_err(|source| StartError::Host {
            set_by: set_by.to_owned(),
            host: settings.host.clone(),
            source,
        })?
        .collect();
    check_exposure(set_by, &settings.host, &addresses, settings)?;
    let listener = TcpListener::bind(&addresses[..]).map_err(|source| StartError::Listen {
        address: format!("{}:{}", settings.host, settings.port),
        source,
    })?;
    Ok(listener.into())
}

/// Refuses to expose a shell to the network without credentials. `set_by` and `host` are for the
/// message.
fn check_exposure(
    set_by: &str,
    host: &str,
    addresses: &[SocketAddr],
    settings: &Settings,
) -> std::result::Result<(), StartError> {
    if !settings.has_credentials() && addresses.iter().any(|address| !address.ip().is_loopback()) {
        if !settings.insecure {
            return Err(StartError::Open { set_by: set_by.to_owned(), host: host.to_owned() });
        }
        log::warn!("no token is set: anyone who can connect to {host} gets a shell");
    }
    Ok(())
}

/// Returns the socket that systemd passed, if any (`sd_listen_fds(3)`).
fn inherited() -> std::result::Result<Option<Listener>, StartError> {
    let refused = |source| {
        let address = "the socket inherited from systemd".to_owned();
        StartError::Listen { address, source }
    };
    let mut sockets = ListenFd::from_env();
    match sockets.len() {
        0 => return Ok(None),
        1 => {}
        count => {
            let why =
                format!("there are {count} of them: use a single Listen line in the .socket unit");
            return Err(refused(io::Error::other(why)));
        }
    }
    if let Ok(Some(listener)) = sockets.take_unix_listener(0) {
        return Listener::try_from(listener).map(Some).map_err(refused);
    }
    let taken = sockets.take_tcp_listener(0).map_err(refused)?;
    Ok(taken.map(Listener::from))
}
