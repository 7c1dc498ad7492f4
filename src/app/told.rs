//! What systemd is told, by what goes on in the server.

use super::credentials::authorization;
use crate::client::Client;
use crate::manager::ProcessManager;
use crate::notify;
use crate::protocol::ServiceState;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use http1::Place;
use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The shortest time between two lines of status: a thousand services that start at once are not
/// a thousand lines.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// How long a thread waits for an event before it looks again for itself. Nothing hangs on it.
const EVENT_TIMEOUT: Duration = Duration::from_hours(1);

/// Says that the server takes requests, and goes on to say so to a watchdog that waits for it,
/// each time after a request to ourselves was answered.
///
/// `target` is what is asked: its answer takes the locks that others take. Any answer will do.
pub(super) fn ready(place: Place, target: &'static str, settings: &Settings) {
    notify::ready();
    let authorization = authorization(settings);
    notify::feed_watchdog(move |within| {
        // A new client each time: an old connection would lead past the door.
        let client = client_of(&place, authorization.clone());
        let answered = client.get_within(target, within);
        answered.inspect_err(|away| log::error!("{away}")).is_ok()
    });
}

/// A client of this server.
fn client_of(place: &Place, authorization: Option<String>) -> Client {
    match place {
        Place::Internet(address) => {
            Client::of_url(&format!("http://{}", from_here(*address)), authorization)
        }
        Place::Unix(address) => Client::of_address(address.clone(), authorization),
    }
}

/// Says what the shell does, at each begin and end of a command, from a thread of its own that
/// lives until the process ends.
pub(super) fn follow_shell(manager: Arc<ProcessManager>) {
    let line = |manager: &ProcessManager| match manager.last_run() {
        Err(_) => "no command was started yet".to_owned(),
        Ok(run) => match run.end() {
            None => format!("process {} runs: {}", run.pid(), run.command()),
            Some(end) => format!("process {} ended {}: {}", run.pid(), end.words(), run.command()),
        },
    };
    follow(move || {
        let turns = manager.turns();
        notify::status(&line(&manager));
        manager.wait_for_turn(turns, Instant::now() + EVENT_TIMEOUT);
    });
}

/// The same of services.
pub(super) fn follow_services(supervisor: Arc<Supervisor>) {
    follow(move || {
        let last = supervisor.events().last_id();
        notify::status(&line_of(&supervisor));
        let _news = supervisor.events().wait_after(last, Instant::now() + EVENT_TIMEOUT);
    });
}

fn line_of(supervisor: &Supervisor) -> String {
    let services = supervisor.services();
    let up = services.iter().filter(|service| service.state() == ServiceState::Running).count();
    let line = format!("{up} of {} services are up", services.len());
    let troubled = supervisor.troubled().into_iter();
    let troubled: Vec<_> = troubled.map(|(name, word)| format!("{name} {word}")).collect();
    if troubled.is_empty() { line } else { format!("{line}; {}", troubled.join(", ")) }
}

fn follow(mut step: impl FnMut() + Send + 'static) {
    if env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let work = move || loop {
        step();
        thread::sleep(STATUS_INTERVAL);
    };
    let thread = thread::Builder::new().name("status".into()).stack_size(128 * 1024).spawn(work);
    if let Err(error) = thread {
        log::error!("no thread to report the status to systemd: {error}");
    }
}

/// An address that leads to us from this machine.
fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
