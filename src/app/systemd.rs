//! The protocol of systemd (`sd_notify(3)`): readiness, status, watchdog. Nothing is sent if
//! systemd did not start the server, and no call here waits for a reply.

use super::credentials::authorization;
use crate::client::Client;
use crate::protocol::ServiceState;
use crate::runs::RunSet;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use http1::Place;
use sd_notify::NotifyState;
use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The shortest time between two status lines, so that a thousand services starting at once do not
/// cause a thousand lines.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// The longest status line, in characters: a line in a terminal or two.
const STATUS_CHARACTERS_MAX: usize = 200;

/// How long a thread waits for an event before it checks again. Nothing depends on it.
const EVENT_TIMEOUT: Duration = Duration::from_hours(1);

/// Notifies systemd that the server accepts requests, and from then on its watchdog, each time
/// after the server has answered a request to itself.
///
/// `target` is the path of that request: its handler takes the locks that others take. Any
/// response counts.
pub(super) fn ready(place: Place, target: &'static str, settings: &Settings) {
    notify(&[NotifyState::Ready]);
    let authorization = authorization(settings);
    feed_watchdog(move |within| {
        // A new client each time: a kept connection does not show that new ones are accepted.
        let client = client_for(&place, authorization.clone());
        let answered = client.get_within(target, within);
        answered.inspect_err(|error| log::error!("{error}")).is_ok()
    });
}

/// Creates a client of this server.
fn client_for(place: &Place, authorization: Option<String>) -> Client {
    match place {
        Place::Internet(address) => {
            Client::of_url(&format!("http://{}", local_address(*address)), authorization)
        }
        Place::Unix(address) => Client::of_address(address.clone(), authorization),
    }
}

/// Keeps the status line of the LLM Shell up to date, at each start and end of a command. Spawns a
/// thread that lives until the process exits.
pub(super) fn follow_shell(runs: Arc<RunSet>) {
    follow(move || {
        let last = runs.events().log().last_id();
        set_status(&runs_line(&runs));
        let _news = runs.events().log().wait_after(last, Instant::now() + EVENT_TIMEOUT);
    });
}

fn runs_line(runs: &RunSet) -> String {
    let live = runs.live();
    match (&live[..], runs.foreground().last_run()) {
        ([], Err(_)) => "no command is running".to_owned(),
        ([run], _) => format!("process {} is running: {}", run.pid(), run.command()),
        ([_, _, ..], _) => format!("{} commands are running", live.len()),
        ([], Ok(run)) => match run.end() {
            None => format!("process {} is running: {}", run.pid(), run.command()),
            Some(end) => {
                format!("process {} ended {}: {}", run.pid(), end.describe(), run.command())
            }
        },
    }
}

/// Keeps the status line of Astra up to date, as [`follow_shell`] does.
pub(super) fn follow_services(supervisor: Arc<Supervisor>) {
    follow(move || {
        let last = supervisor.events().last_id();
        set_status(&services_line(&supervisor));
        let _news = supervisor.events().wait_after(last, Instant::now() + EVENT_TIMEOUT);
    });
}

fn services_line(supervisor: &Supervisor) -> String {
    let services = supervisor.services();
    let up = services.iter().filter(|service| service.state() == ServiceState::Running).count();
    let line = format!("{up} of {} services are up", services.len());
    let failing = supervisor.unhealthy().into_iter();
    let failing: Vec<_> = failing.map(|(name, state)| format!("{name} {state}")).collect();
    if failing.is_empty() { line } else { format!("{line}; {}", failing.join(", ")) }
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
        log::error!("cannot spawn the thread that reports to systemd: {error}");
    }
}

/// Returns an address that reaches this server from this machine.
fn local_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Notifies systemd that the server is shutting down.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Notifies systemd of a reload, calls `work`, and then notifies that the server is ready again.
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

/// Notifies the watchdog twice per allowed interval as long as `is_alive` returns true. Spawns a
/// thread that lives until the process exits; none if no watchdog is set.
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
        log::error!("cannot spawn the thread that notifies the watchdog: {error}");
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("cannot notify systemd: {error}");
    }
}

/// Replaces control characters: text after a newline would be another assignment to systemd.
fn in_one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(STATUS_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_inject_systemd_assignments() {
        assert_eq!(
            in_one_line("running: true\nWATCHDOG=trigger"),
            "running: true WATCHDOG=trigger"
        );
        assert_eq!(in_one_line(&"é".repeat(300)).chars().count(), STATUS_CHARACTERS_MAX);
    }
}
