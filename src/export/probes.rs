//! The probes of a container, from the health checks of a service.

use super::command::words;
use super::notes::Notes;
use super::pod::{Exec, HttpGet, Look, Port, Probe, TcpSocket};
use crate::probe::Check;
use crate::supervisor::{HealthCheck, Service};
use http::Uri;
use std::time::Duration;

/// How often a probe looks while a service starts, in seconds: as often as Kubernetes can.
const STARTING_SECONDS: u64 = 1;

/// The probes of one service.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Ends what does not start in time; only where a check restarts the service.
    pub startup: Option<Probe>,
    /// Tells whether it is healthy.
    pub readiness: Option<Probe>,
    /// Restarts it; only where a check does.
    pub liveness: Option<Probe>,
}

/// A check of a service, with its field and as Kubernetes can look.
struct Expressed<'a> {
    name: &'a str,
    field: String,
    check: &'a HealthCheck,
    look: Look,
}

impl Probes {
    /// Those of a service: the first check tells whether it is ready, the first of those that
    /// restart whether it is alive. What that leaves out is noted.
    pub(super) fn of(service: &Service, notes: &mut Notes<'_>) -> Self {
        let config = &service.config;
        let is_single = service.gives("health_check");
        let mut expressed = Vec::new();
        for (name, check) in &config.health_checks {
            let field =
                if is_single { "health_check".to_owned() } else { format!("health_checks.{name}") };
            match look(&check.check) {
                Ok(look) => expressed.push(Expressed { name, field, check, look }),
                Err((part, why)) => notes.add(&format!("{field}.{part}"), why),
            }
        }
        let Some(ready) = expressed.first() else { return Self::default() };
        let alive = expressed.iter().find(|it| it.check.restart_on_failure);
        let is_used =
            |it: &Expressed<'_>| it.name == ready.name || alive.is_some_and(|a| a.name == it.name);
        for left in expressed.iter().filter(|it| !is_used(it)) {
            let used = &ready.field;
            notes.add(&left.field, format!("is left out: there is one probe, and {used} is it"));
        }
        Self {
            startup: alive.map(|alive| startup(alive, config.start_timeout, notes)),
            readiness: Some(ready.probe(notes)),
            liveness: alive.map(|alive| Probe {
                initial_delay_seconds: Some(alive.start_period(notes)).filter(|delay| *delay > 0),
                ..alive.probe(notes)
            }),
        }
    }
}

impl Expressed<'_> {
    fn probe(&self, notes: &mut Notes<'_>) -> Probe {
        let field = |name: &str| format!("{}.{name}", self.field);
        Probe {
            look: self.look.clone(),
            initial_delay_seconds: None,
            period_seconds: notes.whole_seconds(&field("interval"), self.check.interval, 1),
            timeout_seconds: notes.whole_seconds(&field("timeout"), self.check.timeout, 1),
            failure_threshold: u64::from(self.check.retries),
        }
    }

    fn start_period(&self, notes: &mut Notes<'_>) -> u64 {
        notes.whole_seconds(&format!("{}.start_period", self.field), self.check.start_period, 0)
    }
}

/// Looks until it passes, for as long as the service may take or failures do not count.
fn startup(alive: &Expressed<'_>, start_timeout: Duration, notes: &mut Notes<'_>) -> Probe {
    let longest = start_timeout.max(alive.check.start_period);
    let seconds = longest.as_secs() + u64::from(longest.subsec_nanos() > 0);
    Probe {
        period_seconds: STARTING_SECONDS,
        failure_threshold: seconds.div_ceil(STARTING_SECONDS).max(1),
        ..alive.probe(notes)
    }
}

/// How Kubernetes looks so; else what of the check cannot be, and why.
fn look(check: &Check) -> Result<Look, (&'static str, String)> {
    match check {
        Check::Command(command) => Ok(Look::Exec(Exec { command: words(command) })),
        Check::Tcp { host, port } if is_own(host) => Ok(Look::TcpSocket(TcpSocket { port: *port })),
        Check::Tcp { host, .. } => Err(("tcp", elsewhere(host))),
        Check::Http { url } => look_at(url, check.port()).map_err(|why| ("url", why)),
    }
}

fn look_at(url: &Uri, port: Option<u16>) -> Result<Look, String> {
    let host = url.host().unwrap_or_default();
    if !is_own(host.trim_start_matches('[').trim_end_matches(']')) {
        return Err(elsewhere(host));
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("is left out: a probe has no user and password".to_owned());
    }
    let is_tls = url.scheme_str() == Some("https");
    Ok(Look::HttpGet(HttpGet {
        path: url.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        port: Port::Number(port.unwrap_or(80)),
        scheme: is_tls.then_some("HTTPS"),
    }))
}

fn elsewhere(host: &str) -> String {
    format!("is left out: a probe looks at its own pod, and {host:?} is elsewhere")
}

/// Whether a host is the service's own machine, as its pod is there.
fn is_own(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}
