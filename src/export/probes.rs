//! The probes of a container, from the health checks of a service.

use super::command::argv;
use super::notes::Notes;
use super::pod::{Exec, Handler, HttpGet, Port, Probe, TcpSocket};
use crate::probe::Check;
use crate::supervisor::{HealthCheck, Service};
use http::Uri;
use std::time::Duration;

/// The period of startup probes, in seconds: the shortest that Kubernetes supports.
const STARTING_SECONDS: u64 = 1;

/// The probes of one service.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Ends a service that does not start in time; only if a check restarts the service.
    pub startup: Option<Probe>,
    /// Determines whether the service is healthy.
    pub readiness: Option<Probe>,
    /// Restarts the service; only if a check does.
    pub liveness: Option<Probe>,
}

/// A check of a service, with its field and its Kubernetes form.
struct CheckProbe<'a> {
    name: &'a str,
    field: String,
    check: &'a HealthCheck,
    handler: Handler,
}

impl Probes {
    /// Returns the probes of a service: the first check becomes the readiness probe, the first
    /// check with a restart the liveness probe. Notes the other checks.
    pub(super) fn of(service: &Service, notes: &mut Notes<'_>) -> Self {
        let config = &service.config;
        let is_single = service.gives("health_check");
        let mut probes = Vec::new();
        for (name, check) in &config.health_checks {
            let field =
                if is_single { "health_check".to_owned() } else { format!("health_checks.{name}") };
            match handler(&check.check) {
                Ok(handler) => probes.push(CheckProbe { name, field, check, handler }),
                Err((part, why)) => notes.add(&format!("{field}.{part}"), why),
            }
        }
        let Some(ready) = probes.first() else { return Self::default() };
        let alive = probes.iter().find(|it| it.check.restart_on_failure);
        let is_used =
            |it: &CheckProbe<'_>| it.name == ready.name || alive.is_some_and(|a| a.name == it.name);
        for left in probes.iter().filter(|it| !is_used(it)) {
            let used = &ready.field;
            notes.add(
                &left.field,
                format!("is left out: only one check becomes a probe, here {used}"),
            );
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

impl CheckProbe<'_> {
    fn probe(&self, notes: &mut Notes<'_>) -> Probe {
        let field = |name: &str| format!("{}.{name}", self.field);
        Probe {
            handler: self.handler.clone(),
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

/// Returns the startup probe, which allows for the start timeout or the start period, whichever is
/// longer.
fn startup(alive: &CheckProbe<'_>, start_timeout: Duration, notes: &mut Notes<'_>) -> Probe {
    let longest = start_timeout.max(alive.check.start_period);
    let seconds = longest.as_secs() + u64::from(longest.subsec_nanos() > 0);
    Probe {
        period_seconds: STARTING_SECONDS,
        failure_threshold: seconds.div_ceil(STARTING_SECONDS).max(1),
        ..alive.probe(notes)
    }
}

/// Converts a check into its Kubernetes form; fails with the field that prevents it, and the
/// reason.
fn handler(check: &Check) -> Result<Handler, (&'static str, String)> {
    match check {
        Check::Command(command) => Ok(Handler::Exec(Exec { command: argv(command) })),
        Check::Tcp { host, port } if is_pod_local(host) => {
            Ok(Handler::TcpSocket(TcpSocket { port: *port }))
        }
        Check::Tcp { host, .. } => Err(("tcp", elsewhere(host))),
        Check::Http { url } => http_handler(url, check.port()).map_err(|why| ("url", why)),
    }
}

fn http_handler(url: &Uri, port: Option<u16>) -> Result<Handler, String> {
    let host = url.host().unwrap_or_default();
    if !is_pod_local(host.trim_start_matches('[').trim_end_matches(']')) {
        return Err(elsewhere(host));
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("is left out: a probe has no user and password".to_owned());
    }
    let is_tls = url.scheme_str() == Some("https");
    Ok(Handler::HttpGet(HttpGet {
        path: url.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        port: Port::Number(port.unwrap_or(80)),
        scheme: is_tls.then_some("HTTPS"),
    }))
}

fn elsewhere(host: &str) -> String {
    format!("is left out: a probe can only check its own pod, not {host:?}")
}

/// Returns whether a host is the service's own machine, which its pod replaces.
fn is_pod_local(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}
