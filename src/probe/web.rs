//! Probes of a URL.

use super::prober::Prober;
use super::reason::{UNKNOWN_HOST, io_reason, no_answer};
use http::Uri;
use std::io;
use std::time::Duration;
use ureq::config::Config;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// Maximum number of redirects to follow.
const REDIRECTS_MAX: u32 = 5;

/// Maximum number of addresses of a host to try: as many as the client takes.
const ADDRESSES_MAX: usize = 16;

/// Builds the HTTP client. It keeps no connection, because the next probe has to find out whether
/// one can be made, and takes no proxy from the environment, because the service is probed, not the
/// way to it.
fn agent(prober: &Prober) -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(REDIRECTS_MAX)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(concat!("llm-shell/", env!("CARGO_PKG_VERSION")));
    let (config, names) = (config.build(), Names(prober.clone()));
    Agent::with_parts(config, DefaultConnector::default(), names)
}

/// A resolver of names for one check.
#[derive(Debug)]
struct Names(Prober);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let found = self.0.resolve(host, uri.port_u16().unwrap_or(default), *timeout.after);
        let found = found.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            _ => Error::Io(error),
        })?;
        let mut addresses = self.empty();
        found.into_iter().take(ADDRESSES_MAX).for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// Requests a URL, and reads only the head of the answer. Blocks for `timeout` at most.
///
/// # Errors
/// Why it failed, in a few words: anything but an answer of 2xx in time.
pub(super) fn get(url: &Uri, timeout: Duration, prober: &Prober) -> Result<(), String> {
    let agent = prober.agent(|| agent(prober));
    let request = agent.get(url).config().timeout_global(Some(timeout)).build();
    match request.call() {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("HTTP {}", answer.status().as_u16())),
        Err(error) => Err(reason(&error, timeout)),
    }
}

fn reason(error: &Error, timeout: Duration) -> String {
    match error {
        Error::Timeout(_) => no_answer(timeout),
        Error::Io(error) => io_reason(error, timeout),
        Error::HostNotFound => UNKNOWN_HOST.to_owned(),
        Error::TooManyRedirects => format!("more than {REDIRECTS_MAX} redirects"),
        Error::LargeResponseHeader(..) => "the response head is too large".to_owned(),
        Error::Protocol(error) => format!("not an HTTP response: {error}"),
        other => other.to_string(),
    }
}
