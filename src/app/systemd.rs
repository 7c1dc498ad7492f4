//! The protocol of systemd (`sd_notify(3)`): readiness, status, watchdog. Nothing is sent where
//! systemd did not start the server, and no call here waits for an answer.

use super::credentials::authorization;
use crate::client::Client;
use crate::protocol::ServiceState;
use crate::runs::ProcessManager;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use http1::Place;
use sd_notify::NotifyState;
use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The shortest time between two lines of status: a thousand services that start at once are not
/// a thousand lines.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// The longest status line, in characters: a line in a terminal or two.
const STATUS_CHARACTERS_MAX: usize = 200;

/// How long a thread waits for an event before it looks again for itself. Nothing hangs on it.
const EVENT_TIMEOUT: Duration = Duration::from_hours(1);

/// Notifies systemd that the server accepts requests, and from then on its watchdog, each time
/// after the server has answered a request of its own.
///
/// `target` is the path of that request: its handler takes the locks that others take. Any answer
/// will do.
pub(super) fn ready(place: Place, target: &'static str, settings: &Settings) {
    notify(&[NotifyState::Ready]);
    let authorization = authorization(settings);
    feed_watchdog(move |within| {
        // A new client each time: a kept connection does not show that new ones are accepted.
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

/// Keeps the status line of the LLM Shell up to date, at each start and end of a command. Starts a
/// thread for that, which lives until the process ends.
pub(super) fn follow_shell(manager: Arc<ProcessManager>) {
    let line = |manager: &ProcessManager| match manager.last_run() {
        Err(_) => "no command was started yet".to_owned(),
        Ok(run) => match run.end() {
            None => format!("process {} runs: {}", run.pid(), run.command()),
            Some(end) => {
                format!("process {} ended {}: {}", run.pid(), end.describe(), run.command())
            }
        },
    };
    follow(move || {
        let transitions = manager.transition_count();
        set_status(&line(&manager));
        manager.wait_for_transition(transitions, Instant::now() + EVENT_TIMEOUT);
    });
}

/// Keeps the status line of Astra up to date, as [`follow_shell`] does.
pub(super) fn follow_services(supervisor: Arc<Supervisor>) {
    follow(move || {
        let last = supervisor.events().last_id();
        set_status(&line_of(&supervisor));
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

/// Notifies systemd that the server shuts down.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Notifies systemd that the configuration is reloaded, calls `work`, and then notifies that the
/// server is ready again.
pub(super) fn while_reloading(work: impl FnOnce()) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::debug!("cannot read the clock: {error}"),
    }
    work();
    notify(&[NotifyState::Ready]);
}

/// Sets the line that `systemctl status` shows.
fn set_status(line: &str) {
    notify(&[NotifyState::Status(&in_one_line(line))]);
}

/// Notifies the watchdog twice in each interval that it allows, as long as `is_alive` returns true.
/// Starts a thread for that, which lives until the process ends; none where no watchdog is set.
fn feed_watchdog(is_alive: impl Fn(Duration) -> bool + Send + 'static) {
    let Some(allowed) = sd_notify::watchdog_enabled() else { return };
    let interval = allowed / 2;
    let work = move || loop {
        if is_alive(interval) {
            notify(&[NotifyState::Watchdog]);
        } else {
            log::error!("self-check failed; watchdog not notified");
        }
        thread::sleep(interval);
    };
    let thread = thread::Builder::new().name("watchdog".into()).stack_size(512 * 1024).spawn(work);
    if let Err(error) = thread {
        log::error!("no thread to notify the watchdog: {error}");
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("cannot notify systemd: {error}");
    }
}

/// Replaces control characters: what follows a newline would be another assignment to systemd.
fn in_one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(STATUS_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_speak_to_systemd_through_its_status() {
        assert_eq!(
            in_one_line("running: true\nWATCHDOG=trigger"),
            "running: true WATCHDOG=trigger"
        );
        assert_eq!(in_one_line(&"é".repeat(300)).chars().count(), STATUS_CHARACTERS_MAX);
    }
}
