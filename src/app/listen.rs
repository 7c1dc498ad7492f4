//! What the server listens on: what systemd hands over, or what the settings name.

use super::StartFault;
use crate::settings::Settings;
use http1::{Listener, Place};
use listenfd::ListenFd;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// Takes the socket that systemd hands over, or else the address or the Unix socket that the
/// settings name.
///
/// # Errors
/// `Host`, `Listen`, `Open` where it is beyond loopback, nothing keeps strangers out, and nobody
/// said that this is meant, and `OpenSocket`.
pub fn listen(settings: &Settings) -> std::result::Result<Listener, StartFault> {
    if let Some(listener) = handed_over()? {
        match listener.place() {
            Place::Internet(address) => {
                let from = ("The socket that systemd hands over", &*address.ip().to_string());
                keep_strangers_out(from, &[address], settings)?;
            }
            Place::Unix(_) if listener.is_for_others() && !has_credentials(settings) => {
                return Err(StartFault::OpenSocket { place: listener.place().to_string() });
            }
            Place::Unix(_) => {}
        }
        return Ok(listener);
    }
    if let Some(path) = &settings.socket {
        let listen = |source| StartFault::Listen { address: path.display().to_string(), source };
        return Listener::unix(path).map_err(listen);
    }
    let set_by = settings.set_by.get("LLM_SHELL_HOST").map_or("LLM_SHELL_HOST", String::as_str);
    let host = settings.host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, settings.port).to_socket_addrs();
    let addresses: Vec<SocketAddr> = addresses
        .map_err(|source| StartFault::Host {
            set_by: set_by.to_owned(),
            host: settings.host.clone(),
            source,
        })?
        .collect();
    keep_strangers_out((set_by, &settings.host), &addresses, settings)?;
    let listener = TcpListener::bind(&addresses[..]).map_err(|source| StartFault::Listen {
        address: format!("{}:{}", settings.host, settings.port),
        source,
    })?;
    Ok(listener.into())
}

/// Refuses to open a shell to a network without anything that keeps strangers out. The
/// addresses are told by what they were set by, and as what.
fn keep_strangers_out(
    (set_by, host): (&str, &str),
    addresses: &[SocketAddr],
    settings: &Settings,
) -> std::result::Result<(), StartFault> {
    if !has_credentials(settings) && addresses.iter().any(|address| !address.ip().is_loopback()) {
        if !settings.insecure {
            return Err(StartFault::Open { set_by: set_by.to_owned(), host: host.to_owned() });
        }
        log::warn!("no token is set: anyone who can connect to {host} gets a shell");
    }
    Ok(())
}

fn has_credentials(settings: &Settings) -> bool {
    settings.token.is_some() || settings.basic_auth.is_some()
}

/// The socket that systemd listened on for us, if it did (`sd_listen_fds(3)`).
fn handed_over() -> std::result::Result<Option<Listener>, StartFault> {
    let refused = |source| {
        let address = "the socket that systemd hands over".to_owned();
        StartFault::Listen { address, source }
    };
    let mut sockets = ListenFd::from_env();
    match sockets.len() {
        0 => return Ok(None),
        1 => {}
        count => {
            let why = format!("there are {count} of them: give the .socket unit one Listen line");
            return Err(refused(io::Error::other(why)));
        }
    }
    if let Ok(Some(listener)) = sockets.take_unix_listener(0) {
        return Listener::try_from(listener).map(Some).map_err(refused);
    }
    let taken = sockets.take_tcp_listener(0).map_err(refused)?;
    Ok(taken.map(Listener::from))
}
